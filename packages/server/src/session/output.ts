// Hot: every byte that leaves passes here.
/**
 * The way out of one turn for one session after another: small things are gathered in a slab, large ranges of stored
 * records go out from where they lie, all in one system call.
 *
 *     begin(transport) ─▶ reserve(n), write at `buffer[at…]` │ range(slab …) │ bytes(…) ─▶ end()
 *
 *     slab   │ under way: pinned │ this flush ··· at │ free                │
 *                                 base
 *
 * What has been taken at once is overwritten by the next flush; what has not stays, pinned for its session, and the next flush
 * goes on behind it. There is one Output in a shard.
 */
import { copyBytes, viewOf } from '@waybill/protocol'
import { type Slabs, slabSize } from '../broker/store/slabs.js'
import type { Transport } from '../ports/transport.js'

/** As much is gathered before it is sent. */
export const outputSize = 256 * 1024
/** A range from this size on is not copied. */
const rangeFrom = 16 * 1024

export class Output {
  /** Where bytes are gathered, and where the next one goes. */
  buffer: Buffer
  /** `buffer`, for whoever writes whole numbers. */
  view: DataView
  at: number
  /** Bytes given to the transport since `begin`. */
  sentSize = 0
  readonly #slabs: Slabs
  #slab: number
  #end: number
  #base: number
  /** First byte that has not been given to the transport. */
  #start = 0
  #transport: Transport | undefined
  #pins: number[] = []

  constructor(slabs: Slabs) {
    this.#slabs = slabs
    this.#slab = slabs.reserve()
    this.buffer = slabs.buffer(this.#slab)
    this.view = viewOf(this.buffer)
    this.at = this.#base = slabs.start(this.#slab)
    this.#end = this.#base + slabSize
  }

  /** Slabs that the transport still reads from after `end` are pinned and added to `pins`. */
  begin(transport: Transport, pins: number[]): void {
    this.#transport = transport
    this.#pins = pins
    this.sentSize = 0
    this.#restart()
    transport.cork()
  }

  /** Makes sure that `size` bytes (at most `outputSize`) can be written at `at`. */
  reserve(size: number): void {
    if (this.at + size <= this.#base + outputSize) return
    const transport = this.#transport!
    this.#write()
    transport.uncork()
    transport.cork()
    if (transport.pendingSize > 0) this.#keep()
    this.#restart()
  }

  /** Bytes that stay as they are. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length > rangeFrom) {
      this.#write()
      this.#send(bytes, 0, bytes.length)
      return
    }
    this.reserve(bytes.length)
    this.at = copyBytes(this.buffer, this.at, bytes, 0, bytes.length)
  }

  /** A range of a slab, which must be pinned until the transport has taken it. */
  range(source: Buffer, from: number, to: number): void {
    if (to - from >= rangeFrom) {
      this.#write()
      this.#send(source, from, to)
      return
    }
    this.reserve(to - from)
    const { buffer, at } = this
    if (source === buffer) {
      buffer.copyWithin(at, from, to)
      this.at = at + to - from
    } else this.at = copyBytes(buffer, at, source, from, to)
  }

  /** Sends it. True if everything has been taken. */
  end(): boolean {
    const transport = this.#transport!
    this.#write()
    transport.uncork()
    this.#transport = undefined
    const taken = transport.pendingSize === 0
    if (!taken && this.at > this.#base) this.#keep()
    return taken
  }

  #write(): void {
    if (this.at > this.#start) this.#send(this.buffer, this.#start, this.at)
    this.#start = this.at
  }

  #send(bytes: Uint8Array, from: number, to: number): void {
    this.sentSize += to - from
    this.#transport!.write(bytes, from, to)
  }

  /** What has been gathered is under way: it stays, and the next goes behind it. */
  #keep(): void {
    this.#slabs.pin(this.#slab)
    this.#pins.push(this.#slab)
    this.#base = this.at
  }

  #restart(): void {
    if (this.#end - this.#base < outputSize) {
      const slab = this.#slabs.reserve()
      this.#slabs.unpin(this.#slab)
      this.#slab = slab
      this.buffer = this.#slabs.buffer(slab)
      this.view = viewOf(this.buffer)
      this.#base = this.#slabs.start(slab)
      this.#end = this.#base + slabSize
    }
    this.at = this.#start = this.#base
  }
}
