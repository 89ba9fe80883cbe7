/** Calls `run` at least `ms` later; a test waits for it. */
export function later(ms: number, run: () => void): void {
  if (ms <= 0) setImmediate(run)
  else setTimeout(run, ms)
}
