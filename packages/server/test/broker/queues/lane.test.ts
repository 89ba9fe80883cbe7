import assert from 'node:assert'
import t from 'tap'
import { Lane } from '../../../dist/broker/queues/lane.js'
import { PagePool, pageSize } from '../../../dist/broker/queues/page.js'
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
