// Hot: written for each delivery. Typed arrays only.
/**
 * What a turn delivers to one session, as runs: neighbours in a slab with neighbouring message ids, for one consumer and
 * with the same counts, go out as one DELIVER frame. [P-5.2]
 *
 *     slab     │····[rec][rec][rec]······│        one run: offset, size, count, first tag, first id
 *
 * Each slab that a run lies in is pinned from the first delivery until the transport has taken the bytes.
 */
import { deliverCountsSize, deliverHeaderSize, Flag, frameHeaderSize, writeDeliverHeader } from '@waybill/protocol'
import { runSizeMax } from '../broker/queues/consumer.js'
import { Meta } from '../broker/queues/page.js'
import type { Slabs } from '../broker/store/slabs.js'
import type { Output } from './output.js'

const countsMask = Meta.countMax | (Meta.countMax << Meta.failureShift) | Meta.redelivered

const nothing = new Uint32Array(0)
const noNumbers = new Float64Array(0)
/** Columns larger than this are given up when a turn has used little of them. */
const capacityIdle = 4096

export class Deliveries {
  #capacity = 0
  #slabs = nothing
  #offsets = nothing
  #sizes = nothing
  #counts = nothing
  #consumers = nothing
  #metas = nothing
  #channels = nothing
  #firstTags = noNumbers
  #firstIds = noNumbers
  #count = 0
  /** Slabs that a write of this turn reads from, each as often as it has been pinned. */
  pinned: number[] = []
  /** Bytes of the records in all runs. */
  size = 0

  get count(): number {
    return this.#count
  }

  add(
    slabs: Slabs,
    channel: number,
    consumer: number,
    tag: number,
    count: number,
    slab: number,
    offset: number,
    size: number,
    id: number,
    meta: number,
  ): void {
    const counts = meta & countsMask
    const last = this.#count - 1
    this.size += size
    if (
      last >= 0 &&
      this.#offsets[last] + this.#sizes[last] === offset &&
      this.#slabs[last] === slab &&
      this.#firstIds[last] + this.#counts[last] === id &&
      this.#consumers[last] === consumer &&
      this.#metas[last] === counts &&
      this.#channels[last] === channel &&
      this.#firstTags[last] + this.#counts[last] === tag &&
      this.#sizes[last] + size <= runSizeMax
    ) {
      this.#sizes[last] += size
      this.#counts[last] += count
      return
    }
    if (this.#count === this.#capacity) this.#grow()
    const i = this.#count++
    this.#slabs[i] = slab
    this.#offsets[i] = offset
    this.#sizes[i] = size
    this.#counts[i] = count
    this.#consumers[i] = consumer
    this.#metas[i] = counts
    this.#channels[i] = channel
    this.#firstTags[i] = tag
    this.#firstIds[i] = id
    if (this.pinned.length === 0 || this.pinned[this.pinned.length - 1] !== slab) {
      slabs.pin(slab)
      this.pinned.push(slab)
    }
  }

  /** Writes all runs; afterwards there are none. The pins stay, the caller has them. */
  write(slabs: Slabs, output: Output): void {
    for (let i = 0; i < this.#count; i++) {
      const meta = this.#metas[i]
      const deliveryCount = meta & Meta.countMax
      const failureCount = (meta >>> Meta.failureShift) & Meta.countMax
      let flags = (meta & Meta.redelivered) === 0 ? 0 : Flag.redelivered | Flag.counts
      if (deliveryCount !== 1 || failureCount !== 0) flags |= Flag.counts
      output.reserve(frameHeaderSize + deliverHeaderSize + deliverCountsSize)
      output.at = writeDeliverHeader(
        output.view,
        output.at,
        flags,
        this.#channels[i],
        this.#firstTags[i],
        this.#firstIds[i],
        this.#counts[i],
        this.#consumers[i],
        deliveryCount,
        failureCount,
        this.#sizes[i],
      )
      const offset = this.#offsets[i]
      output.range(slabs.buffer(this.#slabs[i]), offset, offset + this.#sizes[i])
    }
    const small = this.#count * 8 < this.#capacity
    this.#count = 0
    this.size = 0
    if (small && this.#capacity > capacityIdle) this.#resize(0)
  }

  /** Nobody will take them any more. */
  drop(slabs: Slabs): void {
    for (const slab of this.pinned) slabs.unpin(slab)
    this.pinned.length = 0
    this.#count = 0
    this.size = 0
  }

  #grow(): void {
    this.#resize(this.#capacity === 0 ? 4 : this.#capacity * 4)
  }

  #resize(capacity: number): void {
    const resized = (from: Uint32Array<ArrayBuffer>) => copyOf(from, new Uint32Array(capacity))
    this.#slabs = resized(this.#slabs)
    this.#offsets = resized(this.#offsets)
    this.#sizes = resized(this.#sizes)
    this.#counts = resized(this.#counts)
    this.#consumers = resized(this.#consumers)
    this.#metas = resized(this.#metas)
    this.#channels = resized(this.#channels)
    this.#firstTags = copyOf(this.#firstTags, new Float64Array(capacity))
    this.#firstIds = copyOf(this.#firstIds, new Float64Array(capacity))
    this.#capacity = capacity
  }
}

function copyOf<A extends Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(from: A, to: A): A {
  if (to.length >= from.length) to.set(from)
  return to
}
