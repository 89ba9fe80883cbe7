/** Randomness as the core sees it; a seed in the simulator. */
export interface Entropy {
  /** A number in [0, 1). */
  random(): number
  /** `size` characters of a-z0-9 that nobody guesses. */
  name(size: number): string
}
