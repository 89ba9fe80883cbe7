/**
 * Hot: what goes out on one connection, written in place into a buffer that is used again and again.
 *
 *     bytes   │ frames, closed │ PUBLISH header │ record │ record │ record │ ← used      room      │
 *                              └ open: size and count are filled in when something else follows
 *
 * All that is published on one channel with the same flags stands in one frame until something else is written, the buffer is
 * full, or the turn ends. A buffer that the socket has not taken at once is its own until it is drained; we take another.
 *
 * Invariant: bytes before `used` belong to whole frames, the last of which may be the open one.
 */
import { copyBytes, frameHeaderSize, publishHeaderSize, writePublishHeader } from '@waybill/protocol'
import type { Socket } from '../transport/transport.js'

/** Idle connections keep this much. */
const sizeMin = 4 * 1024
/** Busy ones this much: a write of it costs a system call for some hundred messages, and it stays in the cache. */
const sizeUsual = 64 * 1024
/** Those that have sent a larger record this much, for the next ones; what is larger still gets a buffer that is not kept. */
const sizeLarge = 256 * 1024
const spareCountMax = 8
const publishStartSize = frameHeaderSize + publishHeaderSize

export class Outgoing {
  bytes: Buffer = Buffer.allocUnsafeSlow(sizeMin)
  used = 0
  /** What the broker accepts; 16 KiB before HELLO is answered. [P-2.2] */
  frameSizeMax = 16 * 1024
  /** Writes so far, to see whether anything went out since the last look. */
  writeCount = 0

  readonly #socket: Socket
  /** Given to the socket and not taken yet. */
  #pinned: Buffer[] = []
  #spare: Buffer[] = []
  /** Of the buffers that are used again. */
  #size = sizeUsual
  #closed = false

  #frameAt = -1
  #frameEndMax = 0
  #channel = 0
  #flags = 0
  #firstSequence = 0
  #count = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Where the record of this sequence goes: `size` bytes at this index of `bytes`. The caller writes it and sets `used` behind it. */
  publishAt(channel: number, flags: number, sequence: number, size: number): number {
    if (this.#frameAt < 0 || channel !== this.#channel || flags !== this.#flags || this.used + size > this.#frameEndMax) {
      this.#openFrame(channel, flags, sequence, size)
    }
    this.#count++
    return this.used
  }

  /** Room for `size` bytes at `used`, for a frame of another type. */
  reserve(size: number): number {
    if (this.#frameAt >= 0) this.#closeFrame()
    if (this.used + size > this.bytes.length) this.#makeRoom(size)
    return this.used
  }

  /** Appends a frame that is whole. */
  append(frame: Uint8Array): void {
    const at = this.reserve(frame.length)
    this.used = copyBytes(this.bytes, at, frame, 0, frame.length)
  }

  /** Gives everything to the socket. */
  flush(): void {
    if (this.#frameAt >= 0) this.#closeFrame()
    if (this.used === 0) return
    const { bytes } = this
    const socket = this.#socket
    const { used } = this
    this.used = 0
    if (this.#closed) return
    this.writeCount++
    socket.write(used === bytes.length ? bytes : bytes.subarray(0, used))
    if (socket.writableLength > 0) {
      this.#pinned.push(bytes)
      this.bytes = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#size)
    } else {
      if (this.#pinned.length > 0) this.drained()
      if (bytes.length > this.#size) this.bytes = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#size)
    }
  }

  /** The socket has taken all it was given. */
  drained(): void {
    for (const bytes of this.#pinned) {
      if (this.#spare.length < spareCountMax && bytes.length === this.#size) this.#spare.push(bytes)
    }
    this.#pinned = []
  }

  /** Nothing is written any more; what is written nevertheless goes nowhere. */
  close(): void {
    this.#closed = true
    this.#frameAt = -1
    this.used = 0
    this.#pinned = []
    this.#spare = []
  }

  #openFrame(channel: number, flags: number, sequence: number, size: number): void {
    const at = this.reserve(publishStartSize + size)
    this.#frameAt = at
    this.#frameEndMax = Math.min(this.bytes.length, at + 4 + this.frameSizeMax)
    this.#channel = channel
    this.#flags = flags
    this.#firstSequence = sequence
    this.#count = 0
    this.used = at + publishStartSize
  }

  #closeFrame(): void {
    const at = this.#frameAt
    this.#frameAt = -1
    writePublishHeader(this.bytes, at, this.#flags, this.#channel, this.#firstSequence, this.#count, this.used - at - publishStartSize)
  }

  #makeRoom(size: number): void {
    if (this.bytes.length < this.#size && this.used + size <= this.#size) {
      const larger = Buffer.allocUnsafeSlow(this.#size)
      this.bytes.copy(larger, 0, 0, this.used)
      this.bytes = larger
      return
    }
    this.flush()
    if (size > this.#size && size <= sizeLarge) {
      this.#size = sizeLarge
      this.#spare = []
    }
    if (this.bytes.length < size) this.bytes = Buffer.allocUnsafeSlow(Math.max(size, this.#size))
  }
}
