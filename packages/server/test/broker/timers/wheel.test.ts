import assert from 'node:assert'
import t from 'tap'
import { TimerWheel } from '../../../dist/broker/timers/wheel.js'
import { forSeeds, Random } from '../../seeds.js'

/** The same promises kept by sorted arrays. */
class Model {
  #waiting: { due: number; value: number }[] = []
  #late: number[] = []
  now = 0

  insert(due: number, value: number): void {
    if (due <= this.now) this.#late.push(value)
    else {
      const at = this.#waiting.findIndex((other) => other.due > due)
      this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { due, value })
    }
  }

  cancel(value: number): void {
    this.#late = this.#late.filter((other) => other !== value)
    this.#waiting = this.#waiting.filter((other) => other.value !== value)
  }

  advance(now: number, due: (value: number) => void): void {
    const target = Math.max(this.now, now)
    for (const value of this.#late.splice(0)) due(value)
    while (this.#waiting.length > 0 && this.#waiting[0]!.due <= target) {
      const timer = this.#waiting.shift()!
      this.now = timer.due
      due(timer.value)
    }
    this.now = target
  }

  get values(): number[] {
    return [...this.#late, ...this.#waiting.map((timer) => timer.value)]
  }

  get first(): number {
    return this.#late.length > 0 ? this.now : (this.#waiting[0]?.due ?? Infinity)
  }
}

const year = 365 * 24 * 3_600_000

function handedOut(wheel: TimerWheel<string>, now: number): string[] {
  const out: string[] = []
  wheel.advance(now, { due: (owner, value) => out.push(`${owner}${value}`) })
  wheel.invariants()
  return out
}

t.test('wheel - a timer is due at its millisecond, not before, and once', async (t) => {
  const wheel = new TimerWheel<string>()
  wheel.insert(1_000, 'a', 7)
  t.same(handedOut(wheel, 999), [])
  t.same(handedOut(wheel, 1_000), ['a7'])
  t.same(handedOut(wheel, 1_000_000), [])
  t.equal(wheel.size, 0)
  t.equal(wheel.nextDeadline(), Infinity)
})

t.test('wheel - timers of the same millisecond come in the order they were inserted, however far ahead that was', async (t) => {
  const wheel = new TimerWheel<string>()
  wheel.insert(70_000, 'a', 1)
  handedOut(wheel, 69_000)
  wheel.insert(70_000, 'b', 2)
  handedOut(wheel, 69_999)
  wheel.insert(70_000, 'c', 3)
  t.same(handedOut(wheel, 70_000), ['a1', 'b2', 'c3'])
})

t.test('wheel - a due time that has passed is due at once, a fraction is due when its millisecond is over', async (t) => {
  const wheel = new TimerWheel<string>(50.5)
  wheel.insert(10, 'late', 1)
  t.equal(wheel.nextDeadline(), 50)
  wheel.insert(51.25, 'fraction', 2)
  t.same(handedOut(wheel, 51.9), ['late1'])
  t.same(handedOut(wheel, 52), ['fraction2'])
})

t.test('wheel - years away is held, and for ever too', async (t) => {
  const wheel = new TimerWheel<string>(1_800_000_000_000)
  wheel.insert(1_800_000_000_000 + 300 * year, 'far', 1)
  wheel.insert(Infinity, 'never', 2)
  wheel.insert(Number.MAX_SAFE_INTEGER - 1, 'last', 3)
  t.same(handedOut(wheel, 1_800_000_000_000 + 299 * year), [])
  t.same(handedOut(wheel, 1_800_000_000_000 + 301 * year), ['far1'])
  t.same(handedOut(wheel, Number.MAX_SAFE_INTEGER - 1), ['last3'])
  t.equal(wheel.size, 1)
  t.throws(() => wheel.insert(Number.NaN, 'when', 1), /due time/)
})

t.test('wheel - a jump over everything hands out in order of due time', async (t) => {
  const wheel = new TimerWheel<string>()
  const dues = [5, 3 * year, 256, 65_536, 255, 16_777_216, 1, 90_000, 4_294_967_296, 65_535]
  for (const due of dues) wheel.insert(due, '', due)
  t.same(
    handedOut(wheel, 10 * year).map(Number),
    [...dues].sort((a, b) => a - b),
  )
})

t.test('wheel - a cancelled timer is not due, and its number cannot be cancelled again', async (t) => {
  const wheel = new TimerWheel<string>()
  const a = wheel.insert(100, 'a', 1)
  wheel.insert(100, 'b', 2)
  t.ok(a > 0)
  wheel.cancel(a)
  wheel.invariants()
  t.throws(() => wheel.cancel(a), /not waiting/)
  t.throws(() => wheel.cancel(0), /not waiting/)
  t.same(handedOut(wheel, 100), ['b2'])
})

t.test('wheel - the sink may cancel what is due in the same millisecond', async (t) => {
  const wheel = new TimerWheel<string>()
  const ids = [1, 2, 3].map((value) => wheel.insert(10, 'x', value))
  const out: number[] = []
  wheel.advance(10, {
    due: (_, value) => {
      out.push(value)
      if (value === 1) wheel.cancel(ids[1]!)
    },
  })
  t.same(out, [1, 3])
  t.equal(wheel.size, 0)
})

t.test('wheel - a sink that always asks for now does not hold the turn', async (t) => {
  const wheel = new TimerWheel<string>()
  wheel.insert(10, 'again', 0)
  let count = 0
  const sink = {
    due: (owner: string, value: number) => {
      count++
      wheel.insert(10, owner, value)
    },
  }
  wheel.advance(10, sink)
  t.equal(count, 1)
  t.equal(wheel.nextDeadline(), 10)
  wheel.advance(10, sink)
  t.equal(count, 2)
  t.throws(() => wheel.advance(11, { due: () => wheel.advance(12, sink) }), /cannot advance/)
})

t.test('wheel - the next deadline is never late, and going to it again and again gets to every timer', async (t) => {
  await forSeeds(t, 50, (random) => {
    const wheel = new TimerWheel<string>()
    const waiting = Array.from({ length: 20 }, () => Math.floor(10 ** (random.next() * 13)))
    for (const due of waiting) wheel.insert(due, '', due)
    waiting.sort((a, b) => a - b)
    for (let step = 0; wheel.size > 0; step++) {
      assert(step < 20 * 7, 'every call makes progress')
      const deadline = wheel.nextDeadline()
      assert(deadline <= waiting[0]!)
      for (const due of handedOut(wheel, deadline).map(Number)) assert.equal(due, waiting.shift())
    }
    assert.equal(waiting.length, 0)
  })
})

t.test('wheel - random inserts, cancels and jumps give what a sorted array gives', async (t) => {
  await forSeeds(t, 100, (random) => {
    const start = random.chance(0.5) ? 0 : 1_800_000_000_000 + random.below(1_000_000)
    const wheel = new TimerWheel<Random>(start)
    const model = new Model()
    model.now = start
    const ids = new Map<number, number>()
    let values = 0
    const ahead = () => Math.floor(random.chance(0.1) ? -random.below(1_000) : 10 ** (random.next() * random.below(12)))
    const insert = (due: number) => {
      ids.set(values, wheel.insert(due, random, values))
      model.insert(due, values++)
    }
    const cancel = () => {
      if (model.values.length === 0) return
      const value = random.pick(model.values)
      wheel.cancel(ids.get(value)!)
      model.cancel(value)
    }
    for (let step = 0; step < 300; step++) {
      const kind = random.next()
      if (kind < 0.5) insert(model.now + ahead())
      else if (kind < 0.65) cancel()
      else {
        const to = random.chance(0.2) ? wheel.nextDeadline() : model.now + ahead()
        const now = to === Infinity ? model.now : to
        // What the sink does is decided by value, so that both sides do the same; the wheel's goes first and is noted down.
        const out: number[] = []
        const acts = new Map<number, () => void>()
        wheel.advance(now, {
          due: (owner, value) => {
            assert.equal(owner, random)
            out.push(value)
            if (random.chance(0.2)) {
              const next = values++
              const due = now + ahead()
              ids.set(next, wheel.insert(due, random, next))
              acts.set(value, () => model.insert(due, next))
            }
          },
        })
        const expected: number[] = []
        model.advance(now, (value) => {
          expected.push(value)
          acts.get(value)?.()
        })
        assert.deepEqual(out, expected)
      }
      assert.equal(wheel.size, model.values.length)
      assert(wheel.nextDeadline() <= model.first)
      wheel.invariants()
    }
  })
})

t.test('wheel - a hundred thousand timers are kept, and their room is used again', async (t) => {
  const wheel = new TimerWheel<null>()
  const random = new Random(1)
  const ids = Array.from({ length: 100_000 }, (_, i) => wheel.insert(1 + random.below(60_000), null, i))
  const most = Math.max(...ids.slice(0, 1_000))
  for (let i = 0; i < ids.length; i += 2) wheel.cancel(ids[i]!)
  const again = Array.from({ length: 50_000 }, (_, i) => wheel.insert(1 + random.below(60_000), null, i))
  t.ok(again.every((id) => id <= Math.max(most, 140_000)))
  let count = 0
  wheel.advance(60_000, { due: () => count++ })
  t.equal(count, 100_000)
})
