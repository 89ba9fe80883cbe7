// Hot: every byte that leaves passes here.
/**
 * The way out of one turn for one session after another: small things are gathered in one buffer, large ranges of
 * stored records go out from where they lie, all in one system call.
 *
 *     begin(transport) ─▶ reserve(n), write at `buffer[at…]` │ range(slab …) │ bytes(…) ─▶ end()
 *
 * When the buffer is full it is sent; it is used again as soon as the transport has taken the bytes; if it has not, the buffer is left to it and a
 * fresh one is made. There is one Output in a shard.
 */
import { copyBytes } from '@waybill/protocol'
import type { Transport } from '../ports/transport.js'

export const outputSize = 256 * 1024
/** A range from this size on is not copied. */
const rangeFrom = 16 * 1024

export class Output {
  buffer = Buffer.allocUnsafeSlow(outputSize)
  /** Where the next byte goes. */
  at = 0
  #start = 0
  #transport: Transport | undefined
  #wasPending = false
  /** Bytes given to the transport since `begin`. */
  sentSize = 0

  begin(transport: Transport): void {
    this.#transport = transport
    this.#wasPending = transport.pendingSize > 0
    this.at = this.#start = 0
    this.sentSize = 0
    transport.cork()
  }

  /** Makes sure that `size` bytes (at most `outputSize`) can be written at `at`. */
  reserve(size: number): void {
    if (this.at + size <= outputSize) return
    const transport = this.#transport!
    this.#write()
    transport.uncork()
    transport.cork()
    if (transport.pendingSize > 0) this.#fresh()
    else this.at = this.#start = 0
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
  range(slab: Uint8Array, from: number, to: number): void {
    if (to - from >= rangeFrom) {
      this.#write()
      this.#send(slab, from, to)
      return
    }
    this.reserve(to - from)
    this.at = copyBytes(this.buffer, this.at, slab, from, to)
  }

  /** Sends it. True if everything has been taken. */
  end(): boolean {
    const transport = this.#transport!
    if (this.#wasPending && this.#start === 0 && this.at < outputSize / 4) {
      const small = Buffer.from(this.buffer.subarray(0, this.at))
      if (small.length > 0) this.#send(small, 0, small.length)
      this.at = 0
    } else this.#write()
    transport.uncork()
    this.#transport = undefined
    const taken = transport.pendingSize === 0
    if (!taken && this.at > 0) this.#fresh()
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

  #fresh(): void {
    this.buffer = Buffer.allocUnsafeSlow(outputSize)
    this.at = this.#start = 0
  }
}
