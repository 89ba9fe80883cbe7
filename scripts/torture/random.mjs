/** Random numbers from a seed (mulberry32): what a fault does when, so that a run can be tried again. Processes and disks have a time of their own. */
export class Random {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  /** At least 0 and below 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min, max) {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(probability) {
    return this.next() < probability
  }

  pick(items) {
    return items[Math.floor(this.next() * items.length)]
  }

  /** Another source that nothing asked of this one later can change. */
  fork() {
    return new Random(this.whole(0, 2 ** 32 - 1))
  }
}
