/** What programs hand to the calls of a channel, checked at the edge. A mistake is a UsageError, thrown at once. */
import { Flag, Level } from '@waybill/protocol'
import { UsageError } from './errors.js'
import type { PublishOptions } from './types.js'

/** The flags of PUBLISH. [P-4.1] */
export function flagsOf(options: PublishOptions): number {
  const { confirm, mandatory, persistent } = options
  checkFlag('mandatory', mandatory)
  checkFlag('persistent', persistent)
  let flags: number = Flag.confirm
  if (mandatory === true) flags |= Flag.mandatory
  if (confirm === 'received') flags |= Level.received << Flag.levelShift
  else if (confirm === 'synced') flags |= Level.synced << Flag.levelShift
  else if (confirm !== undefined) throw new UsageError('OPTION_INVALID', `confirm is 'received' or 'synced', not '${String(confirm)}'`)
  return flags
}

function checkFlag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw new UsageError('OPTION_INVALID', `${name} is true or false`)
}

export function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw new UsageError('OPTION_INVALID', 'the handler is a function of the message')
}

/** For `on` and `off` of something that has one event. */
export function checkListener(what: string, event: unknown, only: string, listener: unknown): void {
  if (event !== only) throw new UsageError('EVENT_UNKNOWN', `${what} has no event '${String(event)}'; it has '${only}'`)
  if (typeof listener !== 'function')
    throw new UsageError('OPTION_INVALID', `a listener of '${only}' is a function, not ${nameOf(listener)}`)
}

export function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}

/** A limit of messages or bytes that the program keeps to itself: there may be none. */
export function checkCount(name: string, value: unknown): void {
  if (value !== Infinity && !(Number.isInteger(value) && (value as number) >= 1)) {
    throw new UsageError('OPTION_INVALID', `${name} is a whole number, 1 or more, or Infinity`)
  }
}

export function checkedTimeout(timeoutMs: number): number {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0))
    throw new UsageError('OPTION_INVALID', 'timeoutMs is a number of milliseconds above 0')
  return timeoutMs
}

export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new UsageError('OPTION_INVALID', 'signal is an AbortSignal')
}

/** How long a close may take: undefined is the default. */
export function closeTimeoutOf(options: { timeoutMs?: number }, otherwise: number): number {
  checkOptions('close', options, ['timeoutMs'])
  const { timeoutMs = otherwise } = options
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw new UsageError('OPTION_INVALID', 'timeoutMs of close is a number of milliseconds, 0 or more')
  }
  return timeoutMs
}

export function checkHeaders(headers: unknown): void {
  if (headers !== undefined && (typeof headers !== 'object' || headers === null || Array.isArray(headers))) {
    throw new UsageError('PROPERTY_INVALID', 'headers are an object of names and values')
  }
}

export function checkReason(reason: unknown): void {
  if (reason !== undefined && typeof reason !== 'string')
    throw new UsageError('OPTION_INVALID', `a reason is a string, not ${typeof reason}`)
}

export function checkOptions(what: string, options: object, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new UsageError('OPTION_INVALID', `the options of ${what} are an object`)
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new UsageError('OPTION_UNKNOWN', `${what} has no option '${unknown}'; there are ${names.join(', ')}`)
}

/** Without the fields that are undefined: JSON has no place for them, and the broker refuses what it does not know. */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
