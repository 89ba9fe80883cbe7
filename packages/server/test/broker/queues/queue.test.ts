import { Outcome } from '@waybill/protocol'
import t from 'tap'
import { Refusal } from '../../../dist/broker/refusal.js'
import * as topology from '../../../dist/broker/topology.js'
import { BrokerRecorder } from '../recorder.js'

const options = { durable: false, exclusive: false, autoDelete: false }

/** A broker with queue `q` that holds these messages. */
function withMessages(...bodies: string[]): BrokerRecorder {
  const recorder = new BrokerRecorder()
  recorder.queue('q')
  for (const body of bodies) recorder.publish('', 'q', body)
  return recorder
}

t.test('queue - messages are delivered in the order they were published', async (t) => {
  const recorder = withMessages('a', 'b', 'c')
  recorder.consume('q')
  t.same(recorder.bodies(), ['a', 'b', 'c'])
  t.same(recorder.bodies(), [], 'once')
})

t.test('queue - a consumer has no more unsettled messages than its window', async (t) => {
  const recorder = withMessages('a', 'b', 'c')
  recorder.consume('q', { prefetch: 2 })
  const [first] = recorder.turn()
  t.equal(recorder.deliveries.length, 2)
  recorder.settle(first!, Outcome.ack)
  t.same(recorder.bodies(), ['c'], 'a settled delivery returns its credit')
})

t.test('queue - the window counts bytes too, and one message may exceed them', async (t) => {
  const recorder = withMessages('x'.repeat(500), 'y'.repeat(500))
  recorder.consume('q', { prefetchSize: 100 })
  const [first] = recorder.turn()
  t.equal(recorder.deliveries.length, 1)
  recorder.settle(first!, Outcome.ack)
  t.equal(recorder.turn().length, 1)
})

t.test('queue - a prefetch of 0 pauses', async (t) => {
  const recorder = withMessages('a')
  const consumer = recorder.consume('q', { prefetch: 0 })
  t.same(recorder.bodies(), [])
  consumer.prefetch = 1
  consumer.queue.wake()
  t.same(recorder.bodies(), ['a'])
})

t.test('queue - requeue puts a message back in its place at once, as redelivered and not as failed', async (t) => {
  const recorder = withMessages('a', 'b', 'c')
  recorder.consume('q', { prefetch: 2 })
  const [a, b] = recorder.turn()
  t.match(a, { deliveryCount: 1, failureCount: 0, redelivered: false })
  recorder.settle(a!, Outcome.requeue)
  const [again] = recorder.turn()
  t.match(again, { body: 'a', id: a!.id, deliveryCount: 2, failureCount: 0, redelivered: true })
  recorder.settle(b!, Outcome.ack)
  t.same(recorder.bodies(), ['c'])
})

t.test('queue - retry comes back after 1 s, 2 s, 4 s … 60 s', async (t) => {
  const recorder = withMessages('a')
  recorder.consume('q')
  let [delivery] = recorder.turn()
  for (const [failures, ms] of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].entries()) {
    recorder.settle(delivery!, Outcome.retry)
    t.same(recorder.bodies(ms - 1), [], `not before ${ms} ms`)
    ;[delivery] = recorder.turn(1)
    t.match(delivery, { body: 'a', failureCount: failures + 1, redelivered: true })
  }
})

t.test('queue - retry takes the delay that it is given', async (t) => {
  const recorder = withMessages('a')
  recorder.consume('q')
  const [delivery] = recorder.turn()
  recorder.settle(delivery!, Outcome.retry, 50)
  t.same(recorder.bodies(49), [])
  t.same(recorder.bodies(1), ['a'])
})

t.test('queue - a message that waits for its retry does not hold up those behind it', async (t) => {
  const recorder = withMessages('a', 'b')
  recorder.consume('q', { prefetch: 1 })
  const [a] = recorder.turn()
  recorder.settle(a!, Outcome.retry)
  t.same(recorder.bodies(), ['b'])
})

