// Hot in deliver, settle and settled; plain otherwise.
/**
 * One channel of a connection: an order of its own for what is published, delivered and settled on it.
 *
 *     PUBLISH ─▶ publishing          consumers ─▶ deliver ─▶ unsettled ─▶ SETTLE ─▶ broker
 */
import {
  encodeControl,
  FrameType,
  settleCount,
  settleDelayMs,
  settleEntryEnd,
  settleFirstTag,
  settleOutcome,
  noDelay,
  Outcome,
} from '@waybill/protocol'
import type { Broker } from '../broker/broker.js'
import type { Consumer, ConsumerOptions, Receiver } from '../broker/queues/consumer.js'
import type { Page } from '../broker/queues/page.js'
import type { Queue } from '../broker/queues/queue.js'
import { Refusal } from '../broker/refusal.js'
import type { Timed } from '../broker/timers/timed.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import type { Access } from './access.js'
import type { Deliveries } from './deliveries.js'
import { Publishing, type PublishingHome } from './publishing.js'
import type { Replies } from './replies.js'
import type { Shard } from './shard.js'
import { type SettleSink, Unsettled } from './unsettled.js'

/** A GET that does not wait has its message read if it is not in memory: it takes longer only if the disk is in a bad way. */
const pageWaitMs = 5_000

/** What a channel needs of its session. */
export interface ChannelHome {
  readonly shard: Shard
  readonly connection: number
  readonly host: VirtualHost
  readonly access: Access
  readonly deliveries: Deliveries
  readonly replies: Replies
  /** Whether its consumers get nothing for now. */
  readonly held: boolean
  /** Deliveries of the connection that have to be settled. */
  readonly unsettledCount: number
  slabOf(bytes: Uint8Array, at: number): number
  /** Something is to be sent at the end of the turn. */
  changed(): void
  /** A delivery has been added to `deliveries`. */
  delivered(): void
  /** The channel has confirms or credit to tell. */
  channelChanged(channel: Channel): void
  /** The channel has ended for a fault: nothing more is told of it. */
  channelFailed(channel: Channel): void
  /** Sends what has been gathered so far before anything else. */
  send(): void
  unsettledChanged(by: number): void
}

/** A GET that waits for its message. */
class PendingGet implements Timed {
  readonly consumer: Consumer
  readonly correlation: number
  readonly #channel: Channel
  timer = 0

  constructor(channel: Channel, consumer: Consumer, correlation: number) {
    this.#channel = channel
    this.consumer = consumer
    this.correlation = correlation
  }

  due(): void {
    this.timer = 0
    this.#channel.got(this.consumer, false)
  }
}

export class Channel implements Receiver, SettleSink, PublishingHome {
  readonly id: number
  readonly publishing: Publishing
  readonly consumers = new Map<number, Consumer>()
  readonly #home: ChannelHome
  readonly #shard: Shard
  readonly #unsettled: Unsettled
  readonly #gets = new Map<number, PendingGet>()
  #lastTag = 0
  /** Deliveries that are held by the client and have to be settled: those of mode `none` are only part of a window. */
  manualCount = 0
  settledCount = 0
  /** Whether the session has it on its list of channels with something to say. */
  isChanged = false

  constructor(id: number, home: ChannelHome) {
    this.id = id
    this.#home = home
    this.#shard = home.shard
    this.#unsettled = new Unsettled(home.shard.meter)
    this.publishing = new Publishing(this, home.shard)
    home.shard.credit.open(this.publishing)
  }

  get broker(): Broker {
    return this.#shard.broker
  }

  get host(): VirtualHost {
    return this.#home.host
  }

  get access(): Access {
    return this.#home.access
  }

  get unsettledCount(): number {
    return this.#unsettled.count
  }

  get lastTag(): number {
    return this.#lastTag
  }

  mayUseReserve(): boolean {
    return this.#home.unsettledCount > 0
  }

  slabOf(bytes: Uint8Array, at: number): number {
    return this.#home.slabOf(bytes, at)
  }

  changed(): void {
    this.#home.channelChanged(this)
  }

