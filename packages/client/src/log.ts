/**
 * What the client has to say when nobody listens: structured entries, for the program's logger or as single lines on stderr.
 *
 *     waybill connection-lost localhost:7670 CONNECTION_LOST: the broker closed the connection
 *
 * Without a logger of the program only warnings and errors are written. Never a body, never a password.
 */
import type { Clock } from './clock.js'

export interface LogEntry {
  level: 'debug' | 'info' | 'warn' | 'error'
  event: string
  [key: string]: unknown
}

export type Log = (entry: LogEntry) => void

/** One line; the values of the fields, `message` last. */
export function formatEntry(entry: LogEntry): string {
  const { level: _level, event, message, ...fields } = entry
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const line = ['waybill', event, ...parts, ...(message === undefined ? [] : [`- ${String(message)}`])].join(' ')
  return line.replace(/[\r\n]+/g, ' ')
}

/** Warnings and errors to stderr, a line each. */
export const stderrLog: Log = (entry) => {
  if (entry.level === 'warn' || entry.level === 'error') process.stderr.write(`${formatEntry(entry)}\n`)
}

/** A logger that cannot take the client down with it. */
export function safely(log: Log): Log {
  return (entry) => {
    try {
      log(entry)
    } catch (error) {
      process.stderr.write(`waybill log-failed - ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
}

const burstMax = 5
const windowMs = 10_000

/** Lets the first few entries of each 10 s through; the next entry that gets through says how many did not. */
export class RateLimit {
  readonly #clock: Clock
  #windowStart = -Infinity
  #count = 0
  #suppressed = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Undefined: keep quiet. Otherwise how many were kept quiet before this one. */
  pass(): number | undefined {
    const now = this.#clock.now()
    if (now - this.#windowStart >= windowMs) {
      this.#windowStart = now
      this.#count = 0
    }
    if (this.#count >= burstMax) {
      this.#suppressed++
      return undefined
    }
    this.#count++
    const suppressed = this.#suppressed
    this.#suppressed = 0
    return suppressed
  }
}
