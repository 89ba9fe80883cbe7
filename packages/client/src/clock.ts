/**
 * Time and chance, as the client is given them. Nothing else in this package asks for the time, sets a timer or throws dice,
 * so that the same client runs on a virtual clock and from a seed.
 */
import { performance } from 'node:perf_hooks'

/** What `setTimeout` gave; only `clearTimeout` of the same clock looks into it. */
export type Timer = unknown

export interface Clock {
  /** Milliseconds since 1970; monotonic: it never goes back and never jumps. */
  now(): number
  /** Calls `callback` once, `delayMs` or more from now. */
  setTimeout(callback: () => void, delayMs: number): Timer
  clearTimeout(timer: Timer): void
  /** A number in [0, 1). */
  random(): number
}

/** Longer delays wrap around in Node and would fire at once. */
export const delayMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, Math.min(delayMs, delayMsMax)),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  random: () => Math.random(),
}

const letters = 'abcdefghijklmnopqrstuvwxyz234567'

/** A name that nobody else has: `size` letters of 5 bits each. Not a secret. */
export function randomName(clock: Clock, size: number): string {
  let name = ''
  for (let i = 0; i < size; i++) name += letters[Math.floor(clock.random() * letters.length)]
  return name
}