  // ─── delivering ─────────────────────────────────────────────────────────

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
  ): void {
    const home = this.#home
    const tag = this.#lastTag + 1
    this.#lastTag += count
    this.#unsettled.pushRun(tag, consumer, place, count, page, index)
    if (consumer.ack === 'manual') {
      this.manualCount += count
      home.unsettledChanged(count)
    }
    home.deliveries.add(this.#shard.broker.slabs, this.id, consumer.id, tag, count, slab, offset, size, id, meta)
    home.delivered()
  }

  ended(consumer: Consumer, reason: 'queue-deleted'): void {
    this.consumers.delete(consumer.id)
    this.#sayBehind(FrameType.cancelled, 0, { consumer: consumer.id, reason })
  }

  /** Takes the body of a SETTLE frame, which `checkSettle` has found good. A range that was never delivered is refused; the others are settled. */
  settle(bytes: Uint8Array, from: number, to: number): Refusal | undefined {
    let refusal: Refusal | undefined
    for (let at = from; at < to; at = settleEntryEnd(bytes, at)) {
      const first = settleFirstTag(bytes, at)
      const last = first + settleCount(bytes, at) - 1
      if (first === 0 || last > this.#lastTag) {
        refusal ??= new Refusal(
          'tagUnknown',
          `tags ${first} to ${last} were not all delivered; the last one on this channel is ${this.#lastTag}`,
        )
        continue
      }
      const delayMs = settleDelayMs(bytes, at)
      this.#settleRange(first, last, settleOutcome(bytes, at), delayMs === noDelay ? -1 : delayMs)
    }
    return refusal
  }

  #settleRange(first: number, last: number, outcome: number, delayMs: number): void {
    const before = this.manualCount
    this.settledCount += this.#unsettled.settle(first, last, outcome, delayMs, this)
    if (this.manualCount !== before) this.#home.unsettledChanged(this.manualCount - before)
  }

  settled(consumer: Consumer, place: number, size: number, outcome: number, delayMs: number): void {
    this.manualCount--
    this.#shard.broker.settle(consumer, place, size, outcome, delayMs)
  }

  returned(consumer: Consumer, count: number, size: number): void {
    this.#shard.broker.settleGone(consumer, count, size)
  }

  // ─── consumers ──────────────────────────────────────────────────────────

  consume(queue: string, options: ConsumerOptions): Refusal | undefined {
    const consumer = this.#addConsumer(queue, options)
    if (consumer instanceof Refusal) return consumer
    this.consumers.set(consumer.id, consumer)
    return undefined
  }

  cancel(id: number): { unsettledCount: number } | Refusal {
    const consumer = this.consumers.get(id)
    if (consumer === undefined) return new Refusal('notFound', `no consumer ${id} on channel ${this.id}`)
    this.consumers.delete(id)
    this.#shard.broker.cancel(consumer)
    // A GET may have made a queue hand out in the middle of a turn: that goes out before the answer. [P-5.7]
    if (this.#home.deliveries.count > 0) this.#home.send()
    return { unsettledCount: this.#unsettled.countOf(consumer) }
  }

  /** One message, now or within `waitMs`. The answer goes out behind the deliveries of the turn. */
  get(queueName: string, id: number, ack: 'manual' | 'none', waitMs: number, correlation: number): Refusal | undefined {
    const once = { id, ack, prefetch: 1, prefetchSize: 1, exclusive: false, priority: 0, once: true }
    const consumer = this.#addConsumer(queueName, once)
    if (consumer instanceof Refusal) return consumer
    const get = new PendingGet(this, consumer, correlation)
    this.#gets.set(id, get)
    if (waitMs === 0) {
      const { broker, timers } = this.#shard
      const queue = consumer.queue as Queue
      broker.dispatchQueue(queue)
      if (!this.#gets.has(id)) return undefined
      if (queue.isWaitingForPage) get.timer = timers.insert(broker.now + pageWaitMs, get, 0)
      else this.got(consumer, false)
    } else get.timer = this.#shard.timers.insert(this.#shard.broker.now + waitMs, get, 0)
    return undefined
  }

  got(consumer: Consumer, found: boolean): void {
    const get = this.#gets.get(consumer.id)
    if (get === undefined) return
    this.#gets.delete(consumer.id)
    if (get.timer !== 0) this.#shard.timers.cancel(get.timer)
    if (!found) this.#shard.broker.cancel(consumer)
    this.#sayBehind(FrameType.result, get.correlation, { found })
  }

  /** A WINDOW frame: of a consumer, or (0) the credit that the next publish needs. */
  window(id: number, messageCount: number, size: number): void {
    if (id === 0) {
      this.publishing.neededSize = Math.min(size, this.#shard.limits.messageSizeMax)
      this.#shard.credit.renew(this.publishing)
      return
    }
    const consumer = this.consumers.get(id)
    if (consumer === undefined) return
    consumer.prefetch = messageCount
    consumer.prefetchSize = size
    consumer.queue.wake()
  }

  /** Its connection does not take what it has been sent, or takes it again. */
  hold(held: boolean): void {
    for (const consumer of this.consumers.values()) setHeld(consumer, held)
    for (const { consumer } of this.#gets.values()) setHeld(consumer, held)
  }

  /** Answers the GETs that still wait: there was nothing. */
  endGets(): void {
    for (const { consumer } of [...this.#gets.values()]) this.got(consumer, false)
  }

  /** Ends the channel: consumers stop, what they hold goes back to its place. */
  close(): void {
    const { broker, timers, credit } = this.#shard
    for (const get of this.#gets.values()) {
      if (get.timer !== 0) timers.cancel(get.timer)
      broker.cancel(get.consumer)
    }
    this.#gets.clear()
    for (const consumer of this.consumers.values()) broker.cancel(consumer)
    this.consumers.clear()
    this.#settleRange(1, this.#lastTag, Outcome.requeue, -1)
    this.#unsettled.close()
    credit.close(this.publishing)
  }

  invariants(): void {
    this.#unsettled.invariants()
  }

  /** Goes out behind the deliveries of this turn. */
  #sayBehind(type: number, correlation: number, body: object): void {
    this.#home.replies.sayLater(encodeControl(type, this.id, correlation, body))
    this.#home.changed()
  }

  #addConsumer(queue: string, options: ConsumerOptions): Consumer | Refusal {
    const home = this.#home
    const { id } = options
    if (this.consumers.has(id) || this.#gets.has(id)) {
      return new Refusal('requestInvalid', `consumer ${id} is there already on channel ${this.id}; choose another number`)
    }
    const { consumerCount } = this.#shard.limits
    if (this.consumers.size + this.#gets.size >= consumerCount) {
      const message = `channel ${this.id} has ${consumerCount} consumers, as many as the limit consumerCount allows`
      return new Refusal('limitExceeded', message, { limit: 'consumerCountMax' })
    }
    const consumer = this.#shard.broker.consume(home.host, home.connection, queue, this, options)
    if (!(consumer instanceof Refusal)) consumer.held = home.held
    return consumer
  }
}

function setHeld(consumer: Consumer, held: boolean): void {
  consumer.held = held
  if (!held) consumer.queue.wake()
}
