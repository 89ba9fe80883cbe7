/** What calls are rejected with for want of a connection. */
import { WaybillError } from '../errors.js'
import { hostOf, type Target } from '../url.js'

/** Errors with which the next try cannot do better: the broker has understood us and said no. */
export const refusals: ReadonlySet<string> = new Set([
  'AUTHENTICATION_FAILED',
  'FORBIDDEN',
  'NOT_FOUND',
  'REQUEST_INVALID',
  'OPTION_UNSUPPORTED',
  'NAME_TOO_LONG',
])

/** There was no first connection. */
export function connectError(cause: WaybillError, targets: readonly Target[]): WaybillError {
  if (!cause.retryable) return cause
  const hosts = targets.map(hostOf).join(', ')
  return new WaybillError('CONNECT_FAILED', `no connection to ${hosts}: ${cause.message}`, { retryable: true, cause })
}

/** There will be no connection any more. */
export function closedError(cause: WaybillError): WaybillError {
  return cause.code === 'CLOSED' ? cause : new WaybillError('CLOSED', `the connection is closed: ${cause.message}`, { cause })
}

/** There is none now. */
export function offlineError(): WaybillError {
  return new WaybillError('OFFLINE', 'there is no connection', { retryable: true })
}
