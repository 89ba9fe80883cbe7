import type { Message } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { error, failure, settle, silence } from '../support/fake-broker.js'
import { connected } from '../support/reconnecting.js'

t.test('restore - everything is declared again in an order that works, with consumers and their windows', async (t) => {
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

t.test('restore - what was deleted, unbound or closed does not come back', async (t) => {
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

t.test('restore - an exchange that goes with its last binding is forgotten with it', async (t) => {
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

t.test('restore - what goes by itself is forgotten with the last thing that held it', async (t) => {
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

t.test('restore - a queue without a name keeps the one that the client made', async (t) => {
  const { broker, connection, reconnect } = await connected()
  const { queue } = await connection.declareQueue(undefined, { exclusive: true })
  t.match(queue, /^client\.[a-z2-7]{20}$/)
  t.same(broker.peer.of('DECLARE_QUEUE')[0].json, { queue, exclusive: true, durable: false })
  await reconnect()
  t.same(broker.peer.of('DECLARE_QUEUE')[0].json, { queue, exclusive: true, durable: false })
})

t.test('restore - defaults of durable are said, not left to the name', async (t) => {
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

t.test('restore - what cannot be restored is reported, and the rest goes on', async (t) => {
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

t.test('restore - an exclusive queue that the broker still holds for our former self is tried again', async (t) => {
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

t.test('restore - a connection lost while it is restored is tried again', async (t) => {
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

t.test('restore - one that does not answer while restoring does not hold us for ever', async (t) => {
  const { broker, connection, statuses, clock } = await connected()
  await connection.declareQueue('work')
  broker.answers.DECLARE_QUEUE = silence
  broker.peer.reset()
  await clock.advance(40_000)
  t.match(await statuses.find(({ state }) => state === 'connected'), { failed: [{ what: 'queue', error: { code: 'TIMEOUT' } }] })
})

t.test('restore - a channel that cannot be opened again ends, the others live', async (t) => {
  const { broker, connection, reconnect } = await connected()
  const channel = await connection.channel()
  const consumer = await channel.consume('work', () => {})
  broker.answers.OPEN = ({ channel: number }) => (number === 2 ? error('limitExceeded', 'too many channels') : broker.credit)
  await reconnect()
  t.match(await consumer.closed, { reason: 'closed' })
  t.match(await failure(channel.publish('x', 'k', 'a')), { code: 'CLOSED' })
  await connection.publish('x', 'k', 'b')
})

t.test('restore - a channel that the broker closes is opened again alone', async (t) => {
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
