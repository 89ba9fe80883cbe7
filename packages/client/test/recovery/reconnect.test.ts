import type { Message, Status } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { bodyText, error, FakeBroker, failure, settle, silence } from '../support/fake-broker.js'

type Entry = { level: string; event: string; [key: string]: unknown }

async function connected(options: object = {}) {
  const broker = new FakeBroker()
  const log = new Collected<Entry>()
  const connection = await broker.connect({ log: log.add as never, ...options })
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  /** Loses the connection and lets it come back. */
  const reconnect = async (): Promise<void> => {
    const count = broker.peers.length
    broker.peer.reset()
    await broker.clock.advance(200)
    await broker.connections(count + 1)
    await settle()
  }
  return { broker, connection, statuses, log, reconnect, clock: broker.clock }
}

t.test('reconnect - everything is declared again in an order that works, with consumers and their windows', async (t) => {
  const { broker, connection, statuses, reconnect } = await connected()
  const other = await connection.channel()
  await connection.declareQueue('emails', { durable: false })
  await connection.bindQueue('emails', 'orders', 'order.#')
  await connection.declareExchange('orders', { type: 'topic', alternate: 'lost' })
  await connection.declareExchange('lost', { type: 'fanout' })
  await connection.bindExchange('audit', 'orders', '#', { headers: { big: 2n ** 60n }, match: 'any' })
  const consumer = await connection.consume('emails', () => {}, { prefetch: 10, priority: 2 })
  await other.consume('emails', () => {}, { ack: 'none' })
  consumer.setPrefetch(77, 1_000)
  await reconnect()
  const { peer } = broker
  t.same(
    peer.frames.map(({ type }) => type),
    ['HELLO', 'OPEN', 'OPEN', 'DECLARE_EXCHANGE', 'DECLARE_EXCHANGE', 'DECLARE_QUEUE', 'BIND_EXCHANGE', 'BIND_QUEUE', 'CONSUME', 'CONSUME'],
  )
  t.same(peer.of('DECLARE_QUEUE')[0].json, { queue: 'emails', durable: false })
  t.same(peer.of('DECLARE_EXCHANGE')[0].json, { exchange: 'orders', type: 'topic', alternate: 'lost' })
  t.same(peer.of('BIND_QUEUE')[0].json, { queue: 'emails', exchange: 'orders', key: 'order.#' })
  t.match(peer.of('BIND_EXCHANGE')[0].json, {
    source: 'orders',
    target: 'audit',
    headers: { big: { i64: String(2n ** 60n) } },
    match: 'any',
  })
  t.match(peer.of('CONSUME')[0], { channel: 1, json: { queue: 'emails', prefetch: 77, prefetchSize: 1_000, priority: 2, ack: 'manual' } })
  t.match(peer.of('CONSUME')[1], { channel: 2, json: { queue: 'emails', ack: 'none' } })
  t.match(await statuses.find(({ state }) => state === 'connected'), {
    host: 'one:1',
    attempt: 1,
    restored: { queues: 1, bindings: 2, consumers: 2 },
    failed: [],
  })
})

t.test('reconnect - what was deleted, unbound or closed does not come back', async (t) => {
  const { broker, connection, reconnect } = await connected()
  await connection.declareExchange('x', { type: 'direct' })
  await connection.declareExchange('y', { type: 'direct' })
  await connection.declareQueue('a')
  await connection.declareQueue('b')
  await connection.bindQueue('a', 'x', 'k')
  await connection.bindQueue('b', 'x', 'k')
  await connection.bindQueue('b', 'y', 'k')
  await connection.bindExchange('y', 'x')
  const consumer = await connection.consume('b', () => {})
  const channel = await connection.channel()
  await consumer.close()
  await channel.close()
  await connection.unbindQueue('b', 'x', 'k')
  await connection.deleteQueue('a')
  await connection.deleteExchange('y')
  await reconnect()
  t.same(
    broker.peer.frames.map(({ type, json }) => [type, json.queue ?? json.exchange]),
    [
      ['HELLO', undefined],
      ['OPEN', undefined],
      ['DECLARE_EXCHANGE', 'x'],
      ['DECLARE_QUEUE', 'b'],
    ],
  )
})

