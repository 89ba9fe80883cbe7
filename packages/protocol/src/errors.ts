/**
 * Every error that a peer can see: name, number, what it reaches, whether trying again can help. [P-8]
 *
 * The table is compared by test with spec/errors.json. Programs look at `code` or `name`, never at the message.
 */

/** What an error reaches: one message of a publish, one request, the channel, or the whole connection. */
export type ErrorScope = 'message' | 'request' | 'channel' | 'connection'

export const ErrorCode = {
  unroutable: { code: 312, scope: 'message', retryable: false },
  shuttingDown: { code: 320, scope: 'connection', retryable: true },
  connectionForced: { code: 321, scope: 'connection', retryable: false },
  requestInvalid: { code: 400, scope: 'request', retryable: false },
  authenticationFailed: { code: 401, scope: 'connection', retryable: false },
  forbidden: { code: 403, scope: 'request', retryable: false },
  notFound: { code: 404, scope: 'request', retryable: false },
  resourceLocked: { code: 405, scope: 'request', retryable: false },
  preconditionFailed: { code: 406, scope: 'request', retryable: false },
  handshakeTimeout: { code: 408, scope: 'connection', retryable: true },
  heartbeatTimeout: { code: 409, scope: 'connection', retryable: true },
  tagUnknown: { code: 410, scope: 'request', retryable: false },
  frameTimeout: { code: 411, scope: 'connection', retryable: true },
  outboxStalled: { code: 412, scope: 'connection', retryable: true },
  messageTooLarge: { code: 413, scope: 'message', retryable: false },
  nameTooLong: { code: 414, scope: 'request', retryable: false },
  creditExceeded: { code: 420, scope: 'message', retryable: true },
  sequenceUnexpected: { code: 421, scope: 'channel', retryable: false },
  channelUnknown: { code: 422, scope: 'channel', retryable: false },
  messageMalformed: { code: 423, scope: 'message', retryable: false },
  propertyUnsupported: { code: 424, scope: 'message', retryable: false },
  levelUnavailable: { code: 425, scope: 'message', retryable: false },
  optionUnsupported: { code: 426, scope: 'request', retryable: false },
  limitExceeded: { code: 429, scope: 'request', retryable: true },
  frameMalformed: { code: 501, scope: 'connection', retryable: false },
  frameTooLarge: { code: 502, scope: 'connection', retryable: false },
  frameUnexpected: { code: 503, scope: 'connection', retryable: false },
  versionUnsupported: { code: 505, scope: 'connection', retryable: false },
  resourceExhausted: { code: 506, scope: 'message', retryable: true },
  storageFailed: { code: 507, scope: 'message', retryable: true },
  unsupported: { code: 540, scope: 'request', retryable: false },
  internalError: { code: 541, scope: 'request', retryable: false },
} as const satisfies Record<string, { code: number; scope: ErrorScope; retryable: boolean }>

export type ErrorName = keyof typeof ErrorCode

const namesByCode = new Map<number, ErrorName>()
for (const name of Object.keys(ErrorCode) as ErrorName[]) namesByCode.set(ErrorCode[name].code, name)

/** The error with this number, or undefined: a peer of a later minor version may know more. */
export function errorByCode(code: number): { name: ErrorName; code: number; scope: ErrorScope; retryable: boolean } | undefined {
  const name = namesByCode.get(code)
  return name === undefined ? undefined : { name, ...ErrorCode[name] }
}

/** Thrown by writers for what cannot be said on the wire, before a byte is written. `code` is a name of the table above. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly code: ErrorName
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorName, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message)
    this.code = code
    this.details = details
  }
}
