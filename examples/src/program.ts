/** The three things that each program here does: read its options, leave when it is told to, and say why it cannot start. */
import { parseArgs } from 'node:util'

/** The options of the command line, `--broker …`; each has a default, and one that is not known ends the program. */
export function options<T extends Readonly<Record<string, string>>>(defaults: T): { readonly [K in keyof T]: string } {
  const known = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { type: 'string' as const, default: value }]))
  return parseArgs({ options: known }).values as { readonly [K in keyof T]: string }
}

/**
 * Runs `leave` once when the program is asked to end: by Ctrl-C, by SIGTERM, or because the demo that started it is gone.
 * What is in work is finished first; then nothing is left to do, and the process ends.
 */
export function whenAsked(leave: () => Promise<unknown>): void {
  let leaving = false
  const leaveOnce = () => {
    if (leaving) return
    leaving = true
    leave().then(() => process.exit(0), fail)
  }
  for (const sign of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.on(sign, leaveOnce)
  if (process.connected === false) leaveOnce() // the demo was gone before we could hear of it
}

/** Runs a program: a failure is one line and the exit code 1. */
export function run(main: () => Promise<void>): void {
  main().catch(fail)
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
