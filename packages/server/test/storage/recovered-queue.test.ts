import assert from 'node:assert'
import t from 'tap'
import { keptRunSizeMax } from '../../dist/broker/durable.js'
import { RecoveredQueue } from '../../dist/storage/recovered-queue.js'
import { forSeeds } from '../seeds.js'

function sizesOf(...sizes: number[]): Uint32Array {
  return Uint32Array.from(sizes)
}

t.test('recovered queue - messages of one publisher are one run a page, whatever other queues got in between', async (t) => {
  const queue = new RecoveredQueue()
  for (let id = 1; id <= 3_000; id += 2) queue.add(id, 1, sizesOf(20))
  t.same(queue.left(), [
    { count: 1_024, size: 20_480, ranges: Float64Array.of(1, 2_047) },
    { count: 476, size: 9_520, ranges: Float64Array.of(2_049, 2_999) },
  ])
})

t.test('recovered queue - a range that is gone may span pages of the tail', async (t) => {
  const queue = new RecoveredQueue()
  queue.add(1, 3_000, new Uint32Array(3_000).fill(20))
  t.ok(queue.gone(1_000, 2_500, 1_501, 30_020))
  t.same(queue.left(), [
    { count: 999, size: 19_980, ranges: Float64Array.of(1, 999) },
    { count: 500, size: 10_000, ranges: Float64Array.of(2_501, 3_000) },
  ])
})

t.test('recovered queue - few survivors of many pages become one run', async (t) => {
  const queue = new RecoveredQueue()
  queue.add(1, 5_000, new Uint32Array(5_000).fill(20))
  for (let page = 0; page < 5; page++) t.ok(queue.gone(page * 1_000 + 1, page * 1_000 + 999, 999, 999 * 20))
  t.same(queue.left(), [
    { count: 5, size: 100, ranges: Float64Array.of(1_000, 1_000, 2_000, 2_000, 3_000, 3_000, 4_000, 4_000, 5_000, 5_000) },
  ])
})

t.test('recovered queue - a run has no more bytes than may be read at once, but for a message that is larger itself', async (t) => {
  const queue = new RecoveredQueue()
  queue.add(1, 5, sizesOf(keptRunSizeMax - 10, 10, 10, keptRunSizeMax + 1, 10))
  t.same(
    queue.left().map(({ count, size }) => [count, size]),
    [
      [2, keptRunSizeMax],
      [1, 10],
      [1, keptRunSizeMax + 1],
      [1, 10],
    ],
  )
})

t.test('recovered queue - what is gone of a run of the snapshot makes it less by what the log says', async (t) => {
  const queue = new RecoveredQueue([
    { count: 10, size: 200, ranges: Float64Array.of(1, 100) },
    { count: 5, size: 50, ranges: Float64Array.of(101, 105) },
  ])
  queue.add(200, 3, sizesOf(7, 7, 8))
  t.ok(queue.gone(40, 60, 3, 66), 'in the middle')
  t.ok(queue.gone(103, 200, 4, 37), 'and from the last run into the tail')
  t.same(queue.left(), [
    { count: 7, size: 134, ranges: Float64Array.of(1, 39, 61, 100) },
    { count: 2, size: 20, ranges: Float64Array.of(101, 102) },
    { count: 2, size: 15, ranges: Float64Array.of(201, 202) },
  ])
  t.ok(queue.gone(1, 105, 9, 154), 'whole runs')
  t.same(
    queue.left().map(({ count }) => count),
    [2],
  )
})

t.test('recovered queue - more than it had cannot be gone', async (t) => {
  const queue = new RecoveredQueue([{ count: 2, size: 40, ranges: Float64Array.of(1, 100) }])
  t.notOk(queue.gone(50, 60, 3, 60), 'messages')
  t.notOk(queue.gone(50, 60, 1, 41), 'bytes')
  t.notOk(queue.gone(50, 50, 2, 30), 'ids')
  t.notOk(queue.gone(300, 310, 1, 20))
  t.same(queue.left(), [{ count: 2, size: 40, ranges: Float64Array.of(1, 100) }])
})

t.test('recovered queue - is a list of messages from which some are taken', async (t) => {
  await forSeeds(t, 200, (random) => {
    const queue = new RecoveredQueue()
    let list: { id: number; size: number }[] = []
    const all: number[] = []
    let nextId = 1
    for (let step = 0; step < 60; step++) {
      if (random.chance(0.5)) {
        nextId += random.below(3)
        const count = 1 + random.below(random.chance(0.2) ? 1_500 : 10)
        const isOneSize = random.chance(0.5)
        const sizes = Uint32Array.from({ length: count }, () => (isOneSize ? 20 : 16 + random.below(5)))
        queue.add(nextId, count, sizes)
        for (let i = 0; i < count; i++) {
          list.push({ id: nextId + i, size: sizes[i]! })
          all.push(nextId + i)
        }
        nextId += count
      } else if (list.length > 0) {
        const from = random.chance(0.5) ? 0 : random.below(list.length)
        const going = list.slice(from, from + 1 + random.below(random.chance(0.2) ? 2_000 : 5))
        const size = going.reduce((sum, message) => sum + message.size, 0)
        assert(queue.gone(going[0]!.id, going.at(-1)!.id, going.length, size))
        list = list.filter((message) => !going.includes(message))
      }
    }
    const left = queue.left()
    assert.equal(
      left.reduce((sum, { size }) => sum + size, 0),
      list.reduce((sum, { size }) => sum + size, 0),
    )
    const ids: number[] = []
    for (const { count, ranges } of left) {
      assert(count + ranges.length / 2 - 1 <= 1_024, 'it fits into a page')
      const before = ids.length
      for (let i = 0; i < ranges.length; i += 2) ids.push(...all.filter((id) => id >= ranges[i]! && id <= ranges[i + 1]!))
      assert.equal(ids.length - before, count)
    }
    assert.deepEqual(
      ids,
      list.map(({ id }) => id),
    )
  })
})
