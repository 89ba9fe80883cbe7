/**
 * A broker of arrays: what the specification says, as plainly as it can be said, to play against the real one. One virtual
 * host, no bytes, no credit of publishers, no time but what it is told.
 *
 * Commands answer with a result or with `{ error }`, and change nothing in the second case. What happens to others, or later,
 * is in `takeEvents`. Who gets which message is not decided here, as several orders are right: the real broker's deliveries
 * are told to `delivered`, which throws if one of them is not allowed, and `owed` says what must still be delivered. Alone it
 * can do without a real one: `dispatch` hands everything out, one by one, to consumers in turn.
 *
 * Message ids count the messages taken, from 1, in the order published.
 */
import assert from 'node:assert'
import type { Headers } from '@waybill/protocol'
import { type Channel, type Consumer, consumerCountOf, type Delivery, mayTake, type Queue, readyOf } from './naive-queue.js'
import { type BindingOptions, different, NaiveTopology, type Refused } from './naive-topology.js'

export interface NaiveMessage {
  readonly exchange: string
  readonly key: string
  readonly headers?: Headers
  /** Bytes of its record. */
  readonly size: number
}

export interface NaiveDelivery {
  readonly channel: number
  readonly consumer: number
  readonly queue: string
  readonly tag: number
  readonly messageId: number
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly failureCount: number
}

export type NaiveEvent =
  | { readonly event: 'cancelled'; readonly channel: number; readonly consumer: number; readonly reason: 'queue-deleted' }
  | { readonly event: 'got'; readonly channel: number; readonly consumer: number; readonly found: boolean }

export interface QueueOptions {
  readonly durable?: boolean
  readonly exclusive?: boolean
  readonly autoDelete?: boolean
  readonly expiresMs?: number | undefined
}

export interface NaiveOptions {
  /** Names a queue that was declared without a name. */
  readonly queueName?: () => string
  /** The back-off after so many failures: without the spread, that of the middle. */
  readonly backoffMs?: (failureCount: number) => number
}

export class NaiveBroker {
  now = 0
  /** Exchanges are declared, bound and deleted here. */
  readonly topology = new NaiveTopology()
  queues: Queue[] = []
  channels: Channel[] = []
  #events: NaiveEvent[] = []
  #connectionCount = 0
  #channelCount = 0
  #messageCount = 0
  #queueCount = 0
  readonly #queueName: () => string
  readonly #backoffMs: (failureCount: number) => number

  constructor(options: NaiveOptions = {}) {
    this.#queueName = options.queueName ?? (() => `wb.${++this.#queueCount}`)
    this.#backoffMs = options.backoffMs ?? ((failureCount) => Math.min(60_000, 1_000 * 2 ** (failureCount - 1)))
  }

  // ─── connections and channels ───────────────────────────────────────────

  connect(): number {
    return ++this.#connectionCount
  }

  open(connection: number): number {
    const id = ++this.#channelCount
    this.channels.push({ id, connection, deliveries: [], consumers: [] })
    return id
  }

  /** Consumers go, then what was unsettled goes back to its place. [P-5.9] */
  close(channelId: number): void {
    const channel = this.#channel(channelId)
    this.channels = this.channels.filter((each) => each !== channel)
    for (const consumer of channel.consumers) this.#leave(consumer)
    for (const delivery of channel.deliveries) this.#settleOne(delivery, 'requeue', undefined)
  }

  disconnect(connection: number): void {
    for (const channel of this.channels.filter((each) => each.connection === connection)) this.close(channel.id)
    for (const queue of this.queues.filter((each) => each.owner === connection)) this.#removeQueue(queue)
  }

  // ─── queues ─────────────────────────────────────────────────────────────

