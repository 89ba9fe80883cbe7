/**
 * Lets messages leave memory that the log has as well: the index and the records of whole pages (ColdPage), those last in their queues first.
 *
 *     used     0 ──────── comfortable ──────── half ──────── three quarters ──────── budget
 *     goes     nothing    what nobody wants    what is not   all but what comes
 *                         for a while          wanted soon   next
 *
 * It walks the queues in turn, a bounded number of pages at a time. Messages that are not kept stay: their publishers wait for credit.
 */
import type { Queue } from '../queues/queue.js'

/** More than this is not worth it for messages that nobody takes: they are read again in no time, while the system has room for them in its cache. */
const comfortableMax = 80 * 1024 * 1024
/** Of a queue that is consumed, so much is worth it even then: reading it costs more than waiting for it to go. */
const nearSizeMax = 256 * 1024 * 1024
/** What a consumer should find in memory: so much, or a share of it. */
const soonSizeMax = 4 * 1024 * 1024
const soonShare = 1 / 8
/** A page that is being filled goes too when it has so many bytes, or a share. */
const endedFromMax = 64 * 1024
const endedFromShare = 1 / 1024
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
  readonly #memorySize: number
  readonly #comfortable: number
  readonly #soonSize: number
  readonly #endedFrom: number
  readonly #usedSize: () => number
  readonly #queues: () => Iterable<Queue>
  #round: Iterator<Queue> | undefined
  #roundCount = 0
  #restUntil = -Infinity
  /** Pages that have left so far. */
  evictedCount = 0

  constructor({ memorySize, usedSize, queues }: EvictorOptions) {
    this.#memorySize = memorySize
    this.#comfortable = Math.min(comfortableMax, memorySize / 2)
    this.#soonSize = Math.min(soonSizeMax, memorySize * soonShare)
    this.#endedFrom = Math.min(endedFromMax, memorySize * endedFromShare)
    this.#usedSize = usedSize
    this.#queues = queues
  }

  /** One step, if memory is wanted. True: another should follow soon. */
  step(now: number): boolean {
    const used = this.#usedSize()
    if (used <= this.#comfortable || now < this.#restUntil) return false
    const share = used / this.#memorySize
    const nearSize = share > 0.75 ? 0 : share > 0.5 ? this.#soonSize : nearSizeMax
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
      if (share > 0.5) queue.endPage(this.#endedFrom)
      const count = queue.chill(pages, looks, nearSize)
      pages -= count
      looks -= count
      this.#roundCount += count
      this.evictedCount += count
      if (count > 0 && this.#usedSize() <= this.#comfortable) return false
    }
    return true
  }
}
