import assert from 'node:assert'
import t from 'tap'
import type { KeptRun } from '../../dist/broker/durable.js'
import { IdIndex } from '../../dist/storage/id-index.js'
import { LiveRanges } from '../../dist/storage/live-ranges.js'
import { MovedIndex } from '../../dist/storage/moved-index.js'
import { measureLife } from '../../dist/storage/segment-life.js'
import { forSeeds } from '../seeds.js'

/** Segments of 1,000 positions each. */
const segmentOf = (position: number) => Math.floor(position / 1_000)

function segments(count: number) {
  return Array.from({ length: count }, (_, id) => ({ id, first: id * 1_000, last: id * 1_000 + 999, size: 1_000 }))
}

function run(count: number, size: number, ...ranges: number[]): KeptRun {
  return { count, size, ranges: Float64Array.from(ranges) }
}

t.test('live ranges - a message that several queues surely have counts once; where it is not sure, it counts for each', async (t) => {
  t.equal(new LiveRanges([run(10, 1_000, 1, 10), run(10, 1_000, 1, 10)]).size, 1_000)
  t.equal(new LiveRanges([run(10, 1_000, 1, 10), run(10, 1_000, 6, 15)]).size, 1_500)
  t.equal(new LiveRanges([run(2, 200, 1, 10), run(10, 1_000, 1, 10)]).size, 1_200, 'which two of the ten it has is not known')
  const ids = new LiveRanges([run(3, 30, 5, 6, 9, 9), run(2, 20, 7, 8), run(1, 10, 20, 20)]).union()
  t.same(
    Array.from({ length: 22 }, (_, id) => id).filter((id) => ids.has(id)),
    [5, 6, 7, 8, 9, 20],
  )
})

t.test('live ranges - they rise, whatever queues they are of', async (t) => {
  await forSeeds(t, 200, (random) => {
    const runs: KeptRun[] = []
    for (let queues = random.below(8); queues > 0; queues--) {
      let id = 1 + random.below(50)
      for (let pages = random.below(6); pages > 0; pages--) {
        const ranges: number[] = []
        for (let count = 1 + random.below(3); count > 0; count--) {
          ranges.push(id, id + random.below(10))
          id = ranges.at(-1)! + 2 + random.below(20)
        }
        runs.push(run(1, 100, ...ranges))
      }
    }
    const live = new LiveRanges(runs)
    const told: number[][] = []
    live.each((first, last) => told.push([first, last]))
    const expected = runs.flatMap(({ ranges }) => Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[i * 2]!, ranges[i * 2 + 1]!]))
    const byFirst = ([a]: number[], [b]: number[]) => a! - b!
    assert.deepEqual(
      told.map(([first]) => first),
      expected.sort(byFirst).map(([first]) => first),
    )
    const ids = live.union()
    for (let id = 0; id < 400; id++) {
      assert.equal(
        ids.has(id),
        expected.some(([first, last]) => first! <= id && id <= last!),
      )
    }
  })
})

t.test('segment life - what is where, by the first ids of segments and by what was moved', async (t) => {
  const index = new IdIndex()
  for (const [id, position] of [
    [1, 0],
    [101, 1_000],
    [201, 3_000],
  ] as const) {
    index.add(id, position, 100, segmentOf(position))
  }
  const moved = new MovedIndex()
  moved.add(150, 160, 4_100)
  const live = new LiveRanges([run(20, 200, 91, 110), run(11, 110, 150, 160)])
  const lives = measureLife(segments(6), live, { index, moved, segmentOf })
  t.same(
    lives.map(({ liveSize, isNeeded, isFirstHome }) => [liveSize, isNeeded, isFirstHome]),
    [
      [100, true, true],
      [100, true, true],
      [0, false, false],
      [0, false, true],
      [110, true, false],
      [0, false, false],
    ],
  )
})

t.test('segment life - a segment that a queue has a message in is needed, whatever has been moved and forgotten', async (t) => {
  await forSeeds(t, 300, (random, seed) => {
    const index = new IdIndex()
    const moved = new MovedIndex()
    const segmentCount = 3 + random.below(8)
    /** Where each message lies. */
    const homes = new Map<number, number>()
    let id = 1
    for (let position = 0; position < segmentCount * 1_000; position += 1 + random.below(300)) {
      if (random.chance(0.2)) continue
      const count = 1 + random.below(30)
      index.add(id, position, count * random.below(10_000), segmentOf(position))
      for (let i = 0; i < count; i++) homes.set(id + i, segmentOf(position))
      id += count + random.below(5)
    }
    const gone = new Set<number>()
    for (let moves = random.below(3); moves > 0; moves--) {
      const segment = random.below(segmentCount - 1)
      const ids = [...homes].filter(([, home]) => home === segment).map(([id]) => id)
      gone.add(segment)
      index.forget((position) => segmentOf(position) === segment)
      moved.forget((position) => segmentOf(position) === segment)
      while (ids.length > 0) {
        const block = ids.splice(0, 1 + random.below(20))
        moved.add(block[0]!, block.at(-1)!, (segmentCount - 1) * 1_000 + random.below(1_000))
        for (const id of block) homes.set(id, segmentCount - 1)
      }
    }
    const needed = new Set<number>()
    const runs: KeptRun[] = []
    for (let queues = 1 + random.below(4); queues > 0; queues--) {
      const ids = [...homes.keys()].filter(() => random.chance(0.1)).sort((a, b) => a - b)
      for (const id of ids) needed.add(homes.get(id)!)
      while (ids.length > 0) {
        const page = ids.splice(0, 1 + random.below(50))
        const ranges: number[] = []
        while (page.length > 0) {
          const range = page.splice(0, 1 + random.below(10))
          ranges.push(range[0]!, range.at(-1)!)
        }
        runs.push(run(1, 100, ...ranges))
      }
    }
    const there = segments(segmentCount).filter(({ id }) => !gone.has(id))
    const lives = measureLife(there, new LiveRanges(runs), { index, moved, segmentOf })
    for (const { segment, isNeeded } of lives) assert(isNeeded || !needed.has(segment.id), `seed ${seed}: segment ${segment.id}`)
  })
})