t.test('queue - reject drops and counts', async (t) => {
  const recorder = withMessages('a')
  recorder.consume('q')
  const [a] = recorder.turn()
  recorder.settle(a!, Outcome.reject)
  const queue = recorder.host.queue('q')!
  t.match(queue.counters, { rejected: 1, acked: 0 })
  t.equal(queue.liveCount, 0)
})

t.test('queue - in mode none a message is gone when it is sent, and settling returns the window', async (t) => {
  const recorder = withMessages('a', 'b')
  const consumer = recorder.consume('q', { ack: 'none', prefetch: 1 })
  const [a] = recorder.turn()
  t.equal(recorder.host.queue('q')!.liveCount, 1)
  t.equal(consumer.unsettledCount, 1)
  recorder.settle(a!, Outcome.requeue)
  t.same(recorder.bodies(), ['b'], 'whatever the outcome says, it does not come back')
})

t.test('queue - consumers of equal priority take turns; a few messages are shared one by one', async (t) => {
  const recorder = withMessages('a', 'b', 'c', 'd')
  recorder.consume('q', { id: 1 })
  recorder.consume('q', { id: 2 })
  t.same(
    recorder.turn().map(({ consumer }) => consumer.id),
    [1, 2, 1, 2],
  )
})

t.test('queue - much is shared in portions, evenly', async (t) => {
  const recorder = withMessages(...Array.from({ length: 3_000 }, (_, i) => String(i)))
  for (const id of [1, 2, 3]) recorder.consume('q', { id, prefetch: 10_000 })
  const counts = [0, 0, 0]
  for (const { consumer } of recorder.turn()) counts[consumer.id - 1]!++
  t.ok(Math.max(...counts) - Math.min(...counts) <= 64, counts.join(' '))
})

t.test('queue - a higher priority is served as long as it has credit', async (t) => {
  const recorder = withMessages('a', 'b', 'c')
  recorder.consume('q', { id: 1, priority: 0 })
  recorder.consume('q', { id: 2, priority: 9, prefetch: 2 })
  t.same(
    recorder.turn().map(({ consumer }) => consumer.id),
    [2, 2, 1],
  )
})

t.test('queue - a higher priority that has no room for a large message gets the small one behind it', async (t) => {
  const recorder = withMessages('a', 'x'.repeat(1_000), 'b')
  recorder.consume('q', { id: 1, priority: 0 })
  recorder.consume('q', { id: 2, priority: 9, prefetchSize: 300 })
  t.same(
    recorder.turn().map(({ consumer }) => consumer.id),
    [2, 1, 2],
  )
})

t.test('queue - an exclusive consumer is alone', async (t) => {
  const recorder = withMessages()
  recorder.consume('q', { id: 1, exclusive: true })
  const second = recorder.tryConsume('q', { id: 2 })
  t.ok(second instanceof Refusal && second.name === 'resourceLocked')
  recorder.queue('shared')
  recorder.consume('shared', { id: 3 })
  const third = recorder.tryConsume('shared', { id: 4, exclusive: true })
  t.ok(third instanceof Refusal && third.name === 'resourceLocked')
})

t.test('queue - a cancelled consumer gets nothing more and may still settle', async (t) => {
  const recorder = withMessages('a', 'b')
  const consumer = recorder.consume('q', { prefetch: 1 })
  const [a] = recorder.turn()
  recorder.broker.cancel(consumer)
  recorder.settle(a!, Outcome.ack)
  t.same(recorder.bodies(), [])
  t.match(recorder.host.queue('q')!.counters, { acked: 1 })
})

t.test('queue - a get takes one message and is over', async (t) => {
  const recorder = withMessages('a', 'b')
  recorder.consume('q', { id: 5, once: true, prefetch: 1 })
  t.same(recorder.bodies(), ['a'])
  t.same(recorder.gets, ['5 true'])
  t.equal(recorder.host.queue('q')!.consumers.size, 0)
})

