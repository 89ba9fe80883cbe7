/**
 * Lets messages leave memory that the log has as well: the index and the records of whole pages (ColdPage), those last in their queues first.
 *
 *     used     0 ─────────── comfortable ─────────── pressing ────────── budget
 *              nothing goes   what is not needed soon   all but what is needed now
 *
 * It walks the queues in turn, a bounded number of pages at a time. Messages that are not kept stay: their publishers wait for credit.
 */
import type { Queue } from '../queues/queue.js'

/** More than this is not worth it for messages that can be read again in no time: the system has them in its cache while it has room. */
const comfortableMax = 80 * 1024 * 1024
/** A page that is being filled is ended when memory is pressing and its queue has so many bytes. */
const endedFrom = 64 * 1024
/** Pages that leave in a step. */
const pagesPerStep = 64
/** Pages and queues looked at in a step. */
const looksPerStep = 512
/** After a round that has found nothing. */
const restMs = 10

export interface EvictorOptions {
  readonly memorySize: number
  readonly usedSize: () => number
  readonly queues: () => Iterable<Queue>
}

export class Evictor {
  readonly #comfortable: number
  readonly #pressing: number
  readonly #usedSize: () => number
  readonly #queues: () => Iterable<Queue>
  #round: Iterator<Queue> | undefined
  #roundCount = 0
  #restUntil = -Infinity
  /** Pages that have left so far. */
  evictedCount = 0

  constructor({ memorySize, usedSize, queues }: EvictorOptions) {
    this.#comfortable = Math.min(comfortableMax, memorySize / 2)
    this.#pressing = (memorySize * 3) / 4
    this.#usedSize = usedSize
    this.#queues = queues
  }

  /** One step, if memory is wanted. True: another should follow soon. */
  step(now: number): boolean {
    const used = this.#usedSize()
    if (used <= this.#comfortable || now < this.#restUntil) return false
    const isPressing = used > this.#pressing
    let pages = pagesPerStep
    for (let looks = looksPerStep; looks > 0 && pages > 0; looks--) {
      if (this.#round === undefined) {
        this.#round = this.#queues()[Symbol.iterator]()
        this.#roundCount = 0
      }
      const { value: queue, done } = this.#round.next()
      if (done) {
        this.#round = undefined
        if (this.#roundCount > 0) continue
        this.#restUntil = now + restMs
        return false
      }
      if (queue.keptId === 0) continue
      if (isPressing && queue.readySize >= endedFrom) queue.endPage()
      const count = queue.chill(pages, looks, isPressing)
      pages -= count
      looks -= count
      this.#roundCount += count
      this.evictedCount += count
      if (count > 0 && this.#usedSize() <= this.#comfortable) return false
    }
    return true
  }
}
