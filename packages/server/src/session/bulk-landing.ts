// Hot: every read of a connection that publishes in bulk.
/**
 * A slab of its own for a connection that publishes without pause: its bytes land where its records will lie, so they
 * are not copied at all.
 *
 *     slab   │ frame │ frame │ frame │ part of a fra │ the next read lands here      │
 *             start                   unread          filled                          end
 *
 * Records stay between the headers of their frames. When the slab is full a new one is begun, with the part of the frame
 * that is not whole; when nothing in it is used any more it is filled from its start again.
 */
import type { FrameReader } from '@waybill/protocol'
import type { LandingPlace } from '../ports/transport.js'
import { type Slabs, slabSize } from '../broker/store/slabs.js'

/** Bytes offered to a read: more would delay the turn and outgrow the cache. */
const windowSize = 256 * 1024
/** With less room than this a new slab is begun. */
const roomMin = 64 * 1024

export class BulkLanding implements LandingPlace {
  readonly #slabs: Slabs
  slab: number
  buffer: Buffer
  start: number
  unread: number
  filled: number
  end: number

  /** Takes over what the reader carries; the caller has seen to it that it is less than half of a slab. */
  constructor(slabs: Slabs, reader: FrameReader) {
    this.#slabs = slabs
    this.slab = slabs.reserve()
    this.buffer = slabs.buffer(this.slab)
    this.start = this.unread = slabs.start(this.slab)
    this.end = this.start + slabSize
    this.filled = reader.moveCarry(this.buffer, this.start)
  }

  /** Where the next read shall land: `from` … `to` of the buffer. */
  get from(): number {
    return this.filled
  }

  get to(): number {
    return Math.min(this.end, this.filled + windowSize)
  }

  get partialSize(): number {
    return this.filled - this.unread
  }

  /** Makes room for the next read. False if the frame that has begun is too large for a slab. */
  makeRoom(partialFrameSize: number): boolean {
    if (this.unread === this.filled && this.#slabs.isIdle(this.slab)) {
      this.unread = this.filled = this.start
      return true
    }
    if (partialFrameSize > slabSize / 2) return false
    if (this.end - this.filled < roomMin || this.unread + partialFrameSize > this.end) this.#move()
    return true
  }

  close(): void {
    this.#slabs.unpin(this.slab)
  }

  #move(): void {
    const { buffer, unread, filled } = this
    const slab = this.#slabs.reserve()
    this.buffer = this.#slabs.buffer(slab)
    this.start = this.#slabs.start(slab)
    this.end = this.start + slabSize
    if (buffer === this.buffer) buffer.copyWithin(this.start, unread, filled)
    else this.buffer.set(buffer.subarray(unread, filled), this.start)
    this.unread = this.start
    this.filled = this.start + filled - unread
    this.#slabs.unpin(this.slab)
    this.slab = slab
  }
}
