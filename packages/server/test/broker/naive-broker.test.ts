import assert from 'node:assert'
import t from 'tap'
import { forSeeds } from '../seeds.js'
import { NaiveBroker, type NaiveDelivery } from './naive-broker.js'

/** A broker with one connection, one channel on it, and a queue `q`. */
function broker(options: { autoDelete?: boolean; expiresMs?: number } = {}) {
  const made = new NaiveBroker()
  const connection = made.connect()
  const channel = made.open(connection)
  made.declareQueue(channel, 'q', options)
  const publish = (count: number, size = 100) => made.publish(Array.from({ length: count }, () => ({ exchange: '', key: 'q', size })))
  return { made, connection, channel, publish }
}

function ids(deliveries: readonly NaiveDelivery[]): number[] {
  return deliveries.map((delivery) => delivery.messageId)
}

t.test('naive broker - routes to each queue once, through cycles and alternates', async (t) => {
  const { made, channel } = broker()
  const { topology } = made
  topology.declare('a', { type: 'topic', alternate: 'lost' })
  topology.declare('b', { type: 'fanout' })
  topology.declare('lost', { type: 'fanout', internal: true })
  for (const name of ['q1', 'q2', 'q3']) made.declareQueue(channel, name)
  topology.bind('a', { kind: 'exchange', name: 'b' }, { key: 'x.#' })
  topology.bind('b', { kind: 'exchange', name: 'a' })
  made.bindQueue(channel, 'q1', 'a', { key: '*.y' })
  made.bindQueue(channel, 'q1', 'b')
  made.bindQueue(channel, 'q2', 'b')
  made.bindQueue(channel, 'q3', 'lost')
  const to = (key: string, exchange = 'a') => made.publish([{ exchange, key, size: 1 }])[0]
  t.same(to('x.y'), { id: 1, queues: ['q1', 'q2'] })
  t.same(to('z'), { id: 2, queues: ['q3'] })
  t.same(to('z', 'lost'), { error: 'forbidden' })
  t.same(to('z', 'none'), { error: 'notFound' })
  t.same(to('none', ''), { id: 3, queues: [] })
})

t.test('naive broker - matches headers by type and value', async (t) => {
  const { made, channel } = broker()
  made.topology.declare('h', { type: 'headers' })
  made.bindQueue(channel, 'q', 'h', { headers: { a: 1, b: 'x' }, match: 'all' })
  const takes = (headers: Record<string, string | number | bigint>) => {
    const [outcome] = made.publish([{ exchange: 'h', key: '', headers, size: 1 }])
    return outcome !== undefined && 'queues' in outcome && outcome.queues.length === 1
  }
  t.ok(takes({ a: 1n, b: 'x', c: 2 }))
  t.notOk(takes({ a: '1', b: 'x' }))
  t.notOk(takes({ a: 1 }))
  made.bindQueue(channel, 'q', 'h', { headers: { a: 1, b: 'x' }, match: 'any' })
  t.ok(takes({ a: 1 }))
})

t.test('naive broker - an atomic frame has one outcome, mandatory refuses what nobody takes', async (t) => {
  const { made } = broker()
  const frame = [
    { exchange: '', key: 'q', size: 1 },
    { exchange: '', key: 'none', size: 1 },
  ]
  t.same(made.publish(frame, { mandatory: true }), [{ id: 1, queues: ['q'] }, { error: 'unroutable' }])
  t.same(made.publish(frame, { mandatory: true, atomic: true }), [{ error: 'unroutable' }, { error: 'unroutable' }])
  t.same(made.publish(frame, { level: 3 }), [{ error: 'levelUnavailable' }, { error: 'levelUnavailable' }])
})

t.test('naive broker - a second declare with other options is refused with every difference', async (t) => {
  const { made, channel, connection } = broker()
  t.match(made.declareQueue(channel, 'q'), { created: false })
  t.same(made.declareQueue(channel, 'q', { autoDelete: true, expiresMs: 5 }), {
    error: 'preconditionFailed',
    differences: [
      { option: 'autoDelete', wanted: true, actual: false },
      { option: 'expiresMs', wanted: 5, actual: null },
    ],
  })
  made.declareQueue(channel, 'mine', { exclusive: true })
  const other = made.open(made.connect())
  t.same(made.declareQueue(other, 'mine', { exclusive: true }), { error: 'resourceLocked' })
  made.disconnect(connection)
  t.match(made.declareQueue(other, 'mine', { exclusive: true }), { created: true })
})

