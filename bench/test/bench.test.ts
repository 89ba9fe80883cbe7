/** Every workload, for a fraction of a second: the figures mean nothing, the sums do. */
import t from 'tap'
import { loadPeer, type PeerName } from '../dist/peers/index.js'
import { measure, unsupported, wrongSum } from '../dist/run.js'
import { quickTiming, type Workload, workloads } from '../dist/workloads.js'

for (const workload of workloads) {
  t.test(`bench - ${workload.name}: what Waybill delivers is what was published`, async (t) => {
    const measurement = await measure('waybill', workload, 1, quickTiming)
    t.equal(measurement.failure, undefined)
    const sums = measurement.sums
    if (sums === undefined) return t.fail('there are no sums')
    t.ok(sums.published > 0)
    t.equal(sums.delivered, sums.expected)
    t.ok(sums.sumsAgree)
  })
}

t.test('bench - deliveries that are missing, damaged, out of order or others than were published fail a run', async (t) => {
  const right = { published: 5, expected: 10, delivered: 10, sumsAgree: true, damaged: 0, disordered: 0 }
  t.equal(wrongSum(right), undefined)
  t.equal(wrongSum({ ...right, delivered: 9 }), '10 deliveries expected, 9 came')
  t.equal(wrongSum({ ...right, delivered: 11 }), '10 deliveries expected, 11 came')
  t.equal(wrongSum({ ...right, damaged: 1 }), '1 damaged bodies')
  t.equal(wrongSum({ ...right, disordered: 2 }), '2 deliveries out of order')
  t.equal(wrongSum({ ...right, sumsAgree: false }), 'the sum over the bodies received is not that over the bodies sent')
  t.equal(wrongSum({ ...right, left: 0 }), undefined)
  t.equal(wrongSum({ ...right, left: 3 }), '3 messages are still in the queue, though each was acknowledged')
})

t.test('bench - a peer takes part in durable workloads when it keeps messages, in transient ones when it is set up for them', async (t) => {
  const [transient, durable] = [workloads[0] as Workload, workloads.find((workload) => workload.durable) as Workload]
  const takesPart = async (name: PeerName) => {
    const peer = await loadPeer(name)
    return [transient, durable].map((workload) => unsupported(peer, workload) === undefined)
  }
  t.same(await takesPart('waybill'), [true, true])
  t.same(await takesPart('nats'), [true, false])
  t.same(await takesPart('jetstream'), [false, true])
  t.same(await takesPart('rabbitmq'), [true, true])
  t.same(await takesPart('redis-always'), [false, true])
})

t.test('bench - a workload that cannot be done is a failure with a reason, not a figure', async (t) => {
  const impossible = { ...(workloads[0] as Workload), bodySize: 8 } as Workload
  const measurement = await measure('waybill', impossible, 1, quickTiming)
  t.match(measurement.failure, /a body has at least 16 bytes/)
  t.equal(measurement.deliveredPerSecond, undefined)
})
