import assert from 'node:assert'
import t from 'tap'
import type { ColdPage } from '../../../dist/broker/queues/cold-page.js'
import { isCold, Lane } from '../../../dist/broker/queues/lane.js'
import { Meta, PagePool, pageSize } from '../../../dist/broker/queues/page.js'
import { Slabs } from '../../../dist/broker/store/slabs.js'
import { forSeeds } from '../../seeds.js'

function laneWith(count: number): Lane {
  const lane = new Lane(new PagePool())
  for (let i = 0; i < count; i++) lane.push(0, i * 10, 10, i + 1, 0)
  return lane
}

function takeAll(lane: Lane): number[] {
  const places: number[] = []
  for (let place = lane.firstReady(); place >= 0; place = lane.firstReady()) {
    lane.takeFound(1, lane.found!.words[lane.foundIndex * 4 + 2]!)
    places.push(place)
  }
  return places
}

t.test('lane - places come out in the order they went in', async (t) => {
  const lane = laneWith(3 * pageSize)
  t.same(
    takeAll(lane),
    Array.from({ length: 3 * pageSize }, (_, i) => i),
  )
  t.equal(lane.readyCount, 0)
  t.equal(lane.liveCount, 3 * pageSize)
  lane.invariants()
})

/** All that can be seen of a lane from outside. */
function contentOf(lane: Lane): unknown {
  const messages: unknown[] = []
  for (let place = lane.seek(0); place >= 0; place = lane.seek(place + 1)) {
    const { words, ids, ready } = lane.page(place)!
    const index = place & (pageSize - 1)
    messages.push([place, ids[index], (ready[index >> 5]! >>> (index & 31)) & 1, ...words.subarray(index * 4, index * 4 + 4)])
  }
  const { readyCount, liveCount, readySize, liveSize, nextPlace } = lane
  return { messages, readyCount, liveCount, readySize, liveSize, nextPlace }
}

t.test('lane - a run that is pushed at once lies as if its messages had been pushed one by one', async (t) => {
  await forSeeds(t, 60, (random) => {
    const atOnce = new Lane(new PagePool())
    const oneByOne = new Lane(new PagePool())
    let id = 1
    for (let step = 0; step < 12; step++) {
      const isLarge = random.chance(0.2)
      const sizes = Uint32Array.from({ length: 1 + random.below(random.chance(0.3) ? 3_000 : 50) }, () =>
        isLarge && random.chance(0.3) ? 4_000 + random.below(500_000) : 1 + random.below(200),
      )
      const from = random.below(sizes.length)
      const offset = random.below(1_000)
      atOnce.pushRun(step, offset, sizes, from, sizes.length - from, id, Meta.persistent)
      for (let i = from, at = offset; i < sizes.length; at += sizes[i++]!) oneByOne.push(step, at, sizes[i]!, id++, Meta.persistent)
      assert.deepEqual(contentOf(atOnce), contentOf(oneByOne))
      atOnce.invariants()
      const isEmptied = random.chance(0.3)
      for (let left = random.below(600); isEmptied ? oneByOne.readyCount > 0 : left > 0 && oneByOne.readyCount > 0; left--) {
        const place = oneByOne.firstReady()
        const isPutBack = random.chance(0.3)
        for (const lane of [atOnce, oneByOne]) {
          lane.take(place)
          if (isPutBack) lane.putBack(place)
          else lane.remove(place)
        }
      }
      assert.deepEqual(contentOf(atOnce), contentOf(oneByOne))
    }
  })
})

t.test('lane - a run is taken and removed at once', async (t) => {
  for (const [from, count] of [
    [0, 32],
    [5, 3],
    [31, 2],
    [10, 200],
    [960, 64],
  ] as const) {
    const lane = laneWith(pageSize)
    for (let place = 0; place < from; place++) lane.take(place)
    lane.firstReady()
    lane.takeFound(count, count * 10)
    t.equal(lane.firstReady(), from + count < pageSize ? from + count : -1, `${count} from ${from}`)
    lane.invariants()
    lane.removeRun(from, count, count * 10)
    t.equal(lane.liveCount, pageSize - count)
    lane.invariants()
  }
})

t.test('lane - what is put back comes out where it was, before what is behind it', async (t) => {
  const lane = laneWith(2500)
  for (let i = 0; i < 2000; i++) lane.take(i)
  lane.putBack(1500)
  lane.putBack(3)
  t.equal(lane.firstReady(), 3)
  lane.take(3)
  t.equal(lane.firstReady(), 1500)
  lane.take(1500)
  t.equal(lane.firstReady(), 2000)
  lane.invariants()
})

t.test('lane - one place that stays keeps its page, not those behind it', async (t) => {
  const pool = new PagePool()
  const lane = new Lane(pool)
  for (let i = 0; i < 20 * pageSize; i++) lane.push(0, 0, 1, i, 0)
  const full = pool.usedSize
  for (const place of takeAll(lane)) if (place !== 5) lane.remove(place)
  t.equal(lane.liveCount, 1)
  t.ok(pool.usedSize <= full / 8, `${pool.usedSize} of ${full} bytes are left`)
  lane.putBack(5)
  t.equal(lane.firstReady(), 5)
  lane.invariants()
})