t.test('naive broker - a window bounds messages and bytes, and one message may exceed the bytes', async (t) => {
  const { made, channel, publish } = broker()
  publish(5, 100)
  made.consume(channel, 1, 'q', { prefetch: 3, prefetchSize: 250 })
  t.same(ids(made.dispatch()), [1, 2])
  made.window(channel, 1, 3, 50)
  made.settle(channel, 1, 2, 'ack')
  t.same(ids(made.dispatch()), [3])
  made.window(channel, 1, 0, 1_000)
  made.settle(channel, 3, 1, 'ack')
  t.same(ids(made.dispatch()), [])
  made.window(channel, 1, 1, 0)
  t.same(ids(made.dispatch()), [], '0 of either pauses')
})

t.test('naive broker - requeue returns to its place at once, retry after its delay, ack and reject end it', async (t) => {
  const { made, channel, publish } = broker()
  publish(4)
  made.consume(channel, 1, 'q', { prefetch: 4 })
  made.dispatch()
  made.settle(channel, 1, 1, 'ack')
  made.settle(channel, 2, 1, 'retry')
  made.settle(channel, 3, 1, 'requeue')
  made.settle(channel, 4, 1, 'reject')
  t.match(made.dispatch(), [{ messageId: 3, tag: 5, redelivered: true, deliveryCount: 2, failureCount: 0 }])
  made.advance(999)
  t.same(made.dispatch(), [])
  made.advance(1_000)
  t.match(made.dispatch(), [{ messageId: 2, tag: 6, redelivered: true, deliveryCount: 2, failureCount: 1 }])
  made.settle(channel, 6, 1, 'retry')
  made.advance(2_999)
  t.same(made.dispatch(), [])
  made.advance(3_000)
  t.match(made.dispatch(), [{ failureCount: 2 }])
  t.equal(made.queues[0]!.rejectedCount, 1)
  t.same(made.settle(channel, 7, 2, 'ack'), { error: 'tagUnknown' })
  t.same(made.settle(channel, 0, 1, 'ack'), { error: 'tagUnknown' })
})

t.test('naive broker - a closed channel returns what it held, in its place, marked', async (t) => {
  const { made, connection, channel, publish } = broker()
  publish(3)
  made.consume(channel, 1, 'q', { prefetch: 2 })
  made.dispatch()
  made.close(channel)
  const next = made.open(connection)
  made.consume(next, 1, 'q')
  t.match(made.dispatch(), [
    { messageId: 1, redelivered: true, deliveryCount: 2 },
    { messageId: 2, redelivered: true, deliveryCount: 2 },
    { messageId: 3, redelivered: false, deliveryCount: 1 },
  ])
})

t.test('naive broker - higher priority first, equals in turn, exclusive alone', async (t) => {
  const { made, channel, publish } = broker()
  made.consume(channel, 1, 'q')
  made.consume(channel, 2, 'q')
  made.consume(channel, 3, 'q', { priority: 5, prefetch: 2 })
  publish(6)
  t.same(
    made.dispatch().map((delivery) => delivery.consumer),
    [3, 3, 1, 2, 1, 2],
  )
  t.same(made.consume(channel, 4, 'q', { exclusive: true }), { error: 'resourceLocked' })
  t.same(made.consume(channel, 1, 'q'), { error: 'requestInvalid' })
  for (const id of [1, 2, 3]) made.cancel(channel, id)
  t.same(made.consume(channel, 4, 'q', { exclusive: true }), {})
  t.same(made.get(channel, 5, 'q'), { error: 'resourceLocked' })
})

t.test('naive broker - a GET takes one, or waits, or finds nothing', async (t) => {
  const { made, channel, publish } = broker()
  made.get(channel, 1, 'q')
  made.dispatch()
  t.same(made.takeEvents(), [{ event: 'got', channel, consumer: 1, found: false }])
  made.get(channel, 1, 'q', { waitMs: 100 })
  made.dispatch()
  t.same(made.takeEvents(), [])
  publish(2)
  t.same(ids(made.dispatch()), [1])
  t.same(made.takeEvents(), [{ event: 'got', channel, consumer: 1, found: true }])
  made.get(channel, 1, 'q', { ack: 'none' })
  t.same(ids(made.dispatch()), [2])
  t.match(made.checkQueue(channel, 'q'), { messageCount: 0, unsettledCount: 1, consumerCount: 0 })
})

