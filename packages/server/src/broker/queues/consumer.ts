// Hot: asked for each delivery.
import assert from 'node:assert'
import type { Page } from './page.js'

/** The queue as its consumers see it. */
export interface DeliverySource {
  readonly name: string
  usedAt: number
  settle(place: number, outcome: number, delayMs: number): void
  /** Credit has come back. */
  wake(): void
  removeConsumer(consumer: Consumer): void
}

/** A run is at most this many bytes of records; one larger record is a run of its own. */
export const runSizeMax = 128 * 1024

/**
 * Where deliveries go: the channel that a consumer belongs to. Called for each run of deliveries, so it only writes into
 * typed arrays; the bytes stay where they are until the end of the turn.
 */
export interface Receiver {
  /**
   * `count` messages from `place` on: their records lie side by side in a slab, `size` bytes from `offset`; their ids follow on `id`; `meta` is that of each.
   * The size of each stands in `words` of the page, from place `index` of it on.
   */
  deliver(
    consumer: Consumer,
    place: number,
    count: number,
    page: Page,
    index: number,
    slab: number,
    offset: number,
    size: number,
    id: number,
    meta: number,
  ): void
  /** The broker has ended the consumer: its queue is gone. */
  ended(consumer: Consumer, reason: 'queue-deleted'): void
  /** A `get` is over: it has had its message, or nothing came in time. */
  got(consumer: Consumer, found: boolean): void
}

export interface ConsumerOptions {
  /** Chosen by the client, 1 to 2^32 - 1. */
  readonly id: number
  readonly ack: 'manual' | 'none'
  /** Most unsettled messages. */
  readonly prefetch: number
  /** Most unsettled bytes; one message may exceed them. 0 of either pauses. */
  readonly prefetchSize: number
  readonly exclusive: boolean
  /** Higher is served first. */
  readonly priority: number
  /** A `get`: ends with its first message. */
  readonly once: boolean
}

/** One consumer of a queue and its window: unsettledCount <= what prefetch was when they were sent. */
export class Consumer {
  readonly queue: DeliverySource
  readonly receiver: Receiver
  readonly id: number
  readonly ack: 'manual' | 'none'
  readonly exclusive: boolean
  readonly priority: number
  readonly once: boolean
  prefetch: number
  prefetchSize: number
  unsettledCount = 0
  unsettledSize = 0
  deliveredCount = 0
  /** Its connection does not take what it has been sent: nothing more until it does. */
  held = false
  ended = false

  constructor(queue: DeliverySource, receiver: Receiver, options: ConsumerOptions) {
    this.queue = queue
    this.receiver = receiver
    this.id = options.id
    this.ack = options.ack
    this.exclusive = options.exclusive
    this.priority = options.priority
    this.once = options.once
    this.prefetch = options.prefetch
    this.prefetchSize = options.prefetchSize
  }

  /** Whether a record of this size fits into what is left of the window. */
  canTake(size: number): boolean {
    if (this.held || this.unsettledCount >= this.prefetch || this.prefetchSize === 0) return false
    return this.unsettledCount === 0 || this.unsettledSize + size <= this.prefetchSize
  }

  invariants(): void {
    assert(this.unsettledCount >= 0)
    assert(this.unsettledSize >= 0)
    assert(this.unsettledCount > 0 || this.unsettledSize === 0)
  }
}
