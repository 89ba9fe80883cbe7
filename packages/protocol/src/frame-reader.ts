/**
 * Hot: finds frames in bytes as they come, by offsets; the sink gets every whole frame where it lies.
 *
 *     bytes   ─ rest of a split frame ─┬─ whole frames, handed on in place ─┬─ begin of the next ─
 *                 goes to the carry     │                                    │   goes to the carry
 *
 * Only a frame that is split over two reads is copied. The carry grows by doubling with what has come, never by what a
 * size field claims, and is dropped when it is large and empty. A size is checked when its 4 bytes are there. [P-2.2]
 *
 * Invariant: whatever way the same bytes are cut, the sink sees the same frames and the reader ends in the same fault.
 */
import { copyBytes, readU16, readU32 } from './bytes.js'
import { correlationSize, Flag, type FrameFault, frameHeaderSize, sizeFieldSize } from './frame.js'

const frameSizeMin = frameHeaderSize - sizeFieldSize
const carrySizeMin = 256
/** A carry that is empty at the end of a read is kept up to this size: thousands of idle connections keep one each. */
const idleCarrySizeMax = 4 * 1024
/** A carry is kept from split frame to split frame of a busy connection up to this size. */
const busyCarrySizeMax = 64 * 1024

const nothing = Buffer.alloc(0)

/**
 * Called for every whole frame. `from`..`to` is the body, behind header and correlation id. The bytes hold still only during the call.
 * `correlation` is 0 when there is none (0 is not a correlation id). The sink may call `stop()`, and may raise `frameSizeMax`.
 */
export interface FrameSink {
  frame(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void
}

export class FrameReader {
  /** The largest `size` field that is accepted; may be raised after HELLO. */
  frameSizeMax: number

  readonly #sink: FrameSink
  #fault: FrameFault | undefined = undefined
  #stopped = false
  #carry: Buffer = nothing
  #carried = 0

  constructor(sink: FrameSink, frameSizeMax: number) {
    this.#sink = sink
    this.frameSizeMax = frameSizeMax
  }

