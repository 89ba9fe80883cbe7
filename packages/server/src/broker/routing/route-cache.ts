// Hot: every published record is looked up here. Typed arrays, no allocation but when a route is added.
/**
 * Routes by the names in a record, without decoding them: exchange size, key size, exchange and key, as they lie in it [P-3.1].
 *
 *     hash of the names ─▶ #slots   hash | serial      open addressing, at most half full
 *                                          │
 *                             serial − base = index ─▶ #routes, #starts ─▶ #words   own copy of the names, compared in full
 *
 * Names are read as little-endian words of four bytes: one with both sizes, then the bytes, filled up with zeros.
 *
 * Invariant: what `get` gives was set for exactly these names since the last `bump`. Serials rise; one below `base` is of an older
 * generation, and its slot counts as empty. So forgetting everything is one assignment, which is also what happens when the cache is
 * full: it starts over. It never holds more than `routeCountMax` routes and `namesSizeMax` bytes of names.
 *
 * Who knows the hash can make names collide: only so many slots are looked at, and a route that finds none takes the first.
 */
import assert from 'node:assert'

export interface RouteCacheOptions {
  readonly routeCountMax?: number
  readonly namesSizeMax?: number
  /** Starts the hash; should be hard to guess where publishers are not trusted. */
  readonly seed?: number
}

/** Twice as many as a busy topic exchange was measured with: a cache that is just too small is worse than none. */
const defaultRouteCountMax = 131_072
const defaultNamesSizeMax = 8 << 20
const firstSlotCount = 1_024
const firstWordCount = 4_096
const probeCountMax = 16
/** Most words that names can take: sizes, and 2 x 255 bytes. */
const wordCountMax = 1 + Math.ceil(510 / 4)
const serialMax = 0x7fffffff

/** Records whose routes are looked for together. */
const aheadMax = 64

export class RouteCache<R> {
  readonly #routeCountMax: number
  readonly #wordCountMax: number
  readonly #seed: number
  /** Hash and serial, side by side. */
  #slots = new Int32Array(firstSlotCount * 2)
  #slotMask = firstSlotCount - 1
  /** Of the oldest route that counts. */
  #base = 1
  #routes: R[] = []
  #starts = new Int32Array(firstSlotCount / 2)
  #hashes = new Int32Array(firstSlotCount / 2)
  #words = new Int32Array(firstWordCount)
  #wordCount = 0
  /** What `lookAhead` has found. */
  readonly ahead: (R | undefined)[] = new Array<R | undefined>(aheadMax).fill(undefined)
  /** Of the records that it looks at: where they begin; the hash of each, then the index of its route or -1. */
  readonly #aheadAts = new Float64Array(aheadMax)
  readonly #aheadIndexes = new Int32Array(aheadMax)
  /** Index of the route that was found or set last, or -1. It is the latest of its names: an older one may have lost its slot. */
  #last = -1

