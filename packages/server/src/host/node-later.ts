/** Calls `run` once, at least `ms` later. What waits does not keep the process alive. */
export function nodeLater(ms: number, run: () => void): void {
  if (ms <= 0) setImmediate(run)
  else setTimeout(run, ms).unref()
}
