/**
 * How much publishers may send: the memory budget, dealt out as credit before anything arrives. [P-4.6, P-4.7]
 *
 *     │ used by messages │ granted, not used │      free      │ reserve 1/16 │  = budget
 *                                              ▲ blocked when this is gone
 *
 * A channel is granted a window, first 64 KiB / 256 messages, twice as much each time it has used half of it up, to 8 MiB.
 * What is granted and not used stays below a quarter of the budget; beyond that a channel is granted just what it says it
 * needs. The reserve is for connections that hold unsettled deliveries: a worker that publishes before it settles must get
 * through, or nothing would ever be freed.
 *
 * Invariant: used + granted never exceeds the budget, whatever publishers do.
 */
import assert from 'node:assert'

export const creditSizeFirst = 64 * 1024
export const creditSizeMax = 8 * 1024 * 1024
/** A message of the window for each so many bytes. */
const bytesPerMessage = 256

/** One channel's side of it. Sequences and sizes count from the opening of the channel and only rise. */
export interface CreditHolder {
  publishedSequence: number
  publishedSize: number
  creditSequence: number
  creditSize: number
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
  readonly #used: () => number
  /** Channels that have asked and got nothing, in the order they asked. */
  readonly #waiting = new Set<CreditHolder>()
  /** Granted and not used, over all channels. */
  #unused = 0
  #blocked = false

  /** `used`: bytes that stored messages take now. */
  constructor(budget: number, used: () => number) {
    this.budget = budget
    this.#used = used
  }

  /** Whether publishers wait for memory. */
  get blocked(): boolean {
    return this.#blocked
  }

  get unusedSize(): number {
    return this.#unused
  }

  /** The first grant of a channel. */
  open(holder: CreditHolder): void {
    holder.creditWindow = creditSizeFirst
    if (this.#grantable(holder) >= creditSizeFirst) this.#grant(holder, creditSizeFirst)
  }

  /** The channel has published this much of what it was granted. */
  used(holder: CreditHolder, size: number): void {
    holder.publishedSize += size
    this.#unused -= size
    assert(this.#unused >= 0)
  }

  /** Grants anew if half of the window is used up, or more is needed than is left. */
  renew(holder: CreditHolder): void {
    const left = holder.creditSize - holder.publishedSize
    const leftCount = holder.creditSequence - holder.publishedSequence
    const needed = Math.max(0, holder.neededSize - left)
    const window = holder.creditWindow
    if (needed === 0 && left * 2 > window && leftCount * 2 * bytesPerMessage > window) return
    const grantable = this.#grantable(holder)
    const wanted = Math.max(window - left, needed)
    if (grantable >= wanted) {
      this.#grant(holder, wanted)
      holder.creditWindow = Math.min(creditSizeMax, window * 2)
    } else if (needed > 0 && this.#free(holder) >= needed) this.#grant(holder, needed)
    else if (needed > 0 || left * 4 < window) this.#wait(holder)
  }

  /** Memory may have become free: those who wait are served in turn, as far as it goes. */
  serve(): void {
    for (const holder of this.#waiting) {
      const left = holder.creditSize - holder.publishedSize
      const needed = Math.max(holder.neededSize - left, Math.min(creditSizeFirst, holder.creditWindow) - left)
      if (needed > 0 && this.#free(holder) < needed) {
        if (this.#free(holder) <= 0) break
        continue
      }
      this.#waiting.delete(holder)
      if (needed > 0) this.#grant(holder, needed)
    }
    this.#blocked = this.#waiting.size > 0 && this.#isShort()
  }

  get hasWaiting(): boolean {
    return this.#waiting.size > 0
  }

  /** The channel has ended; what it did not use is free again. */
  close(holder: CreditHolder): void {
    this.#unused -= holder.creditSize - holder.publishedSize
    holder.creditSize = holder.publishedSize
    this.#waiting.delete(holder)
  }

  #wait(holder: CreditHolder): void {
    this.#waiting.add(holder)
    if (this.#isShort()) this.#blocked = true
  }

  #isShort(): boolean {
    return this.#used() + this.#unused + creditSizeFirst > this.budget - this.budget / 16
  }

  #grant(holder: CreditHolder, size: number): void {
    holder.creditSize += size
    holder.creditSequence = Math.max(holder.creditSequence, holder.publishedSequence + Math.max(256, Math.floor(Math.max(holder.creditWindow, size) / bytesPerMessage)))
    holder.neededSize = 0
    this.#unused += size
    holder.creditGrown()
  }

  /** What may be granted as a window. */
  #grantable(holder: CreditHolder): number {
    return Math.min(this.budget / 4 - this.#unused, this.#free(holder))
  }

  #free(holder: CreditHolder): number {
    const reserve = holder.mayUseReserve() ? 0 : this.budget / 16
    return this.budget - reserve - this.#used() - this.#unused
  }
}
