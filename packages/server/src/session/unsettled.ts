// Hot: written for each delivery, read for each settlement. Typed arrays only.
/**
 * The deliveries of one channel that are not settled, in the order of their tags:
 *
 *     tags      41  42  ··  44  ··  ··  47          ·· settled: `sizes` 0
 *               head                    tail
 *
 * As long as nothing has been squeezed out, a tag lies at its distance from the head; otherwise it is found by halving.
 * When the ring is full and half of it is settled it is squeezed, else it doubles; so it is bounded by what is unsettled,
 * and one delivery that is never settled costs one entry.
 */
import assert from 'node:assert'
import type { Consumer } from '../broker/queues/consumer.js'
import type { Page } from '../broker/queues/page.js'
import type { Meter } from './meter.js'

const firstCapacity = 16
/** A larger ring that has emptied is given back. */
const idleCapacity = 64 * 1024
/** A ring longer than this is squeezed as soon as three quarters of it are settled. */
const sparseSpan = 1024
/** Bytes of a place in the ring. */
const placeSize = 28

const noNumbers = new Float64Array(0)
const noSizes = new Uint32Array(0)
const noConsumers: (Consumer | undefined)[] = []

/** What is done with each delivery that a range settles. */
export interface SettleSink {
  settled(consumer: Consumer, place: number, size: number, outcome: number, delayMs: number): void
  /** Neighbours of a consumer in mode none: only its window is concerned. */
  returned(consumer: Consumer, count: number, size: number): void
}

export class Unsettled {
  #tags = noNumbers
  #places = noNumbers
  #sizes = noSizes
  #consumers: (Consumer | undefined)[] = noConsumers
  /** One less than the capacity, a power of 2; -1: there is no ring before the first delivery. */
  #mask = -1
  /** Positions rise as long as something is unsettled; `& mask` is the index. */
  #head = 0
  #tail = 0
  /** How many are unsettled. */
  count = 0
  readonly #meter: Meter

  /** The memory of the ring is counted in `meter`. */
  constructor(meter: Meter) {
    this.#meter = meter
  }

  /** Adds `count` neighbours; the size of each stands in `words` of the page, from place `index` of it on. */
  pushRun(firstTag: number, consumer: Consumer, firstPlace: number, count: number, page: Page, index: number): void {
    if (this.#tail - this.#head + count > this.#mask + 1) this.#makeRoom(count)
    const { words } = page
    const tags = this.#tags
    const places = this.#places
    const sizes = this.#sizes
    const consumers = this.#consumers
    const mask = this.#mask
    for (let n = 0, position = this.#tail, at = (index << 2) + 2; n < count; n++, position++, at += 4) {
      const i = position & mask
      tags[i] = firstTag + n
      places[i] = firstPlace + n
      sizes[i] = words[at]
      consumers[i] = consumer
    }
    this.#tail += count
    this.count += count
  }

  /** Settles what is unsettled of the tags `first` … `last`; returns how many. */
  settle(first: number, last: number, outcome: number, delayMs: number, sink: SettleSink): number {
    let settled = 0
    let gone: Consumer | undefined
    let goneCount = 0
    let goneSize = 0
    const sizes = this.#sizes
    const consumers = this.#consumers
    const mask = this.#mask
    const tail = this.#tail
    for (let position = this.#find(first); position < tail; position++) {
      const i = position & mask
      if (this.#tags[i] > last) break
      const size = sizes[i]
      if (size === 0) continue
      const consumer = consumers[i]!
      sizes[i] = 0
      consumers[i] = undefined
      settled++
      if (consumer.ack === 'none') {
        if (consumer !== gone) {
          if (gone !== undefined) sink.returned(gone, goneCount, goneSize)
          gone = consumer
          goneCount = goneSize = 0
        }
        goneCount++
        goneSize += size
      } else sink.settled(consumer, this.#places[i], size, outcome, delayMs)
    }
    if (gone !== undefined) sink.returned(gone, goneCount, goneSize)
    assert(tail === this.#tail, 'nothing is delivered in the middle of a settlement')
    this.count -= settled
    if (this.count === 0) {
      this.#head = this.#tail = 0
      if (this.#mask >= idleCapacity) this.#resize(firstCapacity)
    } else {
      while (this.#sizes[this.#head & this.#mask] === 0) this.#head++
      const span = this.#tail - this.#head
      // Else whoever settles the same range again and again would make us look through all of it each time.
      if (span > sparseSpan && this.count * 4 < span) this.#resize(capacityFor(this.count))
    }
    return settled
  }

  /** How many of a consumer's deliveries are unsettled. */
  countOf(consumer: Consumer): number {
    let count = 0
    for (let position = this.#head; position < this.#tail; position++) if (this.#consumers[position & this.#mask] === consumer) count++
    return count
  }

  /** The channel has ended, and everything is settled. */
  close(): void {
    assert.equal(this.count, 0)
    this.#resize(0)
  }

  invariants(): void {
    let count = 0
    for (let position = this.#head; position < this.#tail; position++) {
      const i = position & this.#mask
      if (position > this.#head) assert(this.#tags[(position - 1) & this.#mask] < this.#tags[i])
      assert.equal(this.#consumers[i] === undefined, this.#sizes[i] === 0)
      if (this.#sizes[i] !== 0) count++
    }
    assert.equal(count, this.count)
  }

  /** Position of the first tag at or above `tag`. */
  #find(tag: number): number {
    if (this.#head === this.#tail) return this.#tail
    const first = this.#tags[this.#head & this.#mask]
    if (tag <= first) return this.#head
    const guess = this.#head + (tag - first)
    if (guess < this.#tail && this.#tags[guess & this.#mask] === tag) return guess
    let low = this.#head
    let high = this.#tail
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.#tags[middle & this.#mask] < tag) low = middle + 1
      else high = middle
    }
    return low
  }

  #makeRoom(count: number): void {
    let capacity = Math.max(firstCapacity, this.#mask + 1)
    while (this.count * 2 > capacity || this.count + count > capacity) capacity *= 2
    this.#resize(capacity)
  }

  /** Moves what is unsettled to a ring of this capacity. */
  #resize(capacity: number): void {
    this.#meter.size += (capacity - this.#mask - 1) * placeSize
    const tags = new Float64Array(capacity)
    const places = new Float64Array(capacity)
    const sizes = new Uint32Array(capacity)
    const consumers: (Consumer | undefined)[] = new Array(capacity).fill(undefined)
    let count = 0
    for (let position = this.#head; position < this.#tail; position++) {
      const i = position & this.#mask
      if (this.#sizes[i] === 0) continue
      tags[count] = this.#tags[i]
      places[count] = this.#places[i]
      sizes[count] = this.#sizes[i]
      consumers[count] = this.#consumers[i]
      count++
    }
    this.#tags = tags
    this.#places = places
    this.#sizes = sizes
    this.#consumers = consumers
    this.#mask = capacity - 1
    this.#head = 0
    this.#tail = count
  }
}

/** A power of 2 that leaves as much room again. */
function capacityFor(count: number): number {
  return Math.max(firstCapacity, 2 ** Math.ceil(Math.log2(2 * count)))
}