t.test('naive broker - queues go when unused: auto-delete, expiry, delete', async (t) => {
  const { made, channel, publish } = broker({ autoDelete: true })
  made.declareQueue(channel, 'brief', { expiresMs: 100 })
  made.topology.declare('x', { type: 'fanout', autoDelete: true })
  made.bindQueue(channel, 'q', 'x')
  made.consume(channel, 1, 'q')
  made.consume(channel, 2, 'q')
  publish(1)
  made.dispatch()
  made.cancel(channel, 1)
  t.match(made.checkQueue(channel, 'q'), { consumerCount: 1 })
  made.cancel(channel, 2)
  t.same(made.checkQueue(channel, 'q'), { error: 'notFound' })
  t.same(made.topology.check('x'), { error: 'notFound' }, 'the exchange went with its last binding')
  t.same(made.settle(channel, 1, 1, 'requeue'), {}, 'what it held can be settled without effect')
  made.advance(60)
  made.declareQueue(channel, 'brief', { expiresMs: 100 })
  made.advance(159)
  t.match(made.checkQueue(channel, 'brief'), { queue: 'brief' })
  made.consume(channel, 3, 'brief')
  made.advance(1_000)
  t.match(made.checkQueue(channel, 'brief'), { queue: 'brief' })
  t.same(made.deleteQueue(channel, 'brief', { ifUnused: true }), { error: 'preconditionFailed' })
  t.same(made.deleteQueue(channel, 'brief'), { deleted: true, messageCount: 0 })
  t.same(made.takeEvents(), [{ event: 'cancelled', channel, consumer: 3, reason: 'queue-deleted' }])
  t.same(made.deleteQueue(channel, 'brief'), { deleted: false, messageCount: 0 })
})

t.test('naive broker - deliveries that are not allowed are caught', async (t) => {
  const { made, channel, publish } = broker()
  publish(3)
  made.consume(channel, 1, 'q', { prefetch: 2 })
  made.consume(channel, 2, 'q', { priority: 1, prefetch: 1 })
  t.throws(() => made.delivered({ channel, consumer: 1 }), /another comes first/)
  t.throws(() => made.delivered({ channel, consumer: 9 }), /no consumer 9/)
  made.delivered({ channel, consumer: 2, messageId: 1, redelivered: false, tag: 1 })
  t.same(made.owed(), [{ queue: 'q', messageId: 2, consumers: [{ channel, id: 1 }] }])
  made.delivered({ channel, consumer: 1, messageId: 2 })
  made.delivered({ channel, consumer: 1, messageId: 3 })
  t.same(made.owed(), [])
  publish(1)
  t.throws(() => made.delivered({ channel, consumer: 1 }), /no room/)
  for (const wrong of [
    { messageId: 2 },
    { redelivered: true },
    { deliveryCount: 2 },
    { failureCount: 1 },
    { tag: 9 },
    { queue: 'other' },
  ]) {
    const again = broker()
    again.publish(1)
    again.made.consume(again.channel, 1, 'q')
    t.throws(() => again.made.delivered({ channel: again.channel, consumer: 1, ...wrong }), JSON.stringify(wrong))
  }
})

t.test('naive broker - nothing is lost, doubled or left waiting under random commands', async (t) => {
  await forSeeds(t, 40, (random) => {
    const { made, channel, publish } = broker()
    made.declareQueue(channel, 'p')
    made.topology.declare('both', { type: 'fanout' })
    for (const name of ['p', 'q']) made.bindQueue(channel, name, 'both')
    let published = 0
    let ended = 0
    for (let step = 0; step < 300; step++) {
      const { deliveries } = made.channels[0]!
      const settle = () => {
        const [first, count, outcome] = [
          1 + random.below(deliveries.length),
          1 + random.below(3),
          random.pick(['ack', 'requeue', 'retry', 'reject'] as const),
        ]
        const open = deliveries.slice(first - 1, first - 1 + count).filter((delivery) => !delivery.settled).length
        const isKnown = !('error' in made.settle(channel, first, count, outcome, random.below(100)))
        if (isKnown && (outcome === 'ack' || outcome === 'reject')) ended += open
      }
      const commands = [
        () => {
          published += publish(2).length
        },
        () => {
          published += 2 * made.publish([{ exchange: 'both', key: '', size: random.below(300) }]).length
        },
        () => made.consume(channel, 1 + random.below(5), random.pick(['p', 'q']), { prefetch: random.below(4), priority: random.below(2) }),
        () => made.cancel(channel, 1 + random.below(5)),
        () => made.window(channel, 1 + random.below(5), random.below(5), random.below(400)),
        () => made.get(channel, 6, random.pick(['p', 'q']), { waitMs: random.below(50) }),
        settle,
        () => made.advance(made.now + random.below(60)),
      ]
      random.pick(commands)()
      made.dispatch()
      made.invariants()
      assert.deepEqual(made.owed(), [])
      const kept = made.queues.reduce((sum, queue) => sum + queue.entries.length, 0)
      assert.equal(kept, published - ended)
    }
    assert(ended > 0)
  })
})
