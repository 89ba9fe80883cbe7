/**
 * Hot: the messages of one channel that have been sent and not been decided, a ring indexed by their sequence on the wire.
 *
 *     sequence   first ─────────────── next - 1      slot = sequence & (capacity - 1)
 *
 * Columns instead of objects: publishing a million messages makes nothing for the garbage collector here.
 *
 * Invariant: next - first <= capacity, a power of two; a slot outside of first..next-1 holds no reference.
 */
import type { Origin } from './origin.js'

const capacityMin = 64
/** Beside the flags of the frame: the message was sent before, on a connection that was lost. */
export const resentFlag = 0x80
/** Messages published without confirm are named in no CONFIRM but their refusal is; so many of them are remembered for it. */
export const forgetfulCountMax = 32 * 1024

export class Window {
  first = 1
  next = 1
  origins: (Origin | undefined)[] = new Array(capacityMin).fill(undefined)
  /** The origin's own number of the message. */
  numbers = new Float64Array(capacityMin)
  keys: string[] = new Array(capacityMin).fill('')
  sizes = new Uint32Array(capacityMin)
  deadlines = new Float64Array(capacityMin)
  flags = new Uint8Array(capacityMin)
  /** The record, when it may have to be sent again. */
  records: (Uint8Array | undefined)[] | undefined
  mask = capacityMin - 1

  /** `keepsRecords`: push is given the bytes, for sending them again. */
  constructor(keepsRecords: boolean) {
    this.records = keepsRecords ? new Array(capacityMin).fill(undefined) : undefined
  }

  get count(): number {
    return this.next - this.first
  }

  /** Appends the message with sequence `next`. */
  push(origin: Origin, number: number, key: string, size: number, deadline: number, flags: number, record: Uint8Array | undefined): void {
    if (this.next - this.first > this.mask) this.#grow()
    const slot = this.next++ & this.mask
    this.origins[slot] = origin
    this.numbers[slot] = number
    this.keys[slot] = key
    this.sizes[slot] = size
    this.deadlines[slot] = deadline
    this.flags[slot] = flags
    if (this.records !== undefined) this.records[slot] = record
  }

  /** The slot's message is decided; the slot itself goes when `first` passes it. */
  forget(slot: number): void {
    this.origins[slot] = undefined
    this.keys[slot] = ''
    if (this.records !== undefined) this.records[slot] = undefined
  }

  /** Nothing is in flight; sequences begin again at 1. The caller has taken care of what was there. */
  reset(): void {
    const { mask } = this
    for (let sequence = this.first; sequence < this.next; sequence++) this.forget(sequence & mask)
    this.first = 1
    this.next = 1
  }

  #grow(): void {
    const from = this.mask
    const capacity = (this.mask + 1) * 2
    const { origins, numbers, keys, sizes, deadlines, flags, records } = this
    this.origins = new Array(capacity).fill(undefined)
    this.numbers = new Float64Array(capacity)
    this.keys = new Array(capacity).fill('')
    this.sizes = new Uint32Array(capacity)
    this.deadlines = new Float64Array(capacity)
    this.flags = new Uint8Array(capacity)
    if (records !== undefined) this.records = new Array(capacity).fill(undefined)
    this.mask = capacity - 1
    for (let sequence = this.first; sequence < this.next; sequence++) {
      const old = sequence & from
      const slot = sequence & this.mask
      this.origins[slot] = origins[old]
      this.numbers[slot] = numbers[old]
      this.keys[slot] = keys[old]
      this.sizes[slot] = sizes[old]
      this.deadlines[slot] = deadlines[old]
      this.flags[slot] = flags[old]
      if (records !== undefined && this.records !== undefined) this.records[slot] = records[old]
    }
  }
}
