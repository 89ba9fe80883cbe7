/**
 * What the messages of one DELIVER frame have in common, kept once for all of them.
 *
 * A run is ours until it is revoked: by a lost connection, a cancelled consumer, or the deadline of a close. From then on settling
 * is in vain, because the broker has given the messages back, and the signals of its messages are aborted.
 */
import type { NameReader } from './name-reader.js'

/** Whoever the deliveries are for. */
export interface Receiver {
  readonly queue: string
  readonly exchangeNames: NameReader
  readonly keyNames: NameReader
  readonly typeNames: NameReader
  /** One message of the run is settled. */
  settled(run: Run, tag: number, outcome: number, delayMs: number, reason: string | undefined): void
  /** One message of a run that was revoked before, for this reason. */
  settledInVain(outcome: number, cause: Error): void
}

export class Run {
  readonly receiver: Receiver
  readonly log: string
  readonly firstTag: number
  readonly firstMessage: number
  readonly count: number
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly failureCount: number
  unsettledCount: number
  /** In the list of who has it. */
  previous: Run | undefined = undefined
  next: Run | undefined = undefined
  #revoked: Error | undefined
  #controllers: Set<AbortController> | undefined

  constructor(
    receiver: Receiver,
    log: string,
    firstTag: number,
    firstMessage: number,
    count: number,
    redelivered: boolean,
    deliveryCount: number,
    failureCount: number,
  ) {
    this.receiver = receiver
    this.log = log
    this.firstTag = firstTag
    this.firstMessage = firstMessage
    this.count = count
    this.redelivered = redelivered
    this.deliveryCount = deliveryCount
    this.failureCount = failureCount
    this.unsettledCount = count
  }

  get revoked(): boolean {
    return this.#revoked !== undefined
  }

  settle(tag: number, outcome: number, delayMs: number, reason: string | undefined): void {
    if (this.#revoked !== undefined) {
      this.receiver.settledInVain(outcome, this.#revoked)
      return
    }
    this.unsettledCount--
    this.receiver.settled(this, tag, outcome, delayMs, reason)
  }

  /** The messages are no longer ours. */
  revoke(cause: Error): void {
    if (this.#revoked !== undefined) return
    this.#revoked = cause
    this.unsettledCount = 0
    const controllers = this.#controllers
    this.#controllers = undefined
    if (controllers !== undefined) for (const controller of controllers) controller.abort(cause)
  }

  /** A controller whose signal is aborted with the run. */
  controller(): AbortController {
    const controller = new AbortController()
    if (this.#revoked !== undefined) controller.abort(this.#revoked)
    else {
      this.#controllers ??= new Set()
      this.#controllers.add(controller)
    }
    return controller
  }

  release(controller: AbortController): void {
    this.#controllers?.delete(controller)
  }
}
