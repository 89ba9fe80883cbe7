/** The consumer of one message: GET. The delivery, if any, comes before the answer. [P-5.8] */
import { Outcome } from '@waybill/protocol'
import type { Delivery } from './message.js'
import { NameReader } from './name-reader.js'
import type { DeliveryTarget, Run } from './run.js'

export class GetTarget implements DeliveryTarget {
  readonly queue: string
  readonly exchangeNames = new NameReader()
  readonly keyNames = new NameReader()
  readonly typeNames = new NameReader()
  delivery: Delivery | undefined
  readonly #settle: (tag: number, outcome: number, delayMs: number, reason: string | undefined) => void
  #run: Run | undefined
  #unwanted = false

  constructor(queue: string, settle: (tag: number, outcome: number, delayMs: number, reason: string | undefined) => void) {
    this.queue = queue
    this.#settle = settle
  }

  /** Whoever asked has gone: a message that comes nevertheless goes back to its place. */
  unwant(): void {
    this.#unwanted = true
    if (this.delivery !== undefined && !this.delivery.isSettled) this.delivery.settle(Outcome.requeue)
  }

  began(run: Run): void {
    this.#run = run
  }

  accept(delivery: Delivery): void {
    this.delivery = delivery
    if (this.#unwanted) delivery.settle(Outcome.requeue)
  }

  settled(_run: Run, tag: number, outcome: number, delayMs: number, reason: string | undefined): void {
    this.#settle(tag, outcome, delayMs, reason)
  }

  revoke(cause: Error): void {
    this.#run?.revoke(cause)
  }
}
