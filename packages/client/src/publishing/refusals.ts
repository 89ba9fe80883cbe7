/** Why a message was not published, or why nobody knows; beside what the broker itself says. */
import { PublishError, type WaybillError } from '../errors.js'

export type Stored = 'no' | 'unknown'

export function lostError(cause: WaybillError): PublishError {
  const message = `published, but the connection was lost before the confirm: ${cause.message}`
  return new PublishError('CONNECTION_LOST', message, 'unknown', { cause, retryable: true })
}

export function offlineError(stored: Stored, cause?: WaybillError): PublishError {
  return new PublishError('OFFLINE', 'not published: there is no connection', stored, { retryable: true, cause })
}

export function offlineFullError(size: number, sizeMax: number): PublishError {
  const message = `there is no connection, and ${size} bytes wait for one; offlineSizeMax is ${sizeMax}`
  return new PublishError('OFFLINE_FULL', message, 'no', { retryable: true })
}

export function blockedError(stored: Stored): PublishError {
  const message = 'not published: the broker gave no credit in time, it is short of memory or disk'
  return new PublishError('BLOCKED', message, stored, { retryable: true })
}

export function timeoutError(): PublishError {
  return new PublishError('TIMEOUT', 'published, but not confirmed in time', 'unknown', { retryable: true })
}

export function closedError(stored: Stored, cause: WaybillError): PublishError {
  return new PublishError('CLOSED', `not published: ${cause.message}`, stored, { cause })
}

export function tooLargeError(size: number, sizeMax: number, stored: Stored = 'no'): PublishError {
  return new PublishError('MESSAGE_TOO_LARGE', `a record of ${size} bytes; this broker takes at most ${sizeMax}`, stored)
}

export function unsaidError(): PublishError {
  return new PublishError('CONFIRM_MISSING', 'the broker has decided on the message and not said how', 'unknown')
}
