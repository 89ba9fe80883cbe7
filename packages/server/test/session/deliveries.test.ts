import t from 'tap'
import { Meta } from '../../dist/broker/queues/page.js'
import { Deliveries } from '../../dist/session/deliveries.js'
import { bodiesOf } from '../stage/peer.js'
import { framesOf, storeRecord, wire } from '../stage/wire.js'

interface Delivery {
  readonly consumer?: number
  readonly channel?: number
  readonly tag: number
  readonly id: number
  readonly meta?: number
  readonly text?: string
}

/** Delivers records that lie one behind the other in a slab; returns the frames. */
function deliver(each: readonly Delivery[]) {
  const { slabs, transport, output } = wire()
  const deliveries = new Deliveries()
  for (const { channel = 1, consumer = 1, tag, id, meta = 1, text = 'x' } of each) {
    const { slab, offset, size } = storeRecord(slabs, text)
    deliveries.add(slabs, channel, consumer, tag, 1, slab, offset, size, id, meta)
  }
  output.begin(transport, deliveries.pinned)
  deliveries.write(slabs, output)
  output.end()
  return { frames: framesOf(transport), deliveries, slabs }
}

t.test('deliveries - neighbours in slab, tag and id are one run', async (t) => {
  const { frames, deliveries } = deliver([
    { tag: 1, id: 7, text: 'a' },
    { tag: 2, id: 8, text: 'b' },
    { tag: 3, id: 9, text: 'c' },
  ])
  t.match(frames, [
    { type: 'DELIVER', channel: 1, consumer: 1, firstTag: 1, firstMessageId: 7, flags: [], deliveryCount: 1, failureCount: 0 },
  ])
  t.same(bodiesOf(frames), ['a', 'b', 'c'])
  t.equal(deliveries.count, 0)
  t.equal(deliveries.size, 0)
})

t.test('deliveries - a run ends where tag, id, consumer, channel or counts do not go on', async (t) => {
  const breaks: Delivery[] = [
    { tag: 3, id: 8 },
    { tag: 2, id: 9 },
    { tag: 2, id: 8, consumer: 2 },
    { tag: 2, id: 8, channel: 2 },
    { tag: 2, id: 8, meta: 2 | Meta.redelivered },
    { tag: 2, id: 8, meta: 1 | (1 << Meta.failureShift) | Meta.redelivered },
  ]
  for (const second of breaks) {
    const { frames } = deliver([{ tag: 1, id: 7 }, second])
    t.equal(frames.length, 2, JSON.stringify(second))
  }
})

t.test('deliveries - flags of the index that no consumer sees do not end a run', async (t) => {
  const { frames } = deliver([
    { tag: 1, id: 7, meta: 1 | Meta.persistent },
    { tag: 2, id: 8, meta: 1 },
  ])
  t.equal(frames.length, 1)
})

t.test('deliveries - counts are told when they are not those of a first delivery', async (t) => {
  const { frames } = deliver([{ tag: 1, id: 7, meta: 3 | (2 << Meta.failureShift) | Meta.redelivered }])
  t.match(frames, [{ flags: ['REDELIVERED', 'COUNTS'], deliveryCount: 3, failureCount: 2 }])
})

t.test('deliveries - a gap in the slab ends a run, and so does its size', async (t) => {
  const { slabs, transport, output } = wire()
  const deliveries = new Deliveries()
  const records = ['a', 'b', 'c'].map((text) => storeRecord(slabs, text))
  for (const [i, index] of [0, 2].entries()) {
    const { slab, offset, size } = records[index]!
    deliveries.add(slabs, 1, 1, 1 + i, 1, slab, offset, size, 1 + i, 1)
  }
  for (let i = 0; i < 20; i++) {
    const { slab, offset, size } = storeRecord(slabs, Buffer.alloc(10_000))
    deliveries.add(slabs, 1, 1, 3 + i, 1, slab, offset, size, 3 + i, 1)
  }
  output.begin(transport, deliveries.pinned)
  deliveries.write(slabs, output)
  output.end()
  const frames = framesOf(transport)
  t.same(
    frames.map(({ records }) => (records as unknown[]).length),
    [1, 14, 7],
    'runs of 128 KiB at most',
  )
})

t.test('deliveries - what a write reads from is pinned until somebody lets it go', async (t) => {
  const { slabs } = wire()
  const deliveries = new Deliveries()
  const { slab, offset, size } = storeRecord(slabs, Buffer.alloc(300_000))
  deliveries.add(slabs, 1, 1, 1, 1, slab, offset, size, 1, 1)
  slabs.release(slab, size)
  t.ok(slabs.buffer(slab), 'nobody refers to it, but it is going to be sent')
  deliveries.drop(slabs)
  t.equal(slabs.buffer(slab), undefined)
  t.same(deliveries.pinned, [])
  slabs.invariants()
})
