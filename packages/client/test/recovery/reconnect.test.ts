import type { Status } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { error, FakeBroker, failure, settle } from '../support/fake-broker.js'
import { connected } from '../support/reconnecting.js'

t.test('reconnect - the first wait is random, the next ones double up to a bound', async (t) => {
  const { broker, statuses, clock } = await connected({ recovery: { backoffMs: 100, backoffMaxMs: 1_000 } })
  broker.down = true
  clock.randoms = [0.5, 1, 1, 1, 1, 1, 0.1]
  broker.peer.reset()
  await clock.advance(10_000)
  const waits = statuses.all.flatMap((status) => (status.state === 'reconnecting' ? [status.retryInMs] : []))
  t.same(waits.slice(0, 7), [50, 200, 400, 800, 1_000, 1_000, 100])
  t.match(statuses.all[0], { attempt: 1, cause: { code: 'CONNECTION_LOST' } })
  t.match(statuses.all[1], { attempt: 2, cause: { code: 'CONNECT_FAILED' } })
})

t.test('reconnect - hosts take turns', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect({}, ['waybill://one:1', 'waybill://two:2'])
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  const open = broker.open.bind(broker)
  broker.open = (target, handlers) => {
    broker.down = target.host === 'one'
    return open(target, handlers)
  }
  broker.peer.reset()
  await broker.clock.advance(500)
  t.match(await statuses.find(({ state }) => state === 'connected'), { host: 'two:2', attempt: 1 })
})

t.test('reconnect - gives up after so many attempts', async (t) => {
  const { broker, connection, statuses, clock, log } = await connected({ recovery: { attempts: 3 } })
  broker.down = true
  const closed = connection.consume('work', () => {}).then(({ closed }) => closed)
  await settle()
  broker.peer.reset()
  await clock.advance(60_000)
  t.match(await statuses.find(({ state }) => state === 'closed'), { cause: { code: 'CONNECT_FAILED' } })
  t.match(await closed, { reason: 'closed', error: { code: 'CONNECT_FAILED' } })
  t.match(await failure(connection.checkQueue('a')), { code: 'CLOSED' })
  t.match(await failure(connection.publish('x', 'k', 'a')), { code: 'CLOSED', stored: 'no' })
  t.ok(log.all.some(({ event, level }) => event === 'connection-closed' && level === 'error'))
  t.equal(clock.timerCount, 0)
  await connection.close()
})

t.test('reconnect - a broker that refuses us while recovering ends it', async (t) => {
  const { broker, statuses, clock } = await connected()
  broker.answers.HELLO = () => error('authenticationFailed', 'password changed')
  broker.peer.reset()
  await clock.advance(60_000)
  t.match(await statuses.find(({ state }) => state === 'closed'), { cause: { code: 'AUTHENTICATION_FAILED' } })
  t.equal(broker.peers.length, 2)
})

t.test('reconnect - without recovery a lost connection is closed', async (t) => {
  const { broker, connection, statuses } = await connected({ recovery: false })
  broker.peer.reset()
  t.match(await statuses.next(), { state: 'closed', cause: { code: 'CONNECTION_LOST' } })
  t.match(connection.status, { state: 'closed' })
})

t.test('reconnect - who has stopped listening is not told', async (t) => {
  const { broker, connection, reconnect } = await connected()
  const told = new Collected<Status>()
  connection.on('status', told.add)
  connection.off('status', told.add)
  await reconnect()
  t.equal(told.all.length, 0)
  t.equal(broker.peers.length, 2)
})

t.test('reconnect - a handler at work keeps its place, and what it settles afterwards is nobody’s', async (t) => {
  const { broker, connection, reconnect } = await connected()
  const gates: (() => void)[] = []
  const started: string[] = []
  await connection.consume('work', (message) => {
    started.push(message.content.toString())
    return new Promise<void>((resolve) => gates.push(resolve))
  })
  broker.peer.deliver(1, ['a', 'b'])
  await settle()
  await reconnect()
  broker.peer.deliver(1, ['a', 'b'], { flags: ['REDELIVERED', 'COUNTS'], deliveryCount: 2 })
  await settle()
  t.same(started, ['a'], 'one at a time, and the first one still runs')
  gates[0]()
  await settle()
  t.same(broker.peer.of('SETTLE'), [], 'its tag means another message now')
  t.same(started, ['a', 'a'])
  gates[1]()
  await settle()
  t.match(broker.peer.of('SETTLE')[0].entries, [{ firstTag: 1, outcome: 'ack' }])
})

t.test('reconnect - one line for each loss and return, unless somebody listens', async (t) => {
  const lines: string[] = []
  const original = process.stderr.write
  process.stderr.write = ((text: string) => lines.push(text) > 0) as typeof process.stderr.write
  try {
    const broker = new FakeBroker()
    const connection = await broker.connect({ log: undefined })
    await connection.declareQueue('work')
    broker.peer.reset()
    await broker.clock.advance(1_000)
    connection.on('status', () => {})
    broker.peer.reset()
    await broker.clock.advance(1_000)
  } finally {
    process.stderr.write = original
  }
  t.equal(lines.length, 2)
  t.match(lines[0], /^waybill connection-lost host=one:1 code=CONNECTION_LOST - .*\n$/)
  t.match(lines[1], /^waybill connection-restored host=one:1 attempt=1 queues=1 bindings=0 consumers=0\n$/)
})
