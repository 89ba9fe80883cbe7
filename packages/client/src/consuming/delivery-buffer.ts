/** Deliveries that have come and not started, first in, first out: a ring that grows up to what the window of the consumer lets through. */
import type { Delivery } from './message.js'

const capacityMin = 16

export class DeliveryBuffer {
  #ring: (Delivery | undefined)[] = new Array(capacityMin).fill(undefined)
  #first = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  push(delivery: Delivery): void {
    if (this.#count === this.#ring.length) this.#grow()
    this.#ring[(this.#first + this.#count++) & (this.#ring.length - 1)] = delivery
  }

  shift(): Delivery | undefined {
    if (this.#count === 0) return undefined
    const delivery = this.#ring[this.#first]
    this.#ring[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.#count--
    return delivery
  }

  /** Empties it; returns what was there, in order. */
  takeAll(): Delivery[] {
    const all: Delivery[] = []
    for (let next = this.shift(); next !== undefined; next = this.shift()) all.push(next)
    return all
  }

  #grow(): void {
    const ring = new Array(this.#ring.length * 2).fill(undefined)
    for (let i = 0; i < this.#count; i++) ring[i] = this.#ring[(this.#first + i) & (this.#ring.length - 1)]
    this.#ring = ring
    this.#first = 0
  }
}
