/**
 * What goes wrong, as a program sees it: a class for who must act, a `code` for what it was. Messages are for people and may change.
 *
 * Codes of errors that the broker reports are the names of the specification in capitals: `notFound` is `NOT_FOUND`. The others are ours:
 * `OFFLINE`, `OFFLINE_FULL`, `PUBLISHER_FULL`, `BLOCKED`, `TIMEOUT`, `ABORTED`, `CLOSED`, `CONNECTION_LOST`, `CONNECT_FAILED`,
 * `CONNECT_TIMEOUT`, `TLS_FAILED`, `NOT_WAYBILL`, `PROTOCOL_ERROR`, `ANSWER_INVALID`, `CONFIRM_MISSING`, `QUEUE_DELETED`,
 * `REMOTE_ERROR`, and those of UsageError.
 */
import { type ErrorBody, ErrorCode, errorByCode } from '@waybill/protocol'
import { delayRule, isDelay } from './delay.js'

export interface ErrorOptions {
  readonly retryable?: boolean
  readonly cause?: unknown
}

export class WaybillError extends Error {
  override name = 'WaybillError'
  readonly code: string
  /** Whether the same call can succeed later without anything being changed. */
  readonly retryable: boolean

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}

/** A message that was not published, or of which nobody knows. */
export class PublishError extends WaybillError {
  override name = 'PublishError'
  /**
   * 'no': no queue has it, it is safe to send again. 'unknown': the connection was lost, or the time up, before the broker had said; or
   * its disk has failed (`STORAGE_FAILED`), and the message may have been delivered before.
   */
  readonly stored: 'no' | 'unknown'

  constructor(code: string, message: string, stored: 'no' | 'unknown', options: ErrorOptions = {}) {
    super(code, message, options)
    this.stored = stored
  }
}

/** What is there differs from what was declared; nothing was changed, and the channel lives. */
export class DeclareError extends WaybillError {
  override name = 'DeclareError'
  readonly differences: readonly { option: string; wanted: unknown; actual: unknown }[]

  constructor(message: string, differences: readonly { option: string; wanted: unknown; actual: unknown }[]) {
    super('PRECONDITION_FAILED', message)
    this.differences = differences
  }
}

/** The answer to a request was that its handler had thrown. `code` is that error's, if it had one, else 'REMOTE_ERROR'. */
export class RemoteError extends WaybillError {
  override name = 'RemoteError'
}

/** A mistake in the program, thrown at once by the call that made it, even by calls that return a promise. */
export class UsageError extends WaybillError {
  override name = 'UsageError'
}

/** Thrown by a handler: this message can never be handled, do not try again. */
export class RejectError extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'RejectError'
  }
}

/**
 * Thrown by a handler: try again, after `delayMs` (0 or more and less than 2^32 - 1 milliseconds) or after the broker's own back-off.
 * Throws UsageError for an option that does not exist or does not fit; thrown by a handler, that is a failure like any other.
 */
export class RetryError extends Error {
  override name = 'RetryError'
  readonly delayMs: number | undefined

  constructor(reason: string, options: { delayMs?: number } = {}) {
    super(reason)
    const { delayMs } = options
    const unknown = Object.keys(options).find((name) => name !== 'delayMs')
    if (unknown !== undefined) throw new UsageError('OPTION_UNKNOWN', `RetryError has no option '${unknown}'; there is delayMs`)
    if (delayMs !== undefined && !isDelay(delayMs)) throw new UsageError('OPTION_INVALID', `${delayRule}, not ${String(delayMs)}`)
    this.delayMs = delayMs
  }
}

/** `resourceLocked` → `RESOURCE_LOCKED` */
export function codeOfName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

/** The name in capitals of an error that came as a number; `ERROR_<number>` for one of a later version. */
export function codeOfNumber(number: number): string {
  const known = errorByCode(number)
  return known === undefined ? `ERROR_${number}` : codeOfName(known.name)
}

/** The error that an ERROR frame says. */
export function errorOfBody(body: ErrorBody): WaybillError {
  const differences = body.details?.differences
  if (body.name === 'preconditionFailed' && Array.isArray(differences)) return new DeclareError(body.message, differences)
  return new WaybillError(codeOfName(body.name), body.message, { retryable: body.retryable })
}

/** The error of a message that the broker refused, by number and detail of CONFIRM. What a disk has lost may have reached a consumer. [P-10.4] */
export function refusalOf(number: number, detail: string, stored: 'no' | 'unknown' = 'no'): PublishError {
  const retryable = errorByCode(number)?.retryable ?? false
  const code = codeOfNumber(number)
  const known = number === ErrorCode.storageFailed.code ? 'unknown' : stored
  return new PublishError(code, detail === '' ? `refused by the broker: ${code}` : detail, known, { retryable })
}

/** Anything thrown, as a WaybillError. */
export function asWaybillError(error: unknown, code: string): WaybillError {
  if (error instanceof WaybillError) return error
  return new WaybillError(code, messageOf(error), { cause: error })
}

/** What was thrown may be anything: an object without a prototype, or one whose own text throws. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error)
  } catch {
    return `something that has no text (${typeof error}) was thrown`
  }
}