t.test('reconnect - an exchange that goes with its last binding is forgotten with it', async (t) => {
  const { broker, connection, reconnect } = await connected()
  await connection.declareExchange('auto', { type: 'fanout', autoDelete: true })
  await connection.bindExchange('a', 'auto')
  await connection.bindExchange('b', 'auto')
  await connection.unbindExchange('a', 'auto')
  await reconnect()
  t.equal(broker.peer.of('DECLARE_EXCHANGE').length, 1, 'b still holds it')
  await connection.unbindExchange('b', 'auto')
  await reconnect()
  t.equal(broker.peer.of('DECLARE_EXCHANGE').length, 0)
})

t.test('reconnect - what goes by itself is forgotten with the last thing that held it', async (t) => {
  const { broker, connection, reconnect } = await connected()
  await connection.declareQueue('auto', { autoDelete: true })
  await connection.declareExchange('auto-x', { type: 'fanout', autoDelete: true })
  await connection.bindQueue('auto', 'auto-x')
  const [one, two] = [await connection.consume('auto', () => {}), await connection.consume('auto', () => {})]
  await one.close()
  await reconnect()
  t.equal(broker.peer.of('DECLARE_QUEUE').length, 1, 'another consumer holds it')
  t.equal(broker.peer.of('DECLARE_EXCHANGE').length, 1)
  await two.close()
  await reconnect()
  t.same(
    broker.peer.frames.map(({ type }) => type),
    ['HELLO', 'OPEN'],
  )
})

t.test('reconnect - a queue without a name keeps the one that the client made', async (t) => {
  const { broker, connection, reconnect } = await connected()
  const { queue } = await connection.declareQueue(undefined, { exclusive: true })
  t.match(queue, /^client\.[a-z2-7]{20}$/)
  t.same(broker.peer.of('DECLARE_QUEUE')[0].json, { queue, exclusive: true, durable: false })
  await reconnect()
  t.same(broker.peer.of('DECLARE_QUEUE')[0].json, { queue, exclusive: true, durable: false })
})

t.test('reconnect - defaults of durable are said, not left to the name', async (t) => {
  const { broker, connection } = await connected()
  await connection.declareQueue('named')
  await connection.declareQueue('mine', { exclusive: true })
  await connection.declareQueue('kept', { durable: true, expiresMs: 1_000 })
  t.same(
    broker.peer.of('DECLARE_QUEUE').map(({ json }) => json),
    [
      { queue: 'named', durable: true },
      { queue: 'mine', exclusive: true, durable: false },
      { queue: 'kept', durable: true, expiresMs: 1_000 },
    ],
  )
})

t.test('reconnect - what cannot be restored is reported, and the rest goes on', async (t) => {
  const { broker, connection, statuses, log, reconnect } = await connected()
  await connection.declareQueue('good')
  await connection.declareQueue('changed')
  await connection.bindQueue('good', 'gone', 'k')
  const consumer = await connection.consume('vanished', () => {})
  const good = await connection.consume('good', () => {})
  broker.answers.DECLARE_QUEUE = ({ json }) =>
    json.queue === 'changed' ? error('preconditionFailed', 'differs', { details: { differences: [] } }) : usual(json)
  broker.answers.BIND_QUEUE = () => error('notFound', "no exchange 'gone'")
  broker.answers.CONSUME = ({ json }) => (json.queue === 'vanished' ? error('notFound', 'no queue') : {})
  const usual = (json: { queue: string }) => ({ queue: json.queue, created: true, durable: false, messageCount: 0, consumerCount: 0 })
  await reconnect()
  const status = await statuses.find(({ state }) => state === 'connected')
  t.match(status, {
    restored: { queues: 1, bindings: 0, consumers: 1 },
    failed: [
      { what: 'queue', name: 'changed', error: { name: 'DeclareError', code: 'PRECONDITION_FAILED' } },
      { what: 'binding', name: 'gone → good', error: { code: 'NOT_FOUND' } },
      { what: 'consumer', name: 'vanished', error: { code: 'NOT_FOUND' } },
    ],
  })
  t.match(await consumer.closed, { reason: 'refused', error: { code: 'NOT_FOUND' } })
  t.ok(log.all.some(({ event, notRestored }) => event === 'connection-restored' && /vanished/.test(String(notRestored))))
  broker.peer.consumers.set(2, { channel: 1, json: {} })
  t.equal(good.running, 0)
})

