/**
 * Random tests that can be run again: numbers from a seed alone, and the command that replays the seed that failed.
 */
const replayed = process.env.WAYBILL_SEED === undefined ? undefined : Number(process.env.WAYBILL_SEED)

/** Seeds 1 to `count`, or only the one that WAYBILL_SEED names. */
export function seeds(count: number): number[] {
  return replayed === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [replayed]
}

/** What to type to run one seed of a test file again. */
export function replayCommand(seed: number, file: string): string {
  return `WAYBILL_SEED=${seed} npm test -- packages/protocol/test/${file}`
}

/** Numbers that look random and depend on the seed alone (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995
  }

  /** 32 bits. */
  bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return (x ^ (x >>> 14)) >>> 0
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor((this.bits() / 0x1_0000_0000) * count)
  }

  chance(probability: number): boolean {
    return this.bits() / 0x1_0000_0000 < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }
}
