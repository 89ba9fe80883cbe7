/** Time as the core sees it: told, never asked for in the middle of a turn. */
export interface Clock {
  /** Monotonic milliseconds. The only time that deadlines, delays and heartbeats are counted in. */
  now(): number
  /** Milliseconds since 1970, for people and logs; may jump. */
  wall(): number
  /** Calls `due` once at or after `at` (monotonic ms). The one timer of the process: arming again replaces it; Infinity disarms. */
  arm(at: number, due: () => void): void
  /** Calls `turn` once, after the input that is there now has been read. Asking twice is asking once. */
  soon(turn: () => void): void
}