  /** `frameTooLarge` or `frameMalformed`; once it is set nothing more is read. */
  get fault(): FrameFault | undefined {
    return this.#fault
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Bytes of a frame that is not whole yet. */
  get partialSize(): number {
    return this.#carried
  }

  /** Memory that is held for it; at most twice `partialSize`, or what is kept for the next one. */
  get carrySize(): number {
    return this.#carry.length
  }

  /** What `partialSize` will be when that frame is whole, or 0 while its size field is not there. */
  get expectedSize(): number {
    return this.#carried < sizeFieldSize ? 0 : sizeFieldSize + readU32(this.#carry, 0)
  }

  /** Type of the frame that is not whole yet; known from 8 carried bytes on. */
  get expectedType(): number {
    return this.#carried < frameHeaderSize ? 0 : this.#carry[4]
  }

  /** Channel of the frame that is not whole yet; known from 8 carried bytes on. */
  get expectedChannel(): number {
    return this.#carried < frameHeaderSize ? 0 : readU16(this.#carry, 6)
  }

  /** Hands the carried part of a frame over to `target[at..]`, where its rest will land; returns the index behind it. */
  moveCarry(target: Uint8Array, at: number): number {
    const end = copyBytes(target, at, this.#carry, 0, this.#carried)
    this.#carried = 0
    return end
  }

  /** The sink gets nothing more; `read` and `scan` say so by false and -1. */
  stop(): void {
    this.#stopped = true
    this.#carry = nothing
    this.#carried = 0
  }

  /** Reads `bytes[from..to)`; whole frames go to the sink in place, the rest is carried. False when there is a fault, or after `stop()`. */
  read(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#stopped || this.#fault !== undefined) return false
    let at = from
    if (this.#carried > 0) at = this.#complete(bytes, at, to)
    if (at >= 0 && at < to) {
      at = this.scan(bytes, at, to)
      if (at >= 0 && at < to) this.#keep(bytes, at, to, to - at)
    }
    if (at < 0) {
      this.#carry = nothing
      this.#carried = 0
      return false
    }
    if (this.#carried === 0 && this.#carry.length > idleCarrySizeMax) this.#carry = nothing
    return true
  }

  /** The primitive without a carry: returns the first index not used (where a partial frame begins), or -1 on a fault or after `stop()`. */
  scan(bytes: Uint8Array, from: number, to: number): number {
    const sink = this.#sink
    let at = from
    while (to - at >= frameHeaderSize) {
      const size = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
      if (size > this.frameSizeMax || size < frameSizeMin) return this.#failSize(size)
      const flags = bytes[at + 5]
      const end = at + sizeFieldSize + size
      let body = at + frameHeaderSize
      let correlation = 0
      if ((flags & Flag.correlated) !== 0) {
        if (size < frameSizeMin + correlationSize)
          return this.#fail('frameMalformed', `a correlated frame of ${size} bytes has no room for its id`)
        if (end > to) break
        correlation = readU32(bytes, body)
        if (correlation === 0) return this.#fail('frameMalformed', 'a correlation id is not 0')
        body += correlationSize
      } else if (end > to) break
      sink.frame(bytes, bytes[at + 4], flags, (bytes[at + 6] << 8) | bytes[at + 7], correlation, body, end)
      if (this.#stopped) return -1
      at = end
    }
    const rest = to - at
    if (rest >= sizeFieldSize && rest < frameHeaderSize) {
      const size = readU32(bytes, at)
      if (size > this.frameSizeMax || size < frameSizeMin) return this.#failSize(size)
    }
    return at
  }

  /** Brings the carried frame towards its end and hands it on when it is whole. Returns the first index not used, or -1. */
  #complete(bytes: Uint8Array, from: number, to: number): number {
    let at = from
    if (this.#carried < frameHeaderSize) {
      const take = Math.min(frameHeaderSize - this.#carried, to - at)
      this.#keep(bytes, at, at + take, frameHeaderSize)
      at += take
      const used = this.scan(this.#carry, 0, this.#carried)
      if (used < 0) return -1
      if (used > 0) {
        this.#carried = 0
        return at
      }
      if (this.#carried < frameHeaderSize) return at
    }
    const frameSize = sizeFieldSize + readU32(this.#carry, 0)
    const take = Math.min(frameSize - this.#carried, to - at)
    this.#keep(bytes, at, at + take, frameSize)
    at += take
    if (this.#carried < frameSize) return at

    this.#carried = 0
    if (this.scan(this.#carry, 0, frameSize) < 0) return -1
    if (this.#carry.length > busyCarrySizeMax) this.#carry = nothing
    return at
  }

  /** Appends to the carry. It at least doubles when it grows, but not beyond `sizeMax`, the whole of the frame. */
  #keep(bytes: Uint8Array, from: number, to: number, sizeMax: number): void {
    const needed = this.#carried + to - from
    if (needed > this.#carry.length) {
      const wanted = Math.max(carrySizeMin, needed, Math.min(2 * this.#carry.length, sizeMax))
      const larger = Buffer.allocUnsafeSlow(wanted)
      this.#carry.copy(larger, 0, 0, this.#carried)
      this.#carry = larger
    }
    this.#carried = copyBytes(this.#carry, this.#carried, bytes, from, to)
  }

  #failSize(size: number): -1 {
    if (size < frameSizeMin) return this.#fail('frameMalformed', `a frame of ${size} bytes is smaller than a header (${frameSizeMin})`)
    return this.#fail('frameTooLarge', `a frame of ${size} bytes is larger than frameSizeMax (${this.frameSizeMax})`)
  }

  #fail(code: FrameFault['code'], message: string): -1 {
    this.#fault = { code, message }
    return -1
  }
}
