/** The public surface of @waybill/client. */
export { connect } from './connect.js'
export { DeclareError, PublishError, RejectError, RemoteError, RetryError, UsageError, WaybillError } from './errors.js'
export type { Log, LogEntry } from './log.js'
export type * from './types.js'