t.test('reconnect - an exclusive queue that the broker still holds for our former self is tried again', async (t) => {
  const { broker, connection, statuses, reconnect, clock } = await connected()
  const { queue } = await connection.declareQueue(undefined, { exclusive: true })
  await connection.bindQueue(queue, 'x', 'k')
  const messages = new Collected<Message>()
  const consumer = await connection.consume(queue, messages.add, { ack: 'none' })
  const usual = broker.answers.DECLARE_QUEUE
  broker.answers.DECLARE_QUEUE = () => error('resourceLocked', 'exclusive to connection 1')
  await reconnect()
  t.match(await statuses.find(({ state }) => state === 'connected'), {
    failed: [{ what: 'queue', name: queue, error: { code: 'RESOURCE_LOCKED' } }],
  })
  await clock.advance(8_000)
  broker.answers.DECLARE_QUEUE = usual
  await clock.advance(8_000)
  t.match(await statuses.find(({ state }) => state === 'connected'), { restored: { queues: 1, bindings: 1, consumers: 1 }, failed: [] })
  broker.peer.deliver(1, ['again'])
  t.equal((await messages.next()).content.toString(), 'again')

  broker.answers.DECLARE_QUEUE = () => error('resourceLocked', 'exclusive to connection 2')
  await reconnect()
  await clock.advance(60_000)
  t.match(await consumer.closed, { reason: 'refused', error: { code: 'RESOURCE_LOCKED' } }, 'not for ever')
  await connection.close()
  t.equal(clock.timerCount, 0)
})

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

t.test('reconnect - a connection lost while it is restored is tried again', async (t) => {
  const { broker, connection, statuses, clock } = await connected()
  await connection.declareQueue('work')
  await connection.consume('work', () => {})
  const usual = broker.answers.DECLARE_QUEUE
  broker.answers.DECLARE_QUEUE = (_frame, peer) => {
    broker.answers.DECLARE_QUEUE = usual
    peer.reset()
    return undefined
  }
  broker.peer.reset()
  await clock.advance(5_000)
  t.equal(broker.peers.length, 3)
  t.match(await statuses.find(({ state }) => state === 'connected'), { restored: { queues: 1, consumers: 1 }, failed: [], attempt: 2 })
})

t.test('reconnect - one that does not answer while restoring does not hold us for ever', async (t) => {
  const { broker, connection, statuses, clock } = await connected()
  await connection.declareQueue('work')
  broker.answers.DECLARE_QUEUE = silence
  broker.peer.reset()
  await clock.advance(40_000)
  t.match(await statuses.find(({ state }) => state === 'connected'), { failed: [{ what: 'queue', error: { code: 'TIMEOUT' } }] })
})

t.test('reconnect - requests in flight are asked again, and made while offline wait', async (t) => {
  const { broker, connection, clock } = await connected()
  broker.answers.CHECK_QUEUE = silence
  const inFlight = connection.checkQueue('a')
  await settle()
  broker.down = true
  broker.peer.reset()
  await clock.advance(500)
  const offline = connection.declareQueue('b')
  const consumer = connection.consume('b', () => {})
  broker.answers.CHECK_QUEUE = new FakeBroker().answers.CHECK_QUEUE
  broker.down = false
  await clock.advance(2_000)
  t.equal((await inFlight).queue, 'a')
  t.equal((await offline).queue, 'b')
  await consumer
  t.equal(broker.peer.of('CONSUME').length, 1, 'declared once')
})

t.test('reconnect - a request finds no connection in time', async (t) => {
  const { broker, connection, clock } = await connected()
  broker.down = true
  broker.peer.reset()
  await settle()
  const rejected = failure(connection.checkQueue('a'))
  const channel = failure(connection.channel())
  await clock.advance(30_000)
  t.match(await rejected, { code: 'OFFLINE', retryable: true })
  t.match(await channel, { code: 'OFFLINE' })
})

t.test('reconnect - publishes in flight are rejected: nobody knows', async (t) => {
  const { broker, connection, reconnect } = await connected()
  broker.confirms = false
  const all = Array.from({ length: 3 }, () => failure(connection.publish('x', 'k', 'a')))
  await settle()
  await reconnect()
  for (const rejected of all) t.match(await rejected, { name: 'PublishError', code: 'CONNECTION_LOST', stored: 'unknown', retryable: true })
  t.equal(broker.peer.records.length, 0)
})

