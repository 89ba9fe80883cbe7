// Hot: every delay, lease and expiry is inserted and most are cancelled. Typed arrays only.
/**
 * Timers as a hierarchical timing wheel with ticks of 1 ms: a slot for each value of each byte of a time.
 *
 *     due        00 00 01 8f 3c 21 b7          level 0 │ │ │ │▪│ │ … 256 slots of 1 ms
 *     now        00 00 01 8f 3c 20 05          level 1 │ │▪│ │ │ │ … 256 slots of 256 ms
 *                               ▲              …
 *                 first byte that differs: 1   level 6 │ │ │ │ │ │ … so every safe integer has a slot
 *
 * A timer lies at the level of the first byte in which its due time differs from now, in the slot of that byte's value. So every
 * slot in use lies ahead of now, moving now past empty slots moves nothing, and a slot that is reached is dealt out to the levels
 * below it. Each timer is dealt out at most six times; timers due in the same millisecond are due in the order they were inserted.
 *
 * A slot is a ring of nodes that begins and ends at a sentinel, so that unlinking a timer needs neither its level nor its slot.
 * Sentinels come first, timers behind them, 24 bytes each, so that a timer is one cache line:
 *
 *     node    f64 due | f64 value | i32 next | i32 previous (-1: not waiting)
 */
import assert from 'node:assert'

/** A timer from its insertion until it is due or cancelled; after that the number is given to another. Never 0. */
export type TimerId = number

export interface TimerSink<T> {
  /** May insert and cancel. A timer that it inserts with a due time already passed is due in the next `advance`. */
  due(owner: T, value: number): void
}

const levelCount = 7
const slotCount = levelCount * 256
const wordsPerLevel = 256 / 32
/** The ring of timers that are being handed out. */
const firing = slotCount
/** The ring of timers that were late when they were inserted. */
const late = slotCount + 1
const firstTimer = slotCount + 2
const firstCapacity = 64
const timeMax = Number.MAX_SAFE_INTEGER
const free = -1

export class TimerWheel<T> {
  /** The nodes as numbers: due and value are [3n], [3n + 1]; and as links: next and previous are [6n + 4], [6n + 5]. */
  #numbers = new Float64Array(0)
  #links = new Int32Array(0)
  #owners: (T | undefined)[] = []
  /** Head of the list of unused timers, linked through `next`; 0 ends it. */
  #unused = 0
  #capacity = 0
  /** One bit a slot: whether its ring holds a timer. */
  readonly #occupied = new Int32Array(levelCount * wordsPerLevel)
  #now: number
  #nowLow: number
  #nowHigh: number
  #advancing = false
  #size = 0

  /** `now`: milliseconds, as in all times here; a fraction of a millisecond in it is not looked at. */
  constructor(now = 0) {
    assert(now >= 0 && now <= timeMax, 'time is counted from 0')
    this.#now = Math.floor(now)
    this.#nowLow = this.#now | 0
    this.#nowHigh = high(this.#now)
    this.#makeRoom(firstCapacity)
    for (let sentinel = 0; sentinel < firstTimer; sentinel++) this.#empty(sentinel)
  }

  /** How many timers are waiting. */
  get size(): number {
    return this.#size
  }