t.test('queue - purge drops what is ready or waits for its retry, not what is unsettled', async (t) => {
  const recorder = withMessages('a', 'b', 'c')
  recorder.consume('q', { prefetch: 2 })
  const [a, b] = recorder.turn()
  const queue = recorder.host.queue('q')!
  recorder.settle(a!, Outcome.retry)
  recorder.broker.cancel(a!.consumer)
  t.equal(queue.purge(), 2)
  t.same(recorder.bodies(120_000), [], 'its time comes and nothing happens')
  recorder.settle(b!, Outcome.requeue)
  t.equal(queue.readyCount, 1)
  recorder.broker.invariants()
})

t.test('queue - deleting it tells its consumers and frees its memory; late settlements do nothing', async (t) => {
  const recorder = withMessages('a', 'b', 'c')
  recorder.consume('q', { id: 3, prefetch: 2 })
  const [a, b] = recorder.turn()
  recorder.settle(b!, Outcome.retry)
  t.equal(recorder.broker.dropQueue(recorder.host.queue('q')!), 1)
  t.same(recorder.endings, ['3 queue-deleted'])
  recorder.settle(a!, Outcome.ack)
  t.same(recorder.bodies(120_000), [])
  t.equal(recorder.host.queue('q'), undefined)
})

t.test('queue - auto-delete goes with its last consumer, not before its first', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('q', { autoDelete: true })
  const [one, two] = [recorder.consume('q', { id: 1 }), recorder.consume('q', { id: 2 })]
  recorder.broker.cancel(one)
  t.ok(recorder.host.queue('q'))
  recorder.broker.cancel(two)
  t.notOk(recorder.host.queue('q'))
})

t.test('queue - expires after its time without use; a consumer, a get or a declare is a use', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('q', { expiresMs: 1_000 })
  recorder.turn(900)
  topology.declareQueue(recorder.broker, recorder.asker, 'q', { ...options, expiresMs: 1_000 })
  recorder.turn(900)
  t.ok(recorder.host.queue('q'), 'declaring was a use')
  const consumer = recorder.consume('q')
  recorder.turn(5_000)
  t.ok(recorder.host.queue('q'), 'it has a consumer')
  recorder.broker.cancel(consumer)
  recorder.turn(999)
  t.ok(recorder.host.queue('q'))
  recorder.turn(1_001)
  t.notOk(recorder.host.queue('q'))
})

t.test('queue - a GET is no consumer: it keeps no auto-delete queue, and its end is a use', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('q', { autoDelete: true })
  const consumer = recorder.consume('q', { id: 1 })
  recorder.consume('q', { id: 2, once: true })
  recorder.broker.cancel(consumer)
  t.notOk(recorder.host.queue('q'))
  t.same(recorder.gets, ['2 false'])
  recorder.queue('r', { expiresMs: 1_000 })
  const get = recorder.consume('r', { id: 3, once: true })
  recorder.turn(5_000)
  recorder.broker.cancel(get)
  recorder.turn(999)
  t.ok(recorder.host.queue('r'))
  recorder.turn(1_001)
  t.notOk(recorder.host.queue('r'))
})

t.test('queue - a window of 0 bytes pauses', async (t) => {
  const recorder = withMessages('a')
  recorder.consume('q', { prefetchSize: 0 })
  t.same(recorder.bodies(), [])
})

t.test('queue - an exclusive queue is for its connection alone and goes with it', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('mine', { exclusive: true }, 7)
  recorder.queue('theirs', { exclusive: true }, 8)
  t.ok(recorder.tryConsume('theirs') instanceof Refusal)
  recorder.broker.connectionClosed(8)
  t.notOk(recorder.host.queue('theirs'))
  t.ok(recorder.host.queue('mine'))
})
