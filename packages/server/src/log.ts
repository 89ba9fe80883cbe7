/**
 * The log: one line an event, as text or JSON.
 *
 *     2026-11-21T10:00:00.000Z info  connection-opened connection=7 remote=127.0.0.1:50412 user="ann b"
 *     {"time":"2026-11-21T10:00:00.000Z","level":"info","event":"connection-opened","connection":7, …}
 *
 * What peers send may stand in fields, so nothing in them is trusted: control characters and those that turn or hide text are
 * escaped, so that a line stays one line and looks like what it is; sizes are bounded; bytes are counted, not shown; a `Secret`
 * and a field whose name says that it is one are `***`. The same event more than 20 times in 10 s is counted, and the count comes
 * with its next line: `suppressed=1204`.
 */
import type { Logger } from './ports/logger.js'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Called with each entry in place of writing a line; what it throws is dropped, as a log must not end what it tells of. */
export type LogSink = (entry: { level: LogLevel; event: string; [field: string]: unknown }) => void

export interface LogOptions {
  readonly form: 'json' | 'text' | 'none' | LogSink
  /** Takes a line with its end. */
  readonly write: (line: string) => void
  /** Milliseconds since 1970. */
  readonly wall: () => number
  /** 'info' */
  readonly levelMin?: LogLevel
}

const levels = { debug: 0, info: 1, warn: 2, error: 3 } as const
const textSizeMax = 256
const lineSizeMax = 4_096
const fieldCountMax = 32
const itemCountMax = 16
const depthMax = 2
const eventCountMax = 256
const burstMax = 20
const windowMs = 10_000

export function makeLogger({ form, write, wall, levelMin = 'info' }: LogOptions): Logger {
  if (form === 'none') return () => undefined
  const limiter = new EventLimiter()
  return (level, event, fields = {}) => {
    if (levels[level] < levels[levelMin]) return
    const now = wall()
    const suppressed = limiter.enter(event, now)
    if (suppressed < 0) return
    const shown = shownFields(suppressed === 0 ? fields : { ...fields, suppressed })
    try {
      if (typeof form === 'function') form({ ...shown, level, event })
      else write(form === 'json' ? jsonLine(now, level, event, shown) : textLine(now, level, event, shown))
    } catch {
      // See LogSink: the next entry may fare better.
    }
  }
}

type Shown = string | number | boolean | null | readonly Shown[] | { readonly [name: string]: Shown }

/** How often each event was told of lately. Events are names in our code, and are bounded all the same. */
class EventLimiter {
  readonly #windows = new Map<string, { start: number; count: number; suppressed: number }>()

  /** -1: not to be told; else how many were not since the last that was. */
  enter(event: string, now: number): number {
    let window = this.#windows.get(event)
    if (window === undefined) {
      if (this.#windows.size === eventCountMax) this.#windows.clear()
      window = { start: now, count: 0, suppressed: 0 }
      this.#windows.set(event, window)
    }
    // The clock on the wall may have been turned back.
    if (now < window.start || now - window.start >= windowMs) {
      window.start = now
      window.count = 0
    }
    if (++window.count > burstMax) {
      window.suppressed++
      return -1
    }
    const { suppressed } = window
    window.suppressed = 0
    return suppressed
  }
}

/** The fields as they may be shown: safe values, bounded in count and size. */
function shownFields(fields: Readonly<Record<string, unknown>>): Record<string, Shown> {
  const shown: Record<string, Shown> = {}
  let more = 0
  let count = 0
  let size = 0
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    const safe = isSecretName(name) ? '***' : shownValue(value, 0)
    const fieldSize = name.length + JSON.stringify(safe).length
    if (count === fieldCountMax || size + fieldSize > lineSizeMax) more++
    else {
      shown[isOurs(name) ? `${name}_` : cut(name)] = safe
      count++
      size += fieldSize
    }
  }
  if (more > 0) shown.more = more
  return shown
}

function isSecretName(name: string): boolean {
  return /password|passphrase|secret|token|credential|authorization|privatekey/i.test(name)
}

function isOurs(name: string): boolean {
  return name === 'time' || name === 'level' || name === 'event' || name === '__proto__'
}

function shownValue(value: unknown, depth: number): Shown {
  switch (typeof value) {
    case 'string':
      return cut(value)
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return cut(String(value))
    case 'object':
      return value === null ? null : shownObject(value, depth)
    default:
      return `<${typeof value}>`
  }
}

function shownObject(value: object, depth: number): Shown {
  if (value instanceof Error) {
    const { code } = value as { code?: unknown }
    return cut(`${typeof code === 'string' ? `${code}: ` : ''}${value.message}`)
  }
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`
  if ('toJSON' in value && typeof value.toJSON === 'function') return shownValue(value.toJSON(), depth + 1)
  if (depth === depthMax) return '<object>'
  if (Array.isArray(value)) {
    const items = value.slice(0, itemCountMax).map((item) => shownValue(item, depth + 1))
    return value.length > itemCountMax ? [...items, `<${value.length - itemCountMax} more>`] : items
  }
  const entries = Object.entries(value).slice(0, itemCountMax)
  return Object.fromEntries(entries.map(([name, item]) => [cut(name), isSecretName(name) ? '***' : shownValue(item, depth + 1)]))
}

function cut(text: string): string {
  return text.length <= textSizeMax ? text : `${text.slice(0, textSizeMax)}… (${text.length})`
}

function jsonLine(now: number, level: LogLevel, event: string, shown: Record<string, Shown>): string {
  return `${quoted({ time: new Date(now).toISOString(), level, event, ...shown })}\n`
}

function textLine(now: number, level: LogLevel, event: string, shown: Record<string, Shown>): string {
  const fields = Object.entries(shown).map(([name, value]) => ` ${bare(name)}=${bare(value)}`)
  return `${new Date(now).toISOString()} ${level.padEnd(5)} ${bare(event)}${fields.join('')}\n`
}

/** A value without quotes where it cannot be mistaken. */
function bare(value: Shown): string {
  return typeof value === 'string' && /^[\w.:/@+*[\]-]+$/.test(value) ? value : quoted(value)
}

/** As JSON, with what JSON leaves alone but a terminal or an editor does not: controls, line ends, directions, and what has no width. */
function quoted(value: Shown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
