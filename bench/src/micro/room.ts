/** One hot piece of code, measured alone in this process, in nanoseconds for each operation. */
export interface Room {
  readonly name: string
  /** What one operation is. */
  readonly operation: string
  /** Prepares, and returns what is timed; that returns how many operations it has done. */
  prepare(): () => number
}

export interface Timing {
  /** Rounds whose median counts. */
  readonly rounds: number
  /** Each round lasts at least this long; so does the warm-up before the first. */
  readonly roundMs: number
}

/** Nanoseconds an operation, one figure for each round. */
export function timeRoom(room: Room, timing: Timing): number[] {
  const run = room.prepare()
  nanoseconds(run, timing.roundMs)
  return Array.from({ length: timing.rounds }, () => nanoseconds(run, timing.roundMs))
}

function nanoseconds(run: () => number, atLeastMs: number): number {
  const startedAt = process.hrtime.bigint()
  const endAt = startedAt + BigInt(Math.ceil(atLeastMs * 1e6))
  let operations = 0
  let now = startedAt
  do {
    operations += run()
    now = process.hrtime.bigint()
  } while (now < endAt)
  return Number(now - startedAt) / operations
}