t.test('lane - a short queue stays in small pages however many messages pass', async (t) => {
  const pool = new PagePool()
  const lane = new Lane(pool)
  let most = 0
  for (let i = 0; i < 10_000; i++) {
    const place = lane.push(0, 0, 1, i, 0)
    lane.take(place)
    lane.remove(place)
    most = Math.max(most, pool.usedSize)
  }
  t.ok(most <= 2 * 64 * 24, `${most} bytes`)
  lane.invariants()
})

t.test('lane - seek finds each place that holds a message, ready or away', async (t) => {
  const lane = laneWith(1500)
  lane.take(0)
  lane.remove(0)
  lane.take(1200)
  const found: number[] = []
  for (let place = lane.seek(0); place >= 0; place = lane.seek(place + 1)) found.push(place)
  t.equal(found.length, 1499)
  t.equal(found[0], 1)
  t.ok(found.includes(1200))
  t.equal(lane.seek(1500), -1)
  t.notOk(lane.has(0))
  t.ok(lane.has(1200))
})

t.test('lane - agrees with a sorted list under random commands', async (t) => {
  await forSeeds(t, 10, (random) => {
    const lane = new Lane(new PagePool())
    const ready = new Set<number>()
    const away = new Set<number>()
    for (let step = 0; step < 5_000; step++) {
      const pushing = step % 2_000 < 1_000 ? 6 : 2
      const dice = random.below(10)
      if (dice < pushing) ready.add(lane.push(1, step, (step % 50) + 1, step, 0))
      else if (dice < pushing + 2 && ready.size > 0) {
        const place = lane.firstReady()
        if (step % 16 === 0) assert.equal(place, Math.min(...ready))
        lane.take(place)
        ready.delete(place)
        away.add(place)
      } else if (away.size > 0) {
        const place = [...away][random.below(away.size)]!
        away.delete(place)
        if (random.below(5) === 0) {
          lane.putBack(place)
          ready.add(place)
        } else lane.remove(place)
      }
      if (step % 500 === 0) lane.invariants()
    }
    assert.equal(lane.liveCount, ready.size + away.size)
    assert.deepEqual(
      takeAll(lane),
      [...ready].sort((a, b) => a - b),
    )
    lane.invariants()
  })
})

/** A lane whose messages can be read again: one byte each, whose id is ten times the place. */
function keptLane(size: number, isKept: (n: number) => boolean = () => true): { lane: Lane; slabs: Slabs; push(): number } {
  const lane = new Lane(new PagePool())
  const slabs = new Slabs()
  let count = 0
  const push = (): number => {
    slabs.append(Buffer.from('r'), 0, 1)
    slabs.retain(slabs.slab, 1)
    const place = lane.push(slabs.slab, slabs.offset, 1, 0, isKept(count++) ? Meta.persistent : 0)
    lane.page(place)!.ids[place % pageSize] = place * 10
    return place
  }
  while (count < size) push()
  return { lane, slabs, push }
}

/** Puts back what a cold page held, of those messages that `isThere`. */
function warm(lane: Lane, cold: ColdPage, slabs: Slabs, isThere: (place: number) => boolean): void {
  const page = lane.pageForCold(cold)
  let count = 0
  for (let range = 0; range < cold.ranges.length; range += 2) {
    for (let id = cold.ranges[range]!; id <= cold.ranges[range + 1]!; id += 10) {
      if (!isThere(id / 10)) continue
      slabs.append(Buffer.from('r'), 0, 1)
      slabs.retain(slabs.slab, 1)
      page.words.set([slabs.slab, slabs.offset, 1], count << 2)
      page.ids[count++] = id
    }
  }
  assert.equal(lane.warm(cold, page, count, count), cold.count - count)
}

t.test('lane - a cold page counts, and says that its messages have to be read first', async (t) => {
  const { lane, slabs } = keptLane(3 * pageSize)
  t.equal(lane.chill(1, 10, 10, Infinity, slabs), 2)
  lane.invariants()
  t.match(lane, { coldCount: 2, readyCount: 3 * pageSize, liveCount: 3 * pageSize, readySize: 3 * pageSize })
  lane.firstReady()
  lane.takeFound(pageSize, pageSize)
  t.equal(lane.firstReady(), isCold)
  const ahead: ColdPage[] = []
  lane.coldAhead(1, ahead)
  t.equal(ahead.length, 1, 'the first one however large')
  warm(lane, ahead[0]!, slabs, () => true)
  t.equal(lane.firstReady(), pageSize)
  t.same(
    [...lane.keptRuns()].map(({ count, size, ranges }) => [count, size, ...ranges]),
    [0, 1, 2].map((n) => [pageSize, pageSize, n * pageSize * 10, (n * pageSize + pageSize - 1) * 10]),
    'the same ranges hot and cold',
  )
  lane.invariants()
})

