/**
 * Frees slabs that a few messages hold: one that nobody settles, in a slab of a thousand that are gone, would keep a
 * mebibyte for its hundred bytes.
 *
 *     slab   │ · · · · r · · · · · · · │  sparse: less than a quarter is live      r is copied to the current slab,
 *                                                                               the queue's place points there
 *
 * It walks the queues with a cursor, a bounded number of places at a time, and only while so much memory is sparse that the
 * walk is worth it. What a write under way reads stays where it is: it is pinned, and the place is all that moves.
 */
import { pageSize } from '../queues/page.js'
import type { Queue } from '../queues/queue.js'
import { type Slabs, slabSize } from './slabs.js'

/** Below this there is no need. */
const usedSizeMin = 32 * slabSize
/** Places looked at in a step. */
const placesPerStep = 4_096
/** Between two looks at how much is sparse. */
const lookMs = 200

export class Compactor {
  readonly #slabs: Slabs
  readonly #queues: () => Iterable<Queue>
  #round: Iterator<Queue> | undefined
  #queue: Queue | undefined
  #place = 0
  #lookedAt = -Infinity
  /** Records moved so far. */
  movedCount = 0

  constructor(slabs: Slabs, queues: () => Iterable<Queue>) {
    this.#slabs = slabs
    this.#queues = queues
  }

  /** One step, if there is something to win. Called once a turn. */
  step(now: number): void {
    if (this.#round === undefined) {
      if (this.#slabs.usedSize < usedSizeMin || now - this.#lookedAt < lookMs) return
      this.#lookedAt = now
      if (this.#slabs.sparseSize() * 2 < this.#slabs.usedSize) return
      this.#round = this.#queues()[Symbol.iterator]()
    }
    for (let left = placesPerStep; left > 0; ) {
      if (this.#queue === undefined || this.#queue.deleted) {
        const { value, done } = this.#round.next()
        if (done) {
          this.#round = undefined
          return
        }
        this.#queue = value
        this.#place = 0
        left--
      }
      left = this.#moveSome(this.#queue!, left)
    }
  }

  /** Moves up to `left` places of a queue on; returns how many are left. */
  #moveSome(queue: Queue, left: number): number {
    for (; left > 0; left--) {
      const place = queue.seek(this.#place)
      if (place < 0) {
        this.#queue = undefined
        return left
      }
      this.#move(queue.page(place).words, (place & (pageSize - 1)) << 2)
      this.#place = place + 1
    }
    return 0
  }

  /** Copies a record out of its slab, if that is sparse; where it lies stands in `words` at `at`. */
  #move(words: Uint32Array, at: number): void {
    const slabs = this.#slabs
    const slab = words[at]
    if (!slabs.isSparse(slab)) return
    const offset = words[at + 1]
    const size = words[at + 2]
    slabs.append(slabs.buffer(slab), offset, offset + size)
    slabs.retain(slabs.slab, size)
    words[at] = slabs.slab
    words[at + 1] = slabs.offset
    slabs.release(slab, size)
    this.movedCount++
  }
}
