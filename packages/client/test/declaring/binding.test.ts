import t from 'tap'
import { FakeBroker, settle } from '../support/fake-broker.js'

t.test('binding - headers that a message could not have are mistakes, by name and with the limit', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, i]))
  const cases: readonly [object, RegExp][] = [
    [{ tenant: undefined }, /'tenant' is undefined; it can be a string, number, bigint, boolean, null or bytes/],
    [{ tenant: {} }, /'tenant' is object; it can be/],
    [{ tenant: () => {} }, /'tenant' is function/],
    [{ tenant: 2n ** 70n }, /'tenant' does not fit in 64 bits/],
    [{ tenant: 'x'.repeat(9_000) }, /'tenant'.* 9000 bytes.* 8192/],
    [many, /65 headers; at most 64/],
  ]
  for (const [headers, message] of cases) {
    for (const bind of ['bindQueue', 'unbindQueue', 'bindExchange', 'unbindExchange'] as const) {
      const call = (): unknown => connection[bind]('to', 'from', '', { headers } as never)
      t.throws(call, { name: 'UsageError', code: 'PROPERTY_INVALID', message }, `${bind} ${message}`)
    }
  }
  t.throws(() => connection.bindQueue('to', 'from', '', { match: 'some' } as never), { code: 'OPTION_INVALID', message: /'all' or 'any'/ })
  await settle()
  t.same([...broker.peer.of('BIND_QUEUE'), ...broker.peer.of('BIND_EXCHANGE')], [])
})

t.test('binding - headers of every type are said to the broker', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const headers = { tenant: 'a', big: 2n ** 60n, half: 0.5, not: Number.NaN, yes: true, none: null, bytes: Buffer.from('b') }
  await connection.bindQueue('to', 'from', '', { headers, match: 'any' })
  t.match((await broker.peer.got('BIND_QUEUE')).json, {
    headers: { tenant: 'a', big: { i64: `${2n ** 60n}` }, half: 0.5, not: { f64: 'NaN' }, yes: true, none: null, bytes: { bytes: 'Yg==' } },
    match: 'any',
  })
})
