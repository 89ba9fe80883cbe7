/**
 * One call of `publish()`: its promise, from the other side. A million of them are made, so it has no closure of its own;
 * only a signal costs one.
 */
import { PublishError } from '../errors.js'
import { onAbort } from '../signals.js'
import type { Confirmation } from '../types.js'
import { StoredConfirmation } from './confirmation.js'
import type { Origin } from './origin.js'
import type { Outbox } from './outbox.js'

type Resolve = (confirmation: Confirmation) => void
type Reject = (error: PublishError) => void

let resolveMade: Resolve
let rejectMade: Reject
/** The one executor: it leaves what it is given where `PublishCall` picks it up. */
function executor(resolve: Resolve, reject: Reject): void {
  resolveMade = resolve
  rejectMade = reject
}

export class PublishCall implements Origin {
  readonly promise: Promise<Confirmation>
  readonly #resolve: Resolve
  readonly #reject: Reject
  #unlisten: (() => void) | undefined
  abandoned = false

  constructor() {
    this.promise = new Promise(executor)
    this.#resolve = resolveMade
    this.#reject = rejectMade
  }

  /** The call ends when the signal is aborted, whether or not the message has been sent. */
  endWith(signal: AbortSignal, outbox: Outbox): void {
    const abort = (): void => {
      if (this.abandoned) return
      this.abandoned = true
      this.#reject(abortError(signal, outbox.withdraw(this)))
    }
    this.#unlisten = onAbort(signal, abort)
  }

  sent(_size: number): void {}

  confirmed(_size: number, log: string, message: number, level: number, queues: number): void {
    this.#unlisten?.()
    this.#resolve(new StoredConfirmation(log, message, level, queues))
  }

  refused(_number: number, _size: number, _routingKey: string, _waited: boolean, error: PublishError): void {
    this.#unlisten?.()
    this.#reject(error)
  }

  progress(): void {}
}

export function abortError(signal: AbortSignal, stored: 'no' | 'unknown'): PublishError {
  return new PublishError('ABORTED', 'the publish was aborted by its signal', stored, { cause: signal.reason })
}