  declareQueue(channelId: number, name: string, options: QueueOptions = {}) {
    const { connection } = this.#channel(channelId)
    const { exclusive = false, autoDelete = false, expiresMs } = options
    const durable = options.durable ?? (name !== '' && !exclusive)
    const there = this.#queue(name)
    if (there !== undefined) {
      if (there.exclusive && there.owner !== connection) return { error: 'resourceLocked' }
      const refused = different<QueueOptions>({ durable, exclusive, autoDelete, expiresMs }, there, [
        'durable',
        'exclusive',
        'autoDelete',
        'expiresMs',
      ])
      if (refused !== undefined) return refused
      there.usedAt = this.now
      return { queue: name, created: false, messageCount: readyOf(there).length, consumerCount: consumerCountOf(there) }
    }
    const queue: Queue = {
      name: name === '' ? this.#queueName() : name,
      durable,
      exclusive,
      autoDelete,
      expiresMs,
      owner: exclusive ? connection : 0,
      entries: [],
      consumers: [],
      usedAt: this.now,
      rejectedCount: 0,
    }
    this.queues.push(queue)
    return { queue: queue.name, created: true, messageCount: 0, consumerCount: 0 }
  }

  checkQueue(channelId: number, name: string) {
    const queue = this.#usable(channelId, name)
    if ('error' in queue) return queue
    const { exclusive, autoDelete, expiresMs } = queue
    return {
      queue: name,
      exclusive,
      autoDelete,
      expiresMs,
      messageCount: readyOf(queue).length,
      unsettledCount: queue.entries.filter((entry) => entry.state === 'unsettled').length,
      consumerCount: consumerCountOf(queue),
    }
  }

  /** Empty is a queue without any message, on its way or waiting for a retry included. */
  deleteQueue(
    channelId: number,
    name: string,
    { ifUnused = false, ifEmpty = false } = {},
  ): { deleted: boolean; messageCount: number } | Refused {
    const queue = this.#usable(channelId, name)
    if ('error' in queue) return queue.error === 'notFound' ? { deleted: false, messageCount: 0 } : queue
    if ((ifUnused && consumerCountOf(queue) > 0) || (ifEmpty && queue.entries.length > 0)) return { error: 'preconditionFailed' }
    const messageCount = readyOf(queue).length
    this.#removeQueue(queue)
    return { deleted: true, messageCount }
  }

  /** The ready ones and those that wait for a retry; what is on its way stays. */
  purgeQueue(channelId: number, name: string): { messageCount: number } | Refused {
    const queue = this.#usable(channelId, name)
    if ('error' in queue) return queue
    const before = queue.entries.length
    queue.entries = queue.entries.filter((entry) => entry.state === 'unsettled')
    return { messageCount: before - queue.entries.length }
  }

  bindQueue(
    channelId: number,
    name: string,
    exchange: string,
    options: BindingOptions = {},
  ): { created: boolean; bindingCount: number } | Refused {
    const queue = this.#usable(channelId, name)
    return 'error' in queue ? queue : this.topology.bind(exchange, { kind: 'queue', name }, options)
  }

  unbindQueue(
    channelId: number,
    name: string,
    exchange: string,
    options: BindingOptions = {},
  ): { removed: boolean; bindingCount: number } | Refused {
    const queue = this.#usable(channelId, name)
    return 'error' in queue ? queue : this.topology.unbind(exchange, { kind: 'queue', name }, options)
  }

  // ─── publishing ─────────────────────────────────────────────────────────

