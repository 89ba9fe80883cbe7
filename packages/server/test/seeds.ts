/**
 * Random tests that can be run again. Each seed is a program of its own; the first that fails is printed with the command that
 * replays it alone, and is then thrown, so that the test fails where it broke.
 */
import type { Test } from 'tap'

const replayed = process.env.WAYBILL_SEED === undefined ? undefined : Number(process.env.WAYBILL_SEED)

/** Calls `run` for seeds 1 to `count`, or only for the one named by WAYBILL_SEED. */
export async function forSeeds(t: Test, count: number, run: (random: Random, seed: number) => void | Promise<void>): Promise<void> {
  const seeds = replayed === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [replayed]
  for (const seed of seeds) {
    try {
      await run(new Random(seed), seed)
    } catch (error) {
      t.comment(`seed ${seed}; run it again: WAYBILL_SEED=${seed} npm test -- ${process.argv[1] ?? 'server'}`)
      throw error
    }
  }
  t.pass(`${seeds.length} seeds`)
}

/** Numbers that look random and depend on the seed alone (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 0x100000000
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }
}