  constructor(options: RouteCacheOptions = {}) {
    this.#routeCountMax = options.routeCountMax ?? defaultRouteCountMax
    this.#wordCountMax = (options.namesSizeMax ?? defaultNamesSizeMax) >> 2
    this.#seed = (options.seed ?? 0x2f6e2b1) | 0
    assert(this.#routeCountMax >= 1)
    assert(this.#wordCountMax >= wordCountMax, 'room for the longest names')
  }

  /** How many routes it knows. */
  get size(): number {
    return this.#routes.length
  }

  /** Bytes of memory that it takes, without the routes themselves. */
  get memorySize(): number {
    const { byteLength } = this.#slots
    return byteLength + this.#starts.byteLength + this.#hashes.byteLength + this.#words.byteLength
  }

  /** The route of the record that begins at `at`, if it is known. */
  get(bytes: Uint8Array, at: number): R | undefined {
    if (this.#last >= 0 && this.#hasNames(this.#last, bytes, at)) return this.#routes[this.#last]
    const index = this.#find(this.#hashOf(bytes, at), bytes, at)
    if (index < 0) return undefined
    this.#last = index
    return this.#routes[index]
  }

  /**
   * Looks for the routes of records that stand one behind another from `at` to `end`, as many as `ahead` has room for; the size of each stands in `sizes`,
   * from index `from` on. Returns how many those are; in `ahead` there is undefined for one that has to be asked for with `get`.
   *
   * Each step is done for all records before the next step is. Thousands of routes do not fit into the cache of a processor: so it waits for many of
   * them at once, where `get` after `get` waits for one after another.
   */
  lookAhead(bytes: Uint8Array, at: number, end: number, sizes: Uint32Array, from: number): number {
    const ats = this.#aheadAts
    const indexes = this.#aheadIndexes
    let count = 0
    for (let next = at; next < end && count < aheadMax; next += sizes[from + count++]) {
      ats[count] = next
      indexes[count] = this.#hashOf(bytes, next)
    }
    for (let i = 0; i < count; i++) indexes[i] = this.#indexOf(indexes[i])
    // What the first word of the names is, is seen again below; here it is made to come near.
    for (let i = 0; i < count; i++) if (indexes[i] >= 0 && !this.#hasSizes(indexes[i], bytes, ats[i])) indexes[i] = -1
    for (let i = 0; i < count; i++) {
      const index = indexes[i]
      this.ahead[i] = index >= 0 && this.#hasNames(index, bytes, ats[i]) ? this.#routes[index] : undefined
    }
    return count
  }

  /** Remembers the route of the record that begins at `at`. */
  set(bytes: Uint8Array, at: number, route: R): void {
    const hash = this.#hashOf(bytes, at)
    const known = this.#find(hash, bytes, at)
    if (known >= 0) {
      this.#routes[known] = route
      this.#last = known
      return
    }
    const wordCount = 1 + ((bytes[at + 6]! + bytes[at + 7]! + 3) >> 2)
    if (this.#routes.length === this.#routeCountMax || this.#wordCount + wordCount > this.#wordCountMax) this.bump()
    this.#makeRoom(wordCount)
    const index = this.#routes.length
    this.#starts[index] = this.#wordCount
    this.#hashes[index] = hash
    this.#keepNames(bytes, at)
    this.#routes.push(route)
    this.#file(hash, this.#base + index)
    this.#last = index
  }

  /** Forgets everything, at once: names or bindings have changed. */
  bump(): void {
    this.#base += this.#routes.length
    this.#routes = []
    this.ahead.fill(undefined)
    this.#wordCount = 0
    this.#last = -1
    if (this.#base > serialMax - this.#routeCountMax) {
      this.#slots.fill(0)
      this.#base = 1
    }
  }

  invariants(): void {
    assert(this.#routes.length <= this.#routeCountMax)
    assert(this.#routes.length * 2 <= this.#slotMask + 1)
    assert(this.#wordCount <= this.#wordCountMax)
    assert(this.#base + this.#routes.length <= serialMax)
    let filed = 0
    for (let slot = 0; slot <= this.#slotMask; slot++) {
      const index = this.#slots[slot * 2 + 1]! - this.#base
      if (index < 0) continue
      filed++
      assert(index < this.#routes.length, 'a slot of this generation has a route')
      assert.equal(this.#slots[slot * 2], this.#hashes[index])
    }
    assert(filed <= this.#routes.length)
  }

  /** Whether the record has the names of a route. */
  #hasNames(index: number, bytes: Uint8Array, at: number): boolean {
    const words = this.#words
    let word = this.#starts[index]!
    const sizes = bytes[at + 6]! | (bytes[at + 7]! << 8)
    if (words[word] !== sizes) return false
    let i = at + 16
    const end = i + (sizes & 255) + (sizes >> 8)
    for (; i + 4 <= end; i += 4) {
      if (words[++word] !== (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))) return false
    }
    return i === end || words[word + 1] === tail(bytes, i, end)
  }

  #hasSizes(index: number, bytes: Uint8Array, at: number): boolean {
    return this.#words[this.#starts[index]] === (bytes[at + 6] | (bytes[at + 7] << 8))
  }

  /** Of the names of the record. */
  #hashOf(bytes: Uint8Array, at: number): number {
    const sizes = bytes[at + 6]! | (bytes[at + 7]! << 8)
    let hash = Math.imul(this.#seed ^ sizes, 0x9e3779b1)
    let i = at + 16
    const end = i + (sizes & 255) + (sizes >> 8)
    for (; i + 4 <= end; i += 4) {
      const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
      hash = Math.imul(hash ^ (hash >>> 15) ^ word, 0x85ebca6b)
    }
    if (i < end) hash = Math.imul(hash ^ (hash >>> 15) ^ tail(bytes, i, end), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  }

  /** Index of the first route with this hash, or -1; its names have not been looked at. */
  #indexOf(hash: number): number {
    const slots = this.#slots
    for (let probe = 0; probe < probeCountMax; probe++) {
      const slot = ((hash + probe) & this.#slotMask) << 1
      const index = slots[slot + 1]! - this.#base
      if (index < 0) return -1
      if (slots[slot] === hash) return index
    }
    return -1
  }

  /** Index of the route of the record's names, whose hash this is, or -1. */
  #find(hash: number, bytes: Uint8Array, at: number): number {
    const slots = this.#slots
    for (let probe = 0; probe < probeCountMax; probe++) {
      const slot = ((hash + probe) & this.#slotMask) << 1
      const index = slots[slot + 1]! - this.#base
      if (index < 0) return -1
      if (slots[slot] === hash && this.#hasNames(index, bytes, at)) return index
    }
    return -1
  }

  /** Writes the names of the record behind those that there are, as words. */
  #keepNames(bytes: Uint8Array, at: number): void {
    const words = this.#words
    const sizes = bytes[at + 6]! | (bytes[at + 7]! << 8)
    let word = this.#wordCount
    words[word++] = sizes
    let i = at + 16
    const end = i + (sizes & 255) + (sizes >> 8)
    for (; i + 4 <= end; i += 4) words[word++] = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    if (i < end) words[word++] = tail(bytes, i, end)
    this.#wordCount = word
  }

  #file(hash: number, serial: number): void {
    const slots = this.#slots
    let slot = (hash & this.#slotMask) << 1
    for (let probe = 0; probe < probeCountMax; probe++) {
      const other = ((hash + probe) & this.#slotMask) << 1
      if (slots[other + 1]! >= this.#base) continue
      slot = other
      break
    }
    slots[slot] = hash
    slots[slot + 1] = serial
  }

  /** Makes room for one more route, and names of so many words; within the limits, as they were checked before. */
  #makeRoom(wordCount: number): void {
    if (this.#wordCount + wordCount > this.#words.length) {
      this.#words = copied(this.#words, Math.min(this.#wordCountMax, this.#words.length * 2))
    }
    const count = this.#routes.length
    if (count < this.#starts.length) return
    this.#starts = copied(this.#starts, count * 2)
    this.#hashes = copied(this.#hashes, count * 2)
    this.#slots = new Int32Array(this.#slots.length * 2)
    this.#slotMask = this.#slotMask * 2 + 1
    for (let index = 0; index < count; index++) this.#file(this.#hashes[index]!, this.#base + index)
  }
}

/** The last one to three bytes as a word. */
function tail(bytes: Uint8Array, from: number, end: number): number {
  let word = bytes[from]!
  if (from + 1 < end) word |= bytes[from + 1]! << 8
  if (from + 2 < end) word |= bytes[from + 2]! << 16
  return word
}

function copied(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length)
  to.set(from)
  return to
}
