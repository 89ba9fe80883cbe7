import { connect, UsageError, type WaybillError } from '@waybill/client'
import { Flag } from '@waybill/protocol'
import t from 'tap'
import { Collected } from './support/collect.js'
import { error, FakeBroker, failure, settle, silence } from './support/fake-broker.js'

t.test('connect - says hello, opens channel 1 and is connected', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect({ user: 'ada', password: 'lovelace', vhost: 'shop', heartbeatMs: 30_000 })
  const hello = await broker.peer.got('HELLO')
  t.match(hello.json, {
    client: { product: '@waybill/client', name: 'test' },
    user: 'ada',
    password: 'lovelace',
    vhost: 'shop',
    heartbeatMs: 30_000,
  })
  t.equal((await broker.peer.got('OPEN')).channel, 1)
  t.same(connection.status, {
    state: 'connected',
    host: 'one:1',
    attempt: 1,
    restored: { queues: 0, bindings: 0, consumers: 0 },
    failed: [],
  })
})

t.test('connect - preface and hello leave in one write', async (t) => {
  const broker = new FakeBroker()
  await broker.connect()
  t.equal(broker.peer.writes.length, 2, 'preface with HELLO, then OPEN')
})

t.test('connect - options win over what the URL says', async (t) => {
  const broker = new FakeBroker()
  await broker.connect({ user: 'grace' }, 'waybill://ada:l%40ve@one:1/a%2Fb')
  t.match((await broker.peer.got('HELLO')).json, { user: 'grace', password: 'l@ve', vhost: 'a/b' })
})

t.test('connect - works when every byte comes by itself', async (t) => {
  const broker = new FakeBroker()
  broker.pieceSize = 1
  const connection = await broker.connect()
  await connection.publish('x', 'k', 'hello')
  t.equal(broker.peer.records.length, 1)
})

t.test('connect - refused credentials reject at once', async (t) => {
  const broker = new FakeBroker()
  broker.answers.HELLO = () => error('authenticationFailed', 'wrong password')
  const refused = await failure(broker.connect({}, ['waybill://one:1', 'waybill://two:2']))
  t.equal(refused.code, 'AUTHENTICATION_FAILED')
  t.equal(broker.peers.length, 1, 'the second host is not asked')
  t.equal(broker.clock.timerCount, 0)
})

t.test('connect - a virtual host that is not there rejects when every host has said so', async (t) => {
  const broker = new FakeBroker()
  broker.answers.HELLO = () => error('notFound', 'no virtual host')
  t.equal((await failure(broker.connect({}, ['waybill://one:1', 'waybill://two:2']))).code, 'NOT_FOUND')
  t.equal(broker.peers.length, 2)
})

t.test('connect - tries the hosts in turn', async (t) => {
  const broker = new FakeBroker()
  const open = broker.open.bind(broker)
  broker.open = (target, handlers) => {
    broker.down = target.host !== 'three'
    return open(target, handlers)
  }
  const connection = await broker.connect({}, ['waybill://one:1', 'waybill://two:2', 'waybill://three:3'])
  t.same(
    broker.targets.map(({ host }) => host),
    ['one', 'two', 'three'],
  )
  t.match(connection.status, { state: 'connected', host: 'three:3' })
})

t.test('connect - backs off between rounds, up to connectTimeoutMs over all hosts', async (t) => {
  const broker = new FakeBroker()
  broker.down = true
  broker.clock.randoms = [1, 1, 1, 1, 1, 1, 1]
  const start = broker.clock.now()
  const rejected = failure(broker.connect({ connectTimeoutMs: 1_000 }, ['waybill://one:1', 'waybill://two:2']))
  const counts: number[] = []
  await settle()
  for (let ms = 0; ms < 1_000; ms += 100) {
    counts.push(broker.targets.length)
    await broker.clock.advance(100)
  }
  t.same(counts, [2, 4, 4, 6, 6, 6, 6, 8, 8, 8], 'rounds at 0, 100, 300 and 700 ms')
  const refused = await rejected
  t.equal(refused.code, 'CONNECT_FAILED')
  t.match(refused.message, /one:1, two:2/)
  t.match((refused.cause as Error).message, /ECONNREFUSED/)
  t.ok(broker.clock.now() - start <= 1_000)
  t.equal(broker.clock.timerCount, 0)
})

