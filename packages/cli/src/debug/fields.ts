/**
 * The fields of some bytes, one behind the other; big-endian. [P-2.1]
 *
 * Every read is checked against what is there, so that a lying length or count ends in a sentence and nowhere else.
 */
import { isUtf8, readU16, readU32, readU64 } from '@waybill/protocol'

/** What is wrong with some bytes, in words. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}

export class Fields {
  readonly bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.bytes.length - this.#at
  }

  u8(): number {
    return this.bytes[this.#take(1)]!
  }

  u16(): number {
    return readU16(this.bytes, this.#take(2))
  }

  u32(): number {
    return readU32(this.bytes, this.#take(4))
  }

  u64(): number {
    const value = readU64(this.bytes, this.#take(8))
    if (value < 0) throw new Malformed('a number above 2^53 - 1')
    return value
  }

  /** A field that must be 0. */
  zero(field: 'u8' | 'u32'): void {
    const value = field === 'u8' ? this.u8() : this.u32()
    if (value !== 0) throw new Malformed(`${value} where 0 must be`)
  }

  text(size: number): string {
    const from = this.#take(size)
    if (!isUtf8(this.bytes, from, from + size)) throw new Malformed('a text that is not UTF-8')
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + from, size).toString('utf8')
  }

  /** All that is left, as one JSON value. */
  json(): unknown {
    try {
      return JSON.parse(this.text(this.left))
    } catch (error) {
      throw error instanceof Malformed ? error : new Malformed('not JSON')
    }
  }

  /** The next `size` bytes, as a view. */
  take(size: number): Uint8Array {
    const from = this.#take(size)
    return this.bytes.subarray(from, from + size)
  }

  /** Nothing may be left. */
  end(): void {
    if (this.left > 0) throw new Malformed(`${this.left} bytes too many`)
  }

  #take(size: number): number {
    if (size > this.left) throw new Malformed(`ends too early: ${size} bytes more are needed, ${this.left} are there`)
    const from = this.#at
    this.#at += size
    return from
  }
}
