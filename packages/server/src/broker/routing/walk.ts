/**
 * The targets that are found for one message, each once, in the order in which they are found. The lists are used again for the next message: thousands
 * of keys that nobody has used before are looked up without any memory.
 */
import type { TargetSink } from '../exchanges/binding.js'
import { Exchange, type Target } from '../exchanges/exchange.js'
import type { Queue } from '../queues/queue.js'

export class Walk implements TargetSink<Target> {
  /** The first `exchangeCount` of them count. */
  readonly exchanges: Exchange[] = []
  exchangeCount = 0
  /** The first `queueCount` of them count. */
  readonly queues: Queue[] = []
  queueCount = 0
  /** How many targets have been added, those that were there already among them. */
  addedCount = 0
  #number = 0

  /** Begins anew, at an exchange. */
  begin(first: Exchange): void {
    this.#number++
    this.exchangeCount = 0
    this.queueCount = 0
    this.addedCount = 0
    this.add(first)
  }

  add(target: Target): void {
    this.addedCount++
    if (target.walk === this.#number) return
    target.walk = this.#number
    if (target instanceof Exchange) this.exchanges[this.exchangeCount++] = target
    else this.queues[this.queueCount++] = target
  }

  /** Holds on to nothing. */
  forget(): void {
    this.exchanges.length = 0
    this.queues.length = 0
  }
}