t.test('connect - a host that does not answer does not use up the time of the others', async (t) => {
  const broker = new FakeBroker()
  broker.answers.HELLO = (frame, peer) => (peer === broker.peers[0] ? undefined : (usual(frame, peer) as object))
  const usual = new FakeBroker().answers.HELLO
  const connected = broker.connect({}, ['waybill://one:1', 'waybill://two:2'])
  await broker.clock.advance(5_000)
  t.match((await connected).status, { host: 'two:2' })
  t.ok(broker.peers[0].ended, 'the first one is given up')
})

t.test('connect - silence ends with the time', async (t) => {
  const broker = new FakeBroker()
  broker.answers.HELLO = silence
  const rejected = failure(broker.connect({ connectTimeoutMs: 2_000 }))
  await broker.clock.advance(2_000)
  const refused = await rejected
  t.equal(refused.code, 'CONNECT_FAILED')
  t.equal((refused.cause as WaybillError).code, 'CONNECT_TIMEOUT')
})

t.test('connect - a signal ends it, before, during a try and between two', async (t) => {
  const broker = new FakeBroker()
  t.equal((await failure(broker.connect({ signal: AbortSignal.abort() }))).code, 'ABORTED')
  t.equal(broker.peers.length, 0)

  broker.answers.HELLO = silence
  const during = new AbortController()
  const rejected = failure(broker.connect({ signal: during.signal }))
  await broker.connections(1)
  during.abort(new Error('enough'))
  t.match((await rejected).cause, { message: 'enough' })
  t.ok(broker.peer.ended)

  broker.down = true
  const between = new AbortController()
  const second = failure(broker.connect({ signal: between.signal }))
  await broker.clock.advance(10)
  between.abort()
  t.equal((await second).code, 'ABORTED')
  t.equal(broker.clock.timerCount, 0)
})

t.test('connect - something that is no broker is named', async (t) => {
  const broker = new FakeBroker()
  broker.open = new Proxy(broker.open, {
    apply(open, self, args) {
      const socket = Reflect.apply(open, self, args)
      broker.peer.sendBytes(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))
      return socket
    },
  })
  const refused = await failure(broker.connect())
  t.equal(refused.code, 'NOT_WAYBILL')
  t.match(refused.message, /HTTP\/1.1 400/)
})

t.test('connect - an answer that breaks the protocol ends the connection', async (t) => {
  const broker = new FakeBroker()
  const log = new Collected<{ event: string }>()
  broker.answers.HELLO = () => ({ server: 'none' })
  t.match(await failure(broker.connect({ connectTimeoutMs: 50, log: log.add })), { code: 'ANSWER_INVALID' })

  const other = new FakeBroker()
  const connection = await other.connect({ recovery: false, log: log.add })
  const statuses = new Collected<{ state: string }>()
  connection.on('status', statuses.add)
  other.peer.sendBytes(Buffer.from([0, 0, 0, 4, 0x07, Flag.mandatory, 0, 0]))
  t.match(await statuses.next(), { state: 'closed', cause: { code: 'PROTOCOL_ERROR' } })
  t.ok(log.all.some(({ event }) => event === 'protocol-error'))
})

t.test('connect - mistakes are thrown at once', async (t) => {
  const mistakes: [unknown, object?][] = [
    ['localhost:7670'],
    ['amqp://localhost'],
    ['waybill://'],
    ['waybill://host/a/b'],
    ['waybill://host?x=1'],
    ['waybill://%zz@host'],
    [7],
    [null],
    [[]],
    ['waybill://host', { heartbeatms: 1 }],
    ['waybill://host', { heartbeatMs: 100 }],
    ['waybill://host', { offline: 'maybe' }],
    ['waybill://host', { unconfirmed: 'forget' }],
    ['waybill://host', { connectTimeoutMs: 0 }],
    ['waybill://host', { recovery: { backoffMs: -1 } }],
  ]
  for (const [target, options] of mistakes) {
    t.throws(() => connect(target as string, options), UsageError, JSON.stringify([target, options]))
  }
})
