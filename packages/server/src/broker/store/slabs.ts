// Hot: every stored byte passes here. Offsets and typed arrays only.
/**
 * Where the bytes of records lie: slabs of 1 MiB, filled from the front and never changed.
 *
 *     arena   │ slab 0            │ slab 1            │ slab 2            │ …       one buffer, 32 slabs
 *             │ r r r r r r r r ─ │ r r r ─ ─ ─ ─ ─ ─ │ landing, output   │
 *               live > 0: kept      current
 *
 * A slab counts the bytes that queues refer to (`live`: a record in three queues counts three times) and the writes
 * under way that read from it (`pins`). When both are 0 it is used again; so what a socket has been given stays unchanged,
 * whatever becomes of the message.
 *
 * Slabs are cut from arenas because a copy inside one buffer costs a third of a copy between two; landing and output buffers are
 * slabs too. Slabs of the first arena are taken first. The others are given back when nothing in them is used. A run of records
 * larger than a quarter of a slab gets a buffer of its own size.
 *
 * Offsets are offsets in `buffer(slab)`, the whole arena.
 */
import assert from 'node:assert'

export const slabSize = 1 << 20
const slabsPerArena = 32
const ownBufferFrom = slabSize >> 2
/** The arena of a slab that is a buffer of its own. */
const own = -1

interface Arena {
  readonly buffer: Buffer
  /** Starts of the slabs that are free; the last one goes first. */
  readonly free: number[]
}

export class Slabs {
  #arenas: (Arena | undefined)[] = []
  #buffers: (Buffer | undefined)[] = []
  #arenaOf = new Int32Array(64)
  #starts = new Float64Array(64)
  #live = new Float64Array(64)
  #pins = new Int32Array(64)
  #vacant: number[] = []
  #current = own
  /** Where the next record goes, and the end of the current slab. */
  #at = 0
  #end = 0
  #size = 0

  /** Where `append` has put the run. */
  slab = -1
  offset = 0

  /** Bytes of memory of the slabs in use. */
  get usedSize(): number {
    return this.#size
  }

  buffer(slab: number): Buffer {
    return this.#buffers[slab]!
  }

  /** Where a slab begins in its buffer. */
  start(slab: number): number {
    return this.#starts[slab]
  }

  /** How many bytes can be appended before a new slab is begun. */
  get room(): number {
    return this.#end - this.#at
  }

  /** Copies a range behind the last one; its place is in `slab` and `offset`. Nothing holds it until `retain`. */
  append(bytes: Uint8Array, from: number, to: number): void {
    const size = to - from
    if (size > ownBufferFrom) {
      this.slab = this.#file(Buffer.allocUnsafeSlow(size), own, 0, size)
      this.offset = 0
    } else {
      if (this.#at + size > this.#end) this.#next()
      this.slab = this.#current
      this.offset = this.#at
      this.#at += size
    }
    const target = this.#buffers[this.slab]!
    if (target === bytes) target.copyWithin(this.offset, from, to)
    else target.set(bytes.subarray(from, to), this.offset)
  }

  /** A slab for other bytes than records: what is landing, what goes out. It is pinned; `unpin` gives it back. */
  reserve(): number {
    const slab = this.#take()
    this.#pins[slab]++
    return slab
  }

  retain(slab: number, size: number): void {
    this.#live[slab] += size
  }

  release(slab: number, size: number): void {
    this.#live[slab] -= size
    if (this.#live[slab] === 0) this.settle(slab)
  }

  pin(slab: number): void {
    this.#pins[slab]++
  }

  unpin(slab: number): void {
    if (--this.#pins[slab] === 0) this.settle(slab)
  }

  /** Takes a slab back if nothing refers to it: after the last release or unpin, and after an append that nobody retained. */
  settle(slab: number): void {
    if (this.#live[slab] !== 0 || this.#pins[slab] !== 0) return
    if (slab === this.#current) {
      this.#at = this.#starts[slab]
      return
    }
    const buffer = this.#buffers[slab]
    if (buffer === undefined) return
    this.#buffers[slab] = undefined
    this.#vacant.push(slab)
    const index = this.#arenaOf[slab]
    if (index === own) {
      this.#size -= buffer.length
      return
    }
    this.#size -= slabSize
    const { free } = this.#arenas[index]!
    free.push(this.#starts[slab])
    if (index > 0 && free.length === slabsPerArena) this.#arenas[index] = undefined
  }

  /** Whether a reserved slab is used by nobody but who reserved it. */
  isIdle(slab: number): boolean {
    return this.#live[slab] === 0 && this.#pins[slab] === 1
  }

  /** Bytes of a slab that queues refer to. */
  liveSize(slab: number): number {
    return this.#live[slab]
  }

  /** Whether so little of a slab is live that its records are worth moving. */
  isSparse(slab: number): boolean {
    return slab !== this.#current && this.#arenaOf[slab] !== own && this.#live[slab] * 4 < slabSize
  }

  /** Bytes of memory of the slabs that are sparse. */
  sparseSize(): number {
    let size = 0
    for (let slab = 0; slab < this.#buffers.length; slab++) {
      if (this.#buffers[slab] !== undefined && this.#live[slab] > 0 && this.isSparse(slab)) size += slabSize
    }
    return size
  }

  invariants(): void {
    let size = 0
    for (const [slab, buffer] of this.#buffers.entries()) {
      assert(this.#live[slab] >= 0)
      assert(this.#pins[slab] >= 0)
      if (buffer === undefined) {
        assert(this.#live[slab] === 0 && this.#pins[slab] === 0)
        continue
      }
      size += this.#arenaOf[slab] === own ? buffer.length : slabSize
      if (slab !== this.#current) assert(this.#live[slab] > 0 || this.#pins[slab] > 0)
    }
    assert.equal(size, this.#size)
  }

  #next(): void {
    const full = this.#current
    this.#current = this.#take()
    this.#at = this.#starts[this.#current]
    this.#end = this.#at + slabSize
    if (full >= 0) this.settle(full)
  }

  /** A free slab of the first arena that has one. */
  #take(): number {
    let index = 0
    while (this.#arenas[index] === undefined || this.#arenas[index]!.free.length === 0) {
      if (this.#arenas[index] === undefined) this.#arenas[index] = newArena()
      else index++
    }
    const { buffer, free } = this.#arenas[index]!
    return this.#file(buffer, index, free.pop()!, slabSize)
  }

  #file(buffer: Buffer, arena: number, start: number, size: number): number {
    const slab = this.#vacant.pop() ?? this.#buffers.length
    if (slab === this.#live.length) this.#grow()
    this.#buffers[slab] = buffer
    this.#arenaOf[slab] = arena
    this.#starts[slab] = start
    this.#live[slab] = 0
    this.#pins[slab] = 0
    this.#size += size
    return slab
  }

  #grow(): void {
    const capacity = this.#live.length * 2
    this.#live = copied(this.#live, new Float64Array(capacity))
    this.#starts = copied(this.#starts, new Float64Array(capacity))
    this.#pins = copied(this.#pins, new Int32Array(capacity))
    this.#arenaOf = copied(this.#arenaOf, new Int32Array(capacity))
  }
}

/** Its memory is the system's until a slab of it is written. */
function newArena(): Arena {
  const free: number[] = []
  for (let i = slabsPerArena - 1; i >= 0; i--) free.push(i * slabSize)
  return { buffer: Buffer.allocUnsafeSlow(slabsPerArena * slabSize), free }
}

function copied<A extends Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(from: A, to: A): A {
  to.set(from)
  return to
}
