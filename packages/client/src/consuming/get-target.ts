/** The consumer of one message: GET. The delivery, if any, comes before the answer. [P-5.8] */
import { Outcome } from '@waybill/protocol'
import type { Delivery } from './message.js'
import { NameReader } from './name-reader.js'
import type { Run } from './run.js'
import type { DeliveryTarget } from './target.js'

/** The channel, as such a consumer needs it. */
export interface GetHome {
  settle(tag: number, count: number, outcome: number, delayMs: number, reason: string | undefined): void
  /** The run outlives its consumer: it is revoked when the connection is lost, unless it has been released. */
  hold(run: Run): void
  release(run: Run): void
}

export class GetTarget implements DeliveryTarget {
  readonly queue: string
  readonly exchangeNames = new NameReader()
  readonly keyNames = new NameReader()
  readonly typeNames = new NameReader()
  delivery: Delivery | undefined
  readonly #home: GetHome
  #unwanted = false

  constructor(home: GetHome, queue: string) {
    this.#home = home
    this.queue = queue
  }

  /** Whoever asked has gone: a message that comes nevertheless goes back to its place. */
  unwant(): void {
    this.#unwanted = true
    if (this.delivery !== undefined && !this.delivery.isSettled) this.delivery.settle(Outcome.requeue)
  }

  began(run: Run): void {
    this.#home.hold(run)
  }

  accept(delivery: Delivery): void {
    this.delivery = delivery
    if (this.#unwanted) delivery.settle(Outcome.requeue)
  }

  settled(run: Run, tag: number, outcome: number, delayMs: number, reason: string | undefined): void {
    this.#home.release(run)
    this.#home.settle(tag, 1, outcome, delayMs, reason)
  }

  /** Nobody asks for it: `get` has no flush. */
  settledInVain(): void {}

  revoke(): void {}
}
