/**
 * How much publishers may send: the memory budget, dealt out as credit before anything arrives. [P-4.6, P-4.7]
 *
 *     │ used by messages │ granted, not used │     free     │ reserve 1/16 │ overhead 1/8 │  = budget
 *                                             ▲ blocked when this is gone
 *
 * A channel is granted a window, first 64 KiB / 256 messages, twice as much each time it has used half of it up, to 8 MiB. What is
 * granted and not used stays below a quarter of the budget, and of a disk below half of what has to be free there: it cannot be taken back when there is
 * no more room, and may still come. Beyond that a channel is granted just what it says it needs.
 *
 * Who gets nothing waits in line, and nobody who comes later is served before: a large record is not starved by many small ones. The
 * reserve, and the way past the line, are for connections that hold unsettled deliveries: a worker that publishes before it settles
 * must get through, or nothing would ever be freed.
 *
 * The overhead is for what messages cost besides their bytes (places in queues, slabs that are not full). A fan-out to thousands of queues may
 * use up even that: `isFull`, and messages are refused until something is settled.
 *
 * Invariant: at every grant, used + granted is at most the budget without the overhead, whatever publishers do.
 */
import assert from 'node:assert'

export const creditSizeFirst = 64 * 1024
export const creditSizeMax = 8 * 1024 * 1024
const creditCountFirst = 256
/** However little of the disk has to be free: first windows for some channels. */
const unusedMaxMin = 16 * creditSizeFirst
/** A message of the window for each so many bytes. */
const bytesPerMessage = 256

/** One channel's side of it. Sequences and sizes count from the opening of the channel and only rise. */
export interface CreditHolder {
  readonly publishedSequence: number
  /** More than `creditSize` if the client has sent more than it was granted. */
  readonly publishedSize: number
  creditSequence: number
  creditSize: number
  /** What may still be published: of `creditSize`, at least 0. */
  readonly creditLeft: number
  /** Bytes of the next window. */
  creditWindow: number
  /** What the client says its next record needs, or 0. */
  neededSize: number
  /** Whether its connection holds unsettled deliveries, and so may use the reserve. */
  mayUseReserve(): boolean
  /** The credit has grown: tell the client. */
  creditGrown(): void
}

export class PublisherCredit {
  readonly budget: number
  /** What may be dealt out, the reserve included. */
  readonly #dealt: number
  readonly #reserve: number
  /** What may be granted as windows, and not be used. */
  readonly #unusedMax: number
  readonly #used: () => number
  /** Channels that have asked and got nothing, in the order they asked. */
  readonly #waiting = new Set<CreditHolder>()
  /** Granted and not used, over all channels. */
  #unused = 0
  #isShortOfMemory = false
  /**
   * Why nothing is granted to anybody, whatever memory there is: the `disk` has no room, which publishers are told; or so much is on its way to the disk
   * that more would only wait (`sync`), which is over in a moment.
   */
  withheld: 'disk' | 'sync' | undefined

  /** `used`: bytes that stored messages take now. `diskFreeMin`: bytes of the disk below which nothing is granted, 0 if nobody looks. */
  constructor(budget: number, used: () => number, diskFreeMin = 0) {
    this.budget = budget
    this.#dealt = budget - budget / 8
    this.#reserve = budget / 16
    this.#unusedMax = Math.min(budget / 4, diskFreeMin === 0 ? Infinity : Math.max(unusedMaxMin, diskFreeMin / 2))
    this.#used = used
  }

  /** What publishers wait for. Memory: until an eighth of it is free again, so that it does not come and go. */
  get blocked(): 'memory' | 'disk' | undefined {
    if (this.withheld === 'disk') return 'disk'
    return this.#isShortOfMemory ? 'memory' : undefined
  }

  /** Whether even what was granted cannot be taken. */
  get isFull(): boolean {
    return this.#used() > this.budget
  }

  get unusedSize(): number {
    return this.#unused
  }

  /** Whether memory that becomes free concerns anybody. */
  get isAwaited(): boolean {
    return this.#isShortOfMemory || this.#waiting.size > 0
  }