t.test('reconnect - with resend they are published again, in order, before what waited', async (t) => {
  const { broker, connection, clock } = await connected({ unconfirmed: 'resend' })
  broker.credit = { creditSequence: 10_000, creditSize: 1_000_000 }
  broker.confirms = false
  const publisher = connection.publisher('x')
  publisher.send('k', '1')
  const two = connection.publish('x', 'k', '2', { headers: { a: 1 } })
  publisher.send('k', '3')
  await settle()
  t.equal(broker.peer.records.length, 3)
  broker.peer.confirm(1, 1, { runs: [{ firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' }] })
  await settle()
  broker.down = true
  broker.peer.reset()
  await settle()
  publisher.send('k', '4')
  broker.down = false
  await clock.advance(1_000)
  t.same(broker.peer.records.map(bodyText), ['2', '3', '4'], 'what was confirmed is not sent again')
  t.equal(broker.peer.of('PUBLISH')[0].firstSequence, 1)
  t.same(broker.peer.records[0].headers, { a: 1 })
  broker.peer.confirm(1, 3, { runs: [{ firstSequence: 1, firstMessageId: 8, count: 3, queueCount: 1, level: 'received' }] })
  t.equal((await two).id, 'log-8')
  await publisher.flush()
})

t.test('reconnect - thousands in flight are sent again, each once', async (t) => {
  const { broker, connection, reconnect } = await connected({ unconfirmed: 'resend' })
  broker.confirms = false
  const publisher = connection.publisher('x', { window: 5_000 })
  const controller = new AbortController()
  const aborted = failure(connection.publish('x', 'k', 'aborted', { signal: controller.signal }))
  for (let i = 0; i < 3_000; i++) publisher.send('k', String(i))
  await settle()
  controller.abort()
  t.match(await aborted, { stored: 'unknown' })
  broker.confirms = true
  await reconnect()
  await publisher.flush()
  t.same(
    broker.peer.records.map(bodyText),
    Array.from({ length: 3_000 }, (_, i) => String(i)),
    'but the one that nobody waits for',
  )
})

t.test('reconnect - a channel that cannot be opened again ends, the others live', async (t) => {
  const { broker, connection, reconnect } = await connected()
  const channel = await connection.channel()
  const consumer = await channel.consume('work', () => {})
  broker.answers.OPEN = ({ channel: number }) => (number === 2 ? error('limitExceeded', 'too many channels') : broker.credit)
  await reconnect()
  t.match(await consumer.closed, { reason: 'closed' })
  t.match(await failure(channel.publish('x', 'k', 'a')), { code: 'CLOSED' })
  await connection.publish('x', 'k', 'b')
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

t.test('reconnect - what was sent before and waits to be sent again may have been stored', async (t) => {
  const { broker, connection, clock } = await connected({ unconfirmed: 'resend' })
  broker.confirms = false
  const sent = failure(connection.publish('x', 'k', 'sent'))
  await settle()
  broker.down = true
  broker.peer.reset()
  await settle()
  const waiting = failure(connection.publish('x', 'k', 'waiting'))
  await clock.advance(31_000)
  t.match(await sent, { code: 'OFFLINE', stored: 'unknown' })
  t.match(await waiting, { code: 'OFFLINE', stored: 'no' })
})

t.test('reconnect - offline wait: a publish waits, at most its time', async (t) => {
  const { broker, connection, clock } = await connected()
  broker.down = true
  broker.peer.reset()
  await settle()
  const short = failure(connection.publish('x', 'k', 'short', { timeoutMs: 500 }))
  const long = connection.publish('x', 'k', 'long')
  await clock.advance(1_000)
  t.match(await short, { code: 'OFFLINE', stored: 'no' })
  broker.down = false
  await clock.advance(10_000)
  await long
  t.same(broker.peer.records.map(bodyText), ['long'])
})

t.test('reconnect - offline fail: everything rejects at once, also what was waiting', async (t) => {
  const broker = new FakeBroker()
  broker.credit = { creditSequence: 0, creditSize: 0 }
  const connection = await broker.connect({ offline: 'fail' })
  const waiting = failure(connection.publish('x', 'k', 'a'))
  await settle()
  broker.down = true
  broker.peer.reset()
  t.match(await waiting, { code: 'OFFLINE', stored: 'no' })
  t.match(await failure(connection.publish('x', 'k', 'b')), { code: 'OFFLINE', stored: 'no' })
  t.match(await failure(connection.declareQueue('q')), { code: 'OFFLINE' })
  t.match(await failure(connection.channel()), { code: 'OFFLINE' })
  const publisher = connection.publisher('x')
  t.throws(() => publisher.send('k', 'c'), { code: 'OFFLINE' })
  await publisher.flush()
})

t.test('reconnect - offline buffer: waits without limit of time, within a limit of size', async (t) => {
  const { broker, connection, clock } = await connected({ offline: 'buffer', offlineSizeMax: 1_000 })
  broker.down = true
  broker.peer.reset()
  await settle()
  const publisher = connection.publisher('x')
  const first = connection.publish('x', 'k', Buffer.alloc(400))
  publisher.send('k', Buffer.alloc(400))
  t.notOk(publisher.full, 'it may go on')
  t.match(await failure(connection.publish('x', 'k', Buffer.alloc(400))), { code: 'OFFLINE_FULL', stored: 'no', retryable: true })
  t.throws(() => publisher.send('k', Buffer.alloc(400)), { code: 'OFFLINE_FULL' })
  const timed = failure(connection.publish('x', 'k', 'x', { timeoutMs: 1_000 }))
  await clock.advance(3_600_000)
  t.match(await timed, { code: 'OFFLINE', stored: 'no' }, 'a time of its own holds')
  broker.down = false
  await clock.advance(20_000)
  await Promise.all([first, publisher.flush()])
  t.equal(broker.peer.records.length, 2)
  broker.down = true
  broker.peer.reset()
  await settle()
  publisher.send('k', Buffer.alloc(900))
  t.pass('the room is free again')
  const closed = connection.close({ timeoutMs: 1 })
  await clock.advance(10)
  await closed
})

t.test('reconnect - buffered publishes have their usual time once there is a connection', async (t) => {
  const { broker, connection, clock } = await connected({ offline: 'buffer' })
  broker.down = true
  broker.peer.reset()
  await settle()
  const rejected = failure(connection.publish('x', 'k', 'a'))
  await clock.advance(100_000)
  broker.confirms = false
  broker.down = false
  await clock.advance(20_000)
  t.equal(broker.peer.records.length, 1)
  await clock.advance(31_000)
  t.match(await rejected, { code: 'TIMEOUT', stored: 'unknown' })
})

t.test('reconnect - a publisher goes on over it, and its refusals keep their numbers', async (t) => {
  const { broker, connection, reconnect } = await connected()
  broker.confirms = false
  const publisher = connection.publisher('x')
  const refused: number[] = []
  publisher.on('refused', ({ sequence, error }) => {
    refused.push(sequence)
    t.match(error, { code: 'CONNECTION_LOST', stored: 'unknown' })
  })
  publisher.send('k', '1')
  publisher.send('k', '2')
  await settle()
  await reconnect()
  t.same(refused, [1, 2])
  broker.confirms = true
  t.equal(publisher.send('k', '3'), 3)
  await publisher.flush()
  t.equal(broker.peer.of('PUBLISH')[0].firstSequence, 1, 'sequences on the wire begin again')
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

t.test('reconnect - a channel that the broker closes is opened again alone', async (t) => {
  const { broker, connection, log } = await connected()
  const channel = await connection.channel()
  await channel.consume('work', () => {})
  broker.confirms = false
  const lost = failure(channel.publish('x', 'k', 'a'))
  broker.answers.CHECK_QUEUE = silence
  const unanswered = failure(channel.checkQueue('a'))
  const kept = connection.publish('x', 'k', 'b')
  await settle()
  broker.peer.send({
    type: 'ERROR',
    channel: 2,
    json: { code: 421, name: 'sequenceUnexpected', scope: 'channel', retryable: false, message: 'sequence 9 came' },
  })
  t.match(await lost, { code: 'CONNECTION_LOST', stored: 'unknown', cause: { code: 'SEQUENCE_UNEXPECTED' } })
  t.match(await unanswered, { code: 'CONNECTION_LOST', retryable: true, cause: { code: 'SEQUENCE_UNEXPECTED' } })
  await settle()
  t.equal(broker.peers.length, 1)
  t.equal(broker.peer.of('CONSUME').length, 2)
  t.ok(log.all.some(({ event }) => event === 'channel-lost'))
  broker.peer.confirm(1, 1, { runs: [{ firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' }] })
  await kept
  broker.confirms = true
  await channel.publish('x', 'k', 'c')
  t.equal(broker.peer.of('PUBLISH').at(-1)?.firstSequence, 1)
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
