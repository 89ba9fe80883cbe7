/**
 * Hot: what has been settled on one channel since the last write: ranges of tags, so that a thousand messages handled in order are
 * one entry of 20 bytes. [P-5.4]
 *
 *     ack 4, ack 5, ack 6, retry 9, ack 8      →      4..6 ack │ 9 retry │ 8 ack
 *
 * Only the last range grows. Nothing is sorted: what is settled in another order costs an entry each, and the broker takes them in any.
 */
import { noDelay, settleEntrySize, settleFrameSize, writeSettleEntry, writeSettleHeader } from '@waybill/protocol'
import type { Outgoing } from '../session/outgoing.js'

const capacityMin = 16
const entriesPerFrame = 1_024
/** Reasons are for people; longer ones are cut. */
const reasonSizeMax = 1_024

export class Settlements {
  #firsts = new Float64Array(capacityMin)
  #counts = new Uint32Array(capacityMin)
  #outcomes = new Uint8Array(capacityMin)
  #delays = new Float64Array(capacityMin)
  #reasons: (Uint8Array | undefined)[] = new Array(capacityMin).fill(undefined)
  #count = 0
  /** The last tag settled on this connection, or 0. */
  lastTag = 0

  get count(): number {
    return this.#count
  }

  add(firstTag: number, count: number, outcome: number, delayMs: number, reason: string | undefined): void {
    const last = this.#count - 1
    this.lastTag = firstTag
    if (last >= 0 && this.#outcomes[last] === outcome && this.#firsts[last] + this.#counts[last] === firstTag) {
      if (reason === undefined && delayMs === this.#delays[last] && this.#reasons[last] === undefined) {
        this.#counts[last] += count
        return
      }
    }
    if (this.#count === this.#firsts.length) this.#grow()
    const i = this.#count++
    this.#firsts[i] = firstTag
    this.#counts[i] = count
    this.#outcomes[i] = outcome
    this.#delays[i] = delayMs
    this.#reasons[i] = reason === undefined || reason === '' ? undefined : encodeReason(reason)
  }

  /**
   * Writes it all; the last frame has the correlation id, if it is not 0. Without anything new that frame settles the last tag again,
   * which does nothing.
   */
  write(out: Outgoing, channel: number, correlation: number): void {
    if (this.#count === 0 && correlation !== 0) this.add(this.lastTag, 1, 1, noDelay, undefined)
    for (let from = 0; from < this.#count; from += entriesPerFrame) {
      const to = Math.min(this.#count, from + entriesPerFrame)
      const isLast = to === this.#count
      this.#writeFrame(out, channel, isLast ? correlation : 0, from, to)
    }
    this.#count = 0
  }

  /** The connection is lost, and with it every tag. */
  reset(): void {
    this.#count = 0
    this.lastTag = 0
  }

  #writeFrame(out: Outgoing, channel: number, correlation: number, from: number, to: number): void {
    let size = (to - from) * settleEntrySize
    for (let i = from; i < to; i++) size += this.#reasons[i]?.length ?? 0
    let at = out.reserve(settleFrameSize(correlation, size))
    at = writeSettleHeader(out.bytes, at, channel, correlation, size)
    for (let i = from; i < to; i++) {
      at = writeSettleEntry(out.bytes, at, this.#firsts[i], this.#counts[i], this.#outcomes[i], this.#delays[i], this.#reasons[i])
      this.#reasons[i] = undefined
    }
    out.used = at
  }

  #grow(): void {
    const capacity = this.#firsts.length * 2
    const firsts = new Float64Array(capacity)
    firsts.set(this.#firsts)
    const delays = new Float64Array(capacity)
    delays.set(this.#delays)
    const counts = new Uint32Array(capacity)
    counts.set(this.#counts)
    const outcomes = new Uint8Array(capacity)
    outcomes.set(this.#outcomes)
    this.#firsts = firsts
    this.#delays = delays
    this.#counts = counts
    this.#outcomes = outcomes
    this.#reasons.length = capacity
    this.#reasons.fill(undefined, capacity / 2)
  }
}

function encodeReason(reason: string): Uint8Array {
  const bytes = Buffer.from(String(reason), 'utf8')
  if (bytes.length <= reasonSizeMax) return bytes
  let end = reasonSizeMax
  while ((bytes[end] & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}
