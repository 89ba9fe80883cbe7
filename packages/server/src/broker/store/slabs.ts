// Hot: every stored byte passes here. Offsets and typed arrays only.
/**
 * Where the bytes of records lie: slabs of 1 MiB, filled from the front and never changed.
 *
 *     slab 0  │ r r r r r r r r │   live > 0: kept        slab 1  │ r r r ─ ─ ─ │  current
 *
 * A slab counts the bytes that queues refer to (`live`: a record in three queues counts three times) and the
 * writes under way that read from it (`pins`). When both are 0 it is used again; what a socket has been given
 * therefore stays unchanged whatever becomes of the message.
 *
 * A run of records larger than a quarter of a slab gets a slab of its own size, so that it wastes nothing.
 */
import assert from 'node:assert'

export const slabSize = 1 << 20
const ownSlabFrom = slabSize >> 2
/** Empty slabs kept for reuse; more go back to the system. */
const spareMax = 32

export class Slabs {
  #buffers: (Buffer | undefined)[] = []
  #live = new Float64Array(64)
  #pins = new Int32Array(64)
  #vacant: number[] = []
  #spare: Buffer[] = []
  #current = -1
  #used = 0
  #size = 0

  /** Where `append` has put the run. */
  slab = -1
  offset = 0

  /** Bytes of memory that slabs in use take; spare ones are not counted. */
  get usedSize(): number {
    return this.#size
  }

  buffer(slab: number): Buffer {
    return this.#buffers[slab]!
  }

  /** How many bytes can be appended before a new slab is begun. */
  get room(): number {
    return this.#current < 0 ? 0 : slabSize - this.#used
  }

  /** Copies a range behind the last one; its place is in `slab` and `offset`. Nothing holds it until `retain`. */
  append(bytes: Uint8Array, from: number, to: number): void {
    const size = to - from
    if (size > ownSlabFrom) {
      this.slab = this.#make(Buffer.allocUnsafeSlow(size))
      this.offset = 0
    } else {
      if (this.#current < 0 || this.#used + size > slabSize) this.#next()
      this.slab = this.#current
      this.offset = this.#used
      this.#used += size
    }
    const target = this.#buffers[this.slab]!
    if (size <= 48) for (let i = 0, t = this.offset; i < size; i++) target[t + i] = bytes[from + i]!
    else target.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.offset)
  }

  retain(slab: number, size: number): void {
    this.#live[slab]! += size
  }

  release(slab: number, size: number): void {
    const live = (this.#live[slab]! -= size)
    if (live === 0) this.settle(slab)
  }

  pin(slab: number): void {
    this.#pins[slab]!++
  }

  unpin(slab: number): void {
    if (--this.#pins[slab]! === 0) this.settle(slab)
  }

  /** Takes a slab back if nothing refers to it: after the last release or unpin, and after an append that nobody retained. */
  settle(slab: number): void {
    if (this.#live[slab] !== 0 || this.#pins[slab] !== 0) return
    if (slab === this.#current) {
      this.#used = 0
      return
    }
    const buffer = this.#buffers[slab]
    if (buffer === undefined) return
    this.#buffers[slab] = undefined
    this.#vacant.push(slab)
    this.#size -= buffer.length
    if (buffer.length === slabSize && this.#spare.length < spareMax) this.#spare.push(buffer)
  }

  /** Bytes of a slab that queues refer to. */
  liveSize(slab: number): number {
    return this.#live[slab]!
  }

  /** How much of its memory a slab is worth keeping for: below a quarter it is sparse, and its records are worth moving. */
  isSparse(slab: number): boolean {
    return slab !== this.#current && this.#live[slab]! * 4 < this.#buffers[slab]!.length
  }

  invariants(): void {
    let size = 0
    for (const [slab, buffer] of this.#buffers.entries()) {
      assert(this.#live[slab]! >= 0)
      assert(this.#pins[slab]! >= 0)
      if (buffer === undefined) assert(this.#live[slab] === 0 && this.#pins[slab] === 0)
      else size += buffer.length
      if (buffer !== undefined && slab !== this.#current) assert(this.#live[slab]! > 0 || this.#pins[slab]! > 0)
    }
    assert.equal(size, this.#size)
  }

  #next(): void {
    const full = this.#current
    this.#current = this.#make(this.#spare.pop() ?? Buffer.allocUnsafeSlow(slabSize))
    this.#used = 0
    if (full >= 0) this.settle(full)
  }

  #make(buffer: Buffer): number {
    const slab = this.#vacant.pop() ?? this.#buffers.length
    if (slab === this.#live.length) this.#grow()
    this.#buffers[slab] = buffer
    this.#live[slab] = 0
    this.#pins[slab] = 0
    this.#size += buffer.length
    return slab
  }

  #grow(): void {
    const live = new Float64Array(this.#live.length * 2)
    live.set(this.#live)
    this.#live = live
    const pins = new Int32Array(live.length)
    pins.set(this.#pins)
    this.#pins = pins
  }
}
