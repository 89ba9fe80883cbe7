import { ErrorCode, type ErrorName } from '@waybill/protocol'

/** A command that the peer may not or cannot do: the answer to that one request. Never thrown. */
export class Refusal {
  readonly name: ErrorName
  /** What was wrong with which thing, and the fix. */
  readonly message: string
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(name: ErrorName, message: string, details?: Readonly<Record<string, unknown>>) {
    this.name = name
    this.message = message
    this.details = details
  }

  get code(): number {
    return ErrorCode[this.name].code
  }
}
