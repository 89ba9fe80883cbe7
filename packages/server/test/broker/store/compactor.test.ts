import { Outcome } from '@waybill/protocol'
import t from 'tap'
import { BrokerRecorder, type Delivery } from '../recorder.js'

const body = 'x'.repeat(1_000)

/** Publishes, and settles all but every `keep`th. */
function fill(recorder: BrokerRecorder, count: number, keep: number): Delivery[] {
  const kept: Delivery[] = []
  for (let i = 0; i < count; i++) {
    recorder.publish('', 'q', `${i} ${body}`)
    if (i % 500 !== 499) continue
    for (const delivery of recorder.turn()) {
      if ((delivery.id - 1) % keep === 0) kept.push(delivery)
      else recorder.settle(delivery, Outcome.ack)
    }
  }
  return kept
}

t.test('compactor - a few messages that nobody settles do not hold the memory of those that are gone', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('q')
  const consumer = recorder.consume('q', { prefetch: 1_000_000, prefetchSize: 2 ** 32 })
  const kept = fill(recorder, 100_000, 1_000)
  t.equal(kept.length, 100)
  for (let i = 0; i < 20; i++) recorder.turn(1_000)
  const { slabs } = recorder.broker
  t.ok(slabs.usedSize < 40 * 2 ** 20, `${slabs.usedSize} bytes for 100 messages`)
  t.ok(recorder.broker.compactor.movedCount > 0)

  for (const delivery of kept) recorder.settle(delivery, Outcome.requeue)
  const again = recorder.turn()
  t.same(
    again.map(({ id, body }) => `${id} ${body}`),
    kept.map(({ id, body }) => `${id} ${body}`),
    'what was moved is what it was',
  )
  for (const delivery of again) recorder.settle(delivery, Outcome.ack)
  recorder.broker.cancel(consumer)
  recorder.turn()
})

t.test('compactor - leaves dense memory alone', async (t) => {
  const recorder = new BrokerRecorder()
  recorder.queue('q')
  for (let i = 0; i < 50_000; i++) recorder.publish('', 'q', body)
  for (let i = 0; i < 5; i++) recorder.turn(1_000)
  t.equal(recorder.broker.compactor.movedCount, 0)
})
