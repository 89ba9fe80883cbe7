/** A receiver as its channel sees it: what deliveries are handed to. */
import type { Delivery } from './message.js'
import type { Receiver, Run } from './run.js'

export interface DeliveryTarget extends Receiver {
  /** A run has come; its messages follow one by one. */
  began(run: Run): void
  accept(delivery: Delivery): void
  /** What was delivered is no longer ours. */
  revoke(cause: Error): void
}
