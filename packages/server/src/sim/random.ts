/** Numbers that look random and depend on a seed alone (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995
  }

  /** A stream of its own for each purpose: what one part draws does not move what the others draw. */
  static of(seed: number, purpose: string): Random {
    let hash = Math.imul(seed ^ 0x2c1b3c6d, 0x85ebca6b)
    for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193)
    return new Random(hash ^ (hash >>> 15))
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** From `least` to `most`, each order of magnitude as likely as the other: for sizes, delays and rates. */
  spread(least: number, most: number): number {
    return Math.min(most, Math.floor(least * (most / least + 1) ** this.next()))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }

  /** One of the names, as often as its weight says; undefined when all weights are 0. */
  weighted<K extends string>(weights: Readonly<Partial<Record<K, number>>>): K | undefined {
    const names = Object.keys(weights) as K[]
    let sum = 0
    for (const name of names) sum += weights[name]!
    let left = this.next() * sum
    for (const name of names) {
      left -= weights[name]!
      if (left < 0) return name
    }
    return undefined
  }
}