  /** What a channel waits for, if it is worth telling. */
  awaitedBy(holder: CreditHolder): 'memory' | 'disk' | undefined {
    if (!this.#waiting.has(holder) || this.withheld === 'sync') return undefined
    return this.withheld ?? 'memory'
  }

  /** The first grant of a channel: a window, or nothing. It need not wait: it may never publish. */
  open(holder: CreditHolder): void {
    holder.creditWindow = creditSizeFirst
    if (this.withheld !== undefined) return
    if (this.#waiting.size === 0 && this.#windowRoom(holder) >= creditSizeFirst) this.#grant(holder, creditSizeFirst)
  }

  /** Hot. So much of what was granted has been published. */
  used(size: number): void {
    this.#unused -= size
  }

  /** Hot. Grants anew if half of the window is used up, or more is needed than is left. */
  renew(holder: CreditHolder): void {
    const left = holder.creditLeft
    const leftCount = holder.creditSequence - holder.publishedSequence
    const window = holder.creditWindow
    const needed = Math.max(0, holder.neededSize - left)
    if (needed === 0 && left * 2 > window && leftCount * 2 * bytesPerMessage > window) return
    if (this.#waiting.has(holder)) {
      if (this.withheld === undefined && holder.mayUseReserve() && this.#serveOne(holder)) this.#waiting.delete(holder)
      return
    }
    if (this.withheld === undefined && (this.#waiting.size === 0 || holder.mayUseReserve())) {
      const room = this.#windowRoom(holder)
      const wanted = Math.max(window - left, needed)
      if (room >= wanted) {
        this.#grant(holder, wanted)
        holder.creditWindow = Math.min(creditSizeMax, window * 2)
        return
      }
      holder.creditWindow = Math.max(creditSizeFirst, window / 2)
      if (this.#serveOne(holder)) return
    }
    if (needed > 0 || left * 4 < window || leftCount * 4 * bytesPerMessage < window) this.#wait(holder)
  }

  /** Memory may have become free: those who wait are served in turn, as far as it goes. */
  serve(): void {
    if (this.withheld !== undefined) return
    let isLineStopped = false
    for (const holder of this.#waiting) {
      if (this.#freeForAll() <= 0) {
        isLineStopped = true
        break
      }
      if (isLineStopped && !holder.mayUseReserve()) continue
      if (this.#serveOne(holder)) this.#waiting.delete(holder)
      // Unused grants of others may be in the way of a window; only who is short of memory itself stops the line.
      else if (this.#isShort(holder)) isLineStopped = true
    }
    this.#judge(isLineStopped)
  }

  /** The channel has ended; what it did not use is free again. */
  close(holder: CreditHolder): void {
    this.#unused -= holder.creditLeft
    holder.creditSize = Math.min(holder.creditSize, holder.publishedSize)
    this.#waiting.delete(holder)
  }

  invariants(holders: Iterable<CreditHolder>): void {
    let unused = 0
    for (const holder of holders) unused += holder.creditLeft
    assert.equal(unused, this.#unused)
  }

  /** A first window, or what is needed. False: there is not enough for it. */
  #serveOne(holder: CreditHolder): boolean {
    const least = leastOf(holder)
    const needed = Math.max(0, holder.neededSize - holder.creditLeft)
    if (this.#windowRoom(holder) >= least) this.#grant(holder, least)
    else if (needed > 0 && this.#free(holder) >= needed) this.#grant(holder, needed)
    else return false
    return true
  }

  #wait(holder: CreditHolder): void {
    this.#waiting.add(holder)
    if (this.withheld === undefined && this.#isShort(holder)) this.#isShortOfMemory = true
  }

  #isShort(holder: CreditHolder): boolean {
    return this.#free(holder) < Math.max(1, holder.neededSize - holder.creditLeft)
  }

  #judge(isLineStopped: boolean): void {
    this.#isShortOfMemory = isLineStopped || (this.#isShortOfMemory && this.#freeForAll() - this.#reserve < this.budget / 8)
  }

  #grant(holder: CreditHolder, size: number): void {
    holder.creditSize = Math.max(holder.creditSize, holder.publishedSize) + size
    const count = Math.max(creditCountFirst, Math.floor(Math.max(holder.creditWindow, size) / bytesPerMessage))
    holder.creditSequence = Math.max(holder.creditSequence, holder.publishedSequence + count)
    holder.neededSize = 0
    this.#unused += size
    holder.creditGrown()
  }

  /** What may be granted as a window. */
  #windowRoom(holder: CreditHolder): number {
    return Math.min(this.#unusedMax - this.#unused, this.#free(holder))
  }

  #free(holder: CreditHolder): number {
    return this.#freeForAll() - (holder.mayUseReserve() ? 0 : this.#reserve)
  }

  #freeForAll(): number {
    return this.#dealt - this.#used() - this.#unused
  }
}

/** What is worth a grant when there is not enough for a window: the rest of a first window, or what is needed if that is more. */
function leastOf(holder: CreditHolder): number {
  const left = holder.creditLeft
  return Math.max(0, holder.neededSize - left, Math.min(creditSizeFirst, holder.creditWindow) - left)
}