  /** A due time before the last `advance` counts as due now; one beyond 2^53 - 1, Infinity among them, as 2^53 - 1. */
  insert(due: number, owner: T, value: number): TimerId {
    assert(!Number.isNaN(due), 'a timer needs a due time')
    if (this.#unused === 0) this.#makeRoom(this.#capacity * 2)
    const timer = this.#unused
    this.#unused = this.#links[timer * 6 + 4]!
    const whole = due <= this.#now ? this.#now : due >= timeMax ? timeMax : Math.ceil(due)
    this.#numbers[timer * 3] = whole
    this.#numbers[timer * 3 + 1] = value
    this.#owners[timer - firstTimer] = owner
    this.#size++
    this.#link(whole === this.#now ? late : this.#slotOf(whole), timer)
    return timer
  }

  /** In constant time. The timer must be waiting. */
  cancel(id: TimerId): void {
    assert(id >= firstTimer && id < firstTimer + this.#capacity && this.#links[id * 6 + 5] !== free, `timer ${id} is not waiting`)
    this.#release(id)
  }

  /**
   * Moves now forward and hands out what has become due, in order of due time, then of insertion. Costs what it hands out and
   * deals out, not the time that has passed. A time before the last one counts as the last one.
   */
  advance(now: number, sink: TimerSink<T>): void {
    assert(!this.#advancing, 'a sink cannot advance the wheel that calls it')
    this.#advancing = true
    const target = Math.min(timeMax, Math.max(this.#now, Math.floor(now)))
    this.#fireAllOf(late, sink)
    for (;;) {
      const slot = this.#nextSlot()
      const start = slot < 0 ? Infinity : this.#startOf(slot)
      if (start > target) break
      this.#moveTo(start)
      if (slot >= 256) this.#dealOut(slot)
      else this.#fireAllOf(slot, sink)
    }
    this.#moveTo(target)
    this.#advancing = false
  }

  /**
   * When `advance` is worth calling next: never after the first timer is due, and perhaps before; each call at that time makes
   * progress, so that a loop of the two gets to every timer. Infinity when none waits.
   */
  nextDeadline(): number {
    if (this.#size === 0) return Infinity
    if (this.#links[late * 6 + 4] !== late || this.#links[firing * 6 + 4] !== firing) return this.#now
    return this.#startOf(this.#nextSlot())
  }

  invariants(): void {
    const links = this.#links
    let count = 0
    for (let sentinel = 0; sentinel < firstTimer; sentinel++) {
      let previous = sentinel
      for (let timer = links[sentinel * 6 + 4]!; timer !== sentinel; timer = links[timer * 6 + 4]!) {
        assert.equal(links[timer * 6 + 5], previous)
        const due = this.#numbers[timer * 3]!
        if (sentinel < slotCount) {
          assert(due > this.#now)
          assert.equal(this.#slotOf(due), sentinel, `a timer due at ${due} lies where it belongs`)
        }
        previous = timer
        count++
      }
      assert.equal(links[sentinel * 6 + 5], previous)
      if (sentinel < slotCount) {
        const bit = (this.#occupied[sentinel >> 5]! >>> (sentinel & 31)) & 1
        assert.equal(bit, previous === sentinel ? 0 : 1)
      }
    }
    assert.equal(count, this.#size)
  }

  /** Hands out a ring. It is taken off its slot whole, so that what the sink inserts there waits for its own turn. */
  #fireAllOf(ring: number, sink: TimerSink<T>): void {
    const first = this.#links[ring * 6 + 4]!
    if (first === ring) return
    const last = this.#links[ring * 6 + 5]!
    this.#empty(ring)
    this.#join(firing, first)
    this.#join(last, firing)
    for (let timer = first; timer !== firing; timer = this.#links[firing * 6 + 4]!) {
      const owner = this.#owners[timer - firstTimer]!
      const value = this.#numbers[timer * 3 + 1]!
      this.#release(timer)
      sink.due(owner, value)
    }
  }

  /** Puts the timers of a slot that now has reached where they belong now; those due now go to level 0 and are found next. */
  #dealOut(slot: number): void {
    let timer = this.#links[slot * 6 + 4]!
    this.#empty(slot)
    while (timer !== slot) {
      const next = this.#links[timer * 6 + 4]!
      this.#link(this.#slotOf(this.#numbers[timer * 3]!), timer)
      timer = next
    }
  }

  /** Level by the first byte that differs from now, slot by its value. A time equal to now has its slot at level 0. */
  #slotOf(due: number): number {
    const dueHigh = due < 0x100000000 ? 0 : high(due)
    if (dueHigh === this.#nowHigh) {
      const dueLow = due | 0
      const difference = dueLow ^ this.#nowLow
      const level = difference === 0 ? 0 : (31 - Math.clz32(difference)) >> 3
      return (level << 8) | ((dueLow >>> (level << 3)) & 255)
    }
    const level = (31 - Math.clz32(dueHigh ^ this.#nowHigh)) >> 3
    return ((level + 4) << 8) | ((dueHigh >>> (level << 3)) & 255)
  }

  /** The first slot in use at or ahead of now, in order of time, or -1. */
  #nextSlot(): number {
    for (let level = 0; level < levelCount; level++) {
      const digit = ((level < 4 ? this.#nowLow : this.#nowHigh) >>> ((level & 3) << 3)) & 255
      const first = level * wordsPerLevel
      let word = first + (digit >> 5)
      let bits = this.#occupied[word]! & (-1 << (digit & 31))
      while (bits === 0 && ++word < first + wordsPerLevel) bits = this.#occupied[word]!
      if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits & -bits)
    }
    return -1
  }

  /** The first millisecond of a slot that lies at or ahead of now. */
  #startOf(slot: number): number {
    const unit = 2 ** ((slot >> 8) << 3)
    const span = unit * 256
    return this.#now - (this.#now % span) + (slot & 255) * unit
  }

  #moveTo(now: number): void {
    this.#now = now
    this.#nowLow = now | 0
    this.#nowHigh = high(now)
  }

  /** Empties a ring; who calls has taken its timers. */
  #empty(ring: number): void {
    this.#join(ring, ring)
    if (ring < slotCount) this.#occupied[ring >> 5]! &= ~(1 << (ring & 31))
  }

  #join(node: number, next: number): void {
    this.#links[node * 6 + 4] = next
    this.#links[next * 6 + 5] = node
  }

  #link(ring: number, timer: number): void {
    const last = this.#links[ring * 6 + 5]!
    this.#join(last, timer)
    this.#join(timer, ring)
    if (last === ring && ring < slotCount) this.#occupied[ring >> 5]! |= 1 << (ring & 31)
  }

  #release(timer: number): void {
    const links = this.#links
    const next = links[timer * 6 + 4]!
    const previous = links[timer * 6 + 5]!
    this.#join(previous, next)
    if (next === previous && next < slotCount) this.#occupied[next >> 5]! &= ~(1 << (next & 31))
    links[timer * 6 + 5] = free
    links[timer * 6 + 4] = this.#unused
    this.#unused = timer
    this.#owners[timer - firstTimer] = undefined
    this.#size--
  }

  #makeRoom(capacity: number): void {
    const numbers = new Float64Array((firstTimer + capacity) * 3)
    numbers.set(this.#numbers)
    this.#numbers = numbers
    this.#links = new Int32Array(numbers.buffer)
    for (let timer = firstTimer + capacity - 1; timer >= firstTimer + this.#capacity; timer--) {
      this.#links[timer * 6 + 5] = free
      this.#links[timer * 6 + 4] = this.#unused
      this.#unused = timer
    }
    for (let index = this.#capacity; index < capacity; index++) this.#owners.push(undefined)
    this.#capacity = capacity
  }
}

/** The bytes of a time above the lowest four. */
function high(time: number): number {
  return Math.floor(time / 0x100000000)
}