t.test('lane - what is missing of a cold page is counted no longer, and a page of which nothing is left is given back', async (t) => {
  const { lane, slabs } = keptLane(2 * pageSize)
  lane.chill(0, 10, 10, Infinity, slabs)
  const [first, second] = [lane.nextCold(0)!, lane.nextCold(1)!]
  warm(lane, first, slabs, (place) => place >= 1_000)
  warm(lane, second, slabs, () => false)
  lane.invariants()
  t.match(lane, { coldCount: 0, readyCount: 24, liveCount: 24, readySize: 24 })
  t.equal(takeAll(lane).length, 24)
})

t.test('lane - a page stays hot for what is not synced, mostly not kept, away, or has too many gaps', async (t) => {
  const { lane, slabs } = keptLane(6 * pageSize)
  for (let place = pageSize; place < 1.5 * pageSize + 1; place++) lane.page(place)!.words[(place % pageSize) * 4 + 3] = 0
  lane.take(2 * pageSize)
  lane.page(3 * pageSize)!.words[3] = Meta.persistent | 1
  for (let place = 4 * pageSize; place < 4 * pageSize + 260; place += 2) {
    lane.take(place)
    lane.remove(place)
  }
  t.equal(lane.chill(0, 10, 10, 5 * pageSize * 10 + 1, slabs), 1)
  t.equal(lane.nextCold(0)!.pageNumber, 0)
})

t.test('lane - what is not kept stays in memory and in its place when the page goes', async (t) => {
  const { lane, slabs } = keptLane(2 * pageSize)
  const mine = [0, 5, 6, 700, pageSize - 1]
  for (const place of mine) lane.page(place)!.words[place * 4 + 3] = 0
  t.equal(lane.chill(0, 1, 10, Infinity, slabs), 1, 'the other page goes first')
  t.equal(lane.chill(0, 1, 10, Infinity, slabs), 1)
  slabs.invariants()
  lane.invariants()
  const cold = lane.nextCold(0)!
  t.match(cold, { count: pageSize - mine.length, messageCount: pageSize })
  warm(lane, cold, slabs, (place) => !mine.includes(place))
  t.same(
    mine.map((place) => [lane.page(place)!.ids[place], lane.page(place)!.words[place * 4 + 3]]),
    mine.map((place) => [place * 10, 0]),
  )
  lane.invariants()
  lane.chill(0, 10, 10, Infinity, slabs)
  for (let n = 0; n < 2; n++) lane.forget(lane.nextCold(n)!, slabs)
  lane.invariants()
  slabs.invariants()
  t.equal(slabs.liveSize(slabs.slab), 0, 'nothing holds memory')
})

t.test('lane - agrees with a sorted list while pages leave and come back', async (t) => {
  await forSeeds(t, 10, (random) => {
    const transient = new Set<number>()
    const { lane, slabs, push } = keptLane(0, () => !random.chance(0.02))
    const ready = new Set<number>()
    const away = new Set<number>()
    const first = (): number => {
      for (;;) {
        const place = lane.firstReady()
        if (place !== isCold) return place
        warm(lane, lane.nextCold(lane.readyPage)!, slabs, (place) => ready.has(place) && !transient.has(place))
      }
    }
    for (let step = 0; step < 1_500; step++) {
      const dice = random.below(12)
      if (dice < (step % 600 < 400 ? 3 : 1)) {
        for (let i = random.below(700); i >= 0; i--) {
          const place = push()
          ready.add(place)
          if ((lane.page(place)!.words[(place % pageSize) * 4 + 3]! & Meta.persistent) === 0) transient.add(place)
        }
      } else if (dice < 7) {
        for (let i = random.below(300); i >= 0 && ready.size > 0; i--) {
          const place = first()
          assert(ready.delete(place), `place ${place}`)
          lane.take(place)
          away.add(place)
        }
      } else if (dice < 11) {
        for (const place of [...away].slice(0, random.below(300))) {
          away.delete(place)
          if (random.chance(0.02)) {
            lane.putBack(place)
            ready.add(place)
          } else {
            const { words } = lane.page(place)!
            slabs.release(words[(place % pageSize) * 4]!, 1)
            lane.remove(place)
          }
        }
      } else {
        if (random.chance(0.5)) lane.endPage(0)
        lane.chill(random.chance(0.5) ? 0 : lane.readyPage + 1, 5, 50, Infinity, slabs)
      }
      if (step % 20 === 0) {
        lane.invariants()
        slabs.invariants()
      }
      assert.equal(lane.liveCount, ready.size + away.size)
    }
    const rest: number[] = []
    for (let place = first(); place >= 0; place = first()) {
      lane.take(place)
      rest.push(place)
    }
    assert.deepEqual(
      rest,
      [...ready].sort((a, b) => a - b),
    )
  })
})