  /** One outcome for each message of a frame. */
  publish(
    messages: readonly NaiveMessage[],
    { mandatory = false, atomic = false, level = 0 } = {},
  ): ({ readonly id: number; readonly queues: readonly string[] } | Refused)[] {
    const routes = messages.map((message) => this.#routeOf(message, mandatory, level))
    const refusal = atomic ? routes.find((route) => 'error' in route) : undefined
    if (refusal !== undefined) return messages.map(() => refusal as Refused)
    return routes.map((route, i) => {
      if ('error' in route) return route
      const id = ++this.#messageCount
      for (const name of route) {
        this.#queue(name)!.entries.push({
          messageId: id,
          size: messages[i]!.size,
          state: 'ready',
          deliveryCount: 0,
          failureCount: 0,
          readyAt: 0,
        })
      }
      return { id, queues: route }
    })
  }

  // ─── consuming ──────────────────────────────────────────────────────────

  consume(
    channelId: number,
    id: number,
    queueName: string,
    options: { ack?: 'manual' | 'none'; prefetch?: number; prefetchSize?: number; exclusive?: boolean; priority?: number } = {},
  ): Refused | Record<string, never> {
    return this.#join(channelId, id, queueName, {
      ack: 'manual',
      prefetch: 256,
      prefetchSize: 8 << 20,
      exclusive: false,
      priority: 0,
      getUntil: undefined,
      ...options,
    })
  }

  /** Its answer is the event `got`. */
  get(
    channelId: number,
    id: number,
    queueName: string,
    { ack = 'manual' as 'manual' | 'none', waitMs = 0 } = {},
  ): Refused | Record<string, never> {
    const once = { ack, prefetch: 1, prefetchSize: Number.MAX_SAFE_INTEGER, exclusive: false, priority: 0, getUntil: this.now + waitMs }
    return this.#join(channelId, id, queueName, once)
  }

  cancel(channelId: number, id: number): { unsettledCount: number } | Refused {
    const consumer = this.#channel(channelId).consumers.find((each) => each.id === id && each.getUntil === undefined)
    if (consumer === undefined) return { error: 'notFound' }
    this.#leave(consumer)
    return { unsettledCount: consumer.unsettledCount }
  }

  window(channelId: number, id: number, prefetch: number, prefetchSize: number): void {
    const consumer = this.#channel(channelId).consumers.find((each) => each.id === id && each.getUntil === undefined)
    if (consumer !== undefined) Object.assign(consumer, { prefetch, prefetchSize })
  }

  /** One entry of a SETTLE. `delayMs` undefined: the back-off. */
  settle(
    channelId: number,
    firstTag: number,
    count: number,
    outcome: 'ack' | 'requeue' | 'retry' | 'reject',
    delayMs?: number,
  ): Refused | Record<string, never> {
    const { deliveries } = this.#channel(channelId)
    if (firstTag < 1 || firstTag + count - 1 > deliveries.length) return { error: 'tagUnknown' }
    for (const delivery of deliveries.slice(firstTag - 1, firstTag - 1 + count)) this.#settleOne(delivery, outcome, delayMs)
    return {}
  }

  // ─── time and deliveries ────────────────────────────────────────────────

  /** Retries come back, unused queues go. GETs give up in `gotNothing` or `dispatch`, behind what is delivered. */
  advance(now: number): void {
    assert(now >= this.now)
    this.now = now
    for (const queue of this.queues) {
      for (const entry of queue.entries) if (entry.state === 'delayed' && entry.readyAt <= now) entry.state = 'ready'
    }
    const isUnused = ({ expiresMs, consumers, usedAt }: Queue) =>
      expiresMs !== undefined && consumers.length === 0 && usedAt + expiresMs <= now
    for (const queue of this.queues.filter(isUnused)) this.#removeQueue(queue)
  }

  /** The real broker has delivered the first ready message of the consumer's queue. Throws if it may not, or says other than it should. */
  delivered(said: Partial<NaiveDelivery> & { readonly channel: number; readonly consumer: number }): NaiveDelivery {
    const channel = this.#channel(said.channel)
    const consumer = channel.consumers.find((each) => each.id === said.consumer)
    assert(consumer !== undefined, `channel ${said.channel} has no consumer ${said.consumer}`)
    const { queue } = consumer
    const entry = readyOf(queue)[0]
    assert(entry !== undefined, `queue '${queue.name}' has nothing ready`)
    assert(mayTake(queue).includes(consumer), `consumer ${consumer.id} of channel ${channel.id} has no room, or another comes first`)

    const redelivered = entry.deliveryCount > 0
    entry.deliveryCount++
    const delivery: NaiveDelivery = {
      channel: channel.id,
      consumer: consumer.id,
      queue: queue.name,
      tag: channel.deliveries.length + 1,
      messageId: entry.messageId,
      redelivered,
      deliveryCount: entry.deliveryCount,
      failureCount: entry.failureCount,
    }
    assert.deepEqual({ ...delivery, ...said }, delivery)

    channel.deliveries.push({ tag: delivery.tag, consumer, entry, settled: false })
    consumer.unsettledCount++
    consumer.unsettledSize += entry.size
    if (consumer.ack === 'none') queue.entries = queue.entries.filter((each) => each !== entry)
    else entry.state = 'unsettled'
    // Its turn is over: it stands behind its equals.
    queue.consumers = [...queue.consumers.filter((each) => each !== consumer), consumer]
    if (consumer.getUntil !== undefined) this.#endGet(consumer, true)
    return delivery
  }

  /** The real broker says that a GET found nothing: it has waited, and nothing is there. */
  gotNothing(channelId: number, id: number): void {
    const consumer = this.#channel(channelId).consumers.find((each) => each.id === id && each.getUntil !== undefined)
    assert(consumer !== undefined, `channel ${channelId} has no GET ${id} that waits`)
    assert(consumer.getUntil! <= this.now, 'a GET waits as long as it was asked to')
    assert.equal(readyOf(consumer.queue).length, 0, 'a GET finds what is there')
    this.#endGet(consumer, false)
  }

  /** What somebody has room for and has not been given: nothing, behind a turn. */
  owed(): { readonly queue: string; readonly messageId: number; readonly consumers: readonly { channel: number; id: number }[] }[] {
    return this.queues.flatMap((queue) => {
      const takers = mayTake(queue)
      if (takers.length === 0) return []
      return [{ queue: queue.name, messageId: readyOf(queue)[0]!.messageId, consumers: takers.map(({ channel, id }) => ({ channel, id })) }]
    })
  }

  /** Delivers all that is owed, in turn; GETs that have waited long enough find nothing. */
  dispatch(): NaiveDelivery[] {
    const deliveries: NaiveDelivery[] = []
    for (let owed = this.owed()[0]; owed !== undefined; owed = this.owed()[0]) {
      const { channel, id } = owed.consumers[0]!
      deliveries.push(this.delivered({ channel, consumer: id }))
    }
    for (const { id, consumers } of this.channels) {
      for (const consumer of [...consumers])
        if (consumer.getUntil !== undefined && consumer.getUntil <= this.now) this.gotNothing(id, consumer.id)
    }
    return deliveries
  }

  takeEvents(): NaiveEvent[] {
    return this.#events.splice(0)
  }

  /** Every message is in one state, and windows are kept. */
  invariants(): void {
    for (const queue of this.queues) {
      const ids = queue.entries.map((entry) => entry.messageId)
      assert.deepEqual(
        ids,
        [...new Set(ids)].sort((a, b) => a - b),
        'each message once, in order',
      )
      const open = this.channels.flatMap((channel) => channel.deliveries.filter((delivery) => !delivery.settled))
      for (const entry of queue.entries) {
        const holders = open.filter((delivery) => delivery.entry === entry).length
        assert.equal(holders, entry.state === 'unsettled' ? 1 : 0, 'an unsettled message has one holder')
      }
      for (const consumer of queue.consumers)
        assert(consumer.queue === queue && this.#channel(consumer.channel).consumers.includes(consumer))
    }
    this.topology.invariants(this.queues.map((queue) => queue.name))
  }

  // ─── within ─────────────────────────────────────────────────────────────

  #channel(id: number): Channel {
    const channel = this.channels.find((each) => each.id === id)
    assert(channel !== undefined, `channel ${id} is open`)
    return channel
  }

  #queue(name: string): Queue | undefined {
    return this.queues.find((each) => each.name === name)
  }

  #usable(channelId: number, name: string): Queue | Refused {
    const queue = this.#queue(name)
    if (queue === undefined) return { error: 'notFound' }
    return queue.exclusive && queue.owner !== this.#channel(channelId).connection ? { error: 'resourceLocked' } : queue
  }

  /** Its consumers are told, its messages are gone; what is unsettled of them can be settled without effect. */
  #removeQueue(queue: Queue): void {
    if (!this.queues.includes(queue)) return
    this.queues = this.queues.filter((each) => each !== queue)
    this.topology.queueRemoved(queue.name)
    for (const consumer of queue.consumers) {
      this.#forget(consumer)
      if (consumer.getUntil === undefined)
        this.#tell({ event: 'cancelled', channel: consumer.channel, consumer: consumer.id, reason: 'queue-deleted' })
      else this.#tell({ event: 'got', channel: consumer.channel, consumer: consumer.id, found: false })
    }
    queue.entries = []
    queue.consumers = []
  }

  #routeOf(message: NaiveMessage, mandatory: boolean, level: number): string[] | Refused {
    const names = this.queues.map((queue) => queue.name)
    const route = this.topology.route(names, { headers: {}, ...message })
    if ('error' in route) return route
    // It keeps nothing: 2 is `written`, 3 is `synced`.
    if (level >= 2) return { error: 'levelUnavailable' }
    return mandatory && route.length === 0 ? { error: 'unroutable' } : route
  }

  #join(
    channelId: number,
    id: number,
    queueName: string,
    options: Pick<Consumer, 'ack' | 'prefetch' | 'prefetchSize' | 'exclusive' | 'priority' | 'getUntil'>,
  ): Refused | Record<string, never> {
    const channel = this.#channel(channelId)
    if (channel.consumers.some((each) => each.id === id)) return { error: 'requestInvalid' }
    const queue = this.#usable(channelId, queueName)
    if ('error' in queue) return queue
    const isTaken = options.exclusive ? queue.consumers.length > 0 : queue.consumers.some((each) => each.exclusive)
    if (isTaken) return { error: 'resourceLocked' }
    const consumer: Consumer = { ...options, channel: channelId, id, queue, unsettledCount: 0, unsettledSize: 0 }
    channel.consumers.push(consumer)
    queue.consumers.push(consumer)
    queue.usedAt = this.now
    return {}
  }

  /** A consumer goes, and with the last of a queue, GETs not counted, an auto-delete queue. */
  #leave(consumer: Consumer): void {
    const { queue } = consumer
    this.#forget(consumer)
    if (!queue.consumers.includes(consumer)) return
    queue.consumers = queue.consumers.filter((each) => each !== consumer)
    queue.usedAt = this.now
    const isAbandoned = consumer.getUntil === undefined && queue.consumers.every((each) => each.getUntil !== undefined)
    if (queue.autoDelete && isAbandoned) this.#removeQueue(queue)
  }

  #endGet(consumer: Consumer, found: boolean): void {
    this.#leave(consumer)
    this.#tell({ event: 'got', channel: consumer.channel, consumer: consumer.id, found })
  }

  /** What happens to a channel that is closed is told to nobody. */
  #tell(event: NaiveEvent): void {
    if (this.channels.some((channel) => channel.id === event.channel)) this.#events.push(event)
  }

  /** Takes a consumer off its channel, if that is still open; its number is free again. */
  #forget(consumer: Consumer): void {
    const channel = this.channels.find((each) => each.id === consumer.channel)
    if (channel !== undefined) channel.consumers = channel.consumers.filter((each) => each !== consumer)
  }

  #settleOne(delivery: Delivery, outcome: 'ack' | 'requeue' | 'retry' | 'reject', delayMs: number | undefined): void {
    if (delivery.settled) return
    delivery.settled = true
    const { consumer, entry } = delivery
    const { queue } = consumer
    consumer.unsettledCount--
    consumer.unsettledSize -= entry.size
    if (consumer.ack === 'none' || !this.queues.includes(queue)) return
    if (outcome === 'requeue') entry.state = 'ready'
    else if (outcome === 'retry') {
      entry.state = 'delayed'
      entry.failureCount++
      entry.readyAt = this.now + (delayMs ?? this.#backoffMs(entry.failureCount))
    } else {
      queue.entries = queue.entries.filter((each) => each !== entry)
      if (outcome === 'reject') queue.rejectedCount++
    }
  }
}
