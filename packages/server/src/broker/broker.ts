/**
 * The broker's core: virtual hosts, queues, consumers, and the messages between them. Here exchanges and queues meet.
 *
 * A command's answer is its return value (a plain result, or a `Refusal`); what happens to others goes through the
 * `Receiver` of each consumer. The core is told the time, and does nothing between calls:
 *
 *     accept (publish, settle, declare …) → tick(now) → dispatch() → [the turn sends what came out]
 */
import assert from 'node:assert'
import { headersFromJson, type JsonHeaders } from '@waybill/protocol'
import type { Entropy } from '../ports/entropy.js'
import type { DurableHost, DurableState, KeptRun } from './durable.js'
import type { BrokerLimits } from './limits.js'
import { PagePool } from './queues/page.js'
import { Queue, type QueueHome, type QueueOptions } from './queues/queue.js'
import { Consumer, type ConsumerOptions, type Receiver } from './queues/consumer.js'
import { durableHost } from './durable-host.js'
import { type Journal, noJournal } from './journal.js'
import { Refusal } from './refusal.js'
import type { Route } from './routing/route.js'
import { Compactor } from './store/compactor.js'
import { Slabs } from './store/slabs.js'
import type { Timers } from './timers/timed.js'
import { VirtualHost } from './virtual-host.js'

/** Reads the cold pages of queues that say they need them, later. */
export interface Pager {
  wanted(queue: Queue): void
}

const noPager: Pager = { wanted: () => undefined }

const retryFirstMs = 1_000
const retryMaxMs = 60_000
const retrySpread = 0.2

export interface BrokerOptions {
  readonly virtualHosts: readonly string[]
  readonly limits: BrokerLimits
  readonly timers: Timers
  readonly entropy: Entropy
  /** Monotonic ms at the start. */
  readonly now: number
}

export class Broker implements QueueHome {
  readonly limits: BrokerLimits
  readonly slabs = new Slabs()
  readonly pages = new PagePool()
  readonly compactor = new Compactor(this.slabs, () => this.queues())
  readonly virtualHosts = new Map<string, VirtualHost>()
  queueCount = 0
  /** The time of this turn. */
  now: number
  readonly #timers: Timers
  readonly #entropy: Entropy
  #dirty: Queue[] = []
  /** Exclusive queues by their connection. */
  readonly #exclusive = new Map<number, Set<Queue>>()
  /** Who reads back what is in the log and not in memory. */
  pager: Pager = noPager
  /** What was kept of virtual hosts that the configuration no longer names: it stays as it is. */
  #absentHosts: readonly DurableHost[] = []
  #journal: Journal = noJournal
  #nextMessageId = 1
  #nextQueueId = 1

  constructor(options: BrokerOptions) {
    this.limits = options.limits
    this.#timers = options.timers
    this.#entropy = options.entropy
    this.now = options.now
    for (const name of options.virtualHosts) {
      const seed = Math.floor(options.entropy.random() * 0x7fff_ffff)
      this.virtualHosts.set(name, new VirtualHost(name, seed))
    }
  }

  /** What keeps that which is durable; nothing, until one is given. */
  get journal(): Journal {
    return this.#journal
  }

  set journal(journal: Journal) {
    this.#journal = journal
    for (const host of this.virtualHosts.values()) host.journal = journal
  }

  /** The id that the next message will have. */
  get nextMessageId(): number {
    return this.#nextMessageId
  }

  /** Bytes that messages and their places take. */
  get usedSize(): number {
    return this.slabs.usedSize + this.pages.usedSize
  }

  get exchangeCount(): number {
    let count = 0
    for (const host of this.virtualHosts.values()) count += host.exchanges.size
    return count
  }

  get bindingCount(): number {
    let count = 0
    for (const host of this.virtualHosts.values()) count += host.bindingCount
    return count
  }

  // ─── publishing ─────────────────────────────────────────────────────────

  /**
   * Hot. Gives stored records to every queue of their route, and ids to the messages: `count` of them, which lie side by side; `sizes` has that of each from
   * index `from` on, in all it is `size`. Returns the first id, the others follow.
   */
  enqueue(
    route: Route,
    slab: number,
    offset: number,
    sizes: Uint32Array,
    from: number,
    count: number,
    size: number,
    persistent: boolean,
  ): number {
    const id = this.#nextMessageId
    this.#nextMessageId += count
    const { queues, exchange } = route
    // As long as the disk has failed, what comes is not kept: nor when it works again.
    const isKept = persistent && !this.#journal.failed
    for (let i = 0; i < queues.length; i++) queues[i].push(slab, offset, sizes, from, count, size, id, isKept)
    if (isKept && route.kept.length > 0) this.#journal.messages(route, slab, offset, size, id, count)
    if (exchange !== undefined) {
      exchange.publishedCount += count
      if (queues.length === 0) exchange.unroutableCount += count
    }
    return id
  }

  /** Takes back those of `count` messages that nobody has been given: they were not safe when the disk failed, and are refused. */
  withdraw(firstId: number, count: number): void {
    for (const queue of this.queues()) if (queue.liveCount > 0) queue.withdraw(firstId, count)
  }

  // ─── consuming ──────────────────────────────────────────────────────────

  consume(host: VirtualHost, connection: number, queueName: string, receiver: Receiver, options: ConsumerOptions): Consumer | Refusal {
    const queue = this.usable(host, connection, queueName)
    if (queue instanceof Refusal) return queue
    const [first] = queue.consumers
    if (first?.exclusive || (options.exclusive && first !== undefined)) {
      return new Refusal(
        'resourceLocked',
        `queue '${queueName}' has ${first.exclusive ? 'an exclusive consumer' : 'consumers'}; cancel first`,
      )
    }
    if (queue.consumers.size >= this.limits.queueConsumerCount) {
      return new Refusal(
        'limitExceeded',
        `queue '${queueName}' has ${queue.consumers.size} consumers, as many as queueConsumerCountMax allows`,
        {
          limit: 'queueConsumerCountMax',
        },
      )
    }
    const consumer = new Consumer(queue, receiver, options)
    queue.usedAt = this.now
    queue.addConsumer(consumer)
    return consumer
  }

  /** Takes a consumer off its queue. What it holds stays unsettled until `settle` or `giveBack`. */
  cancel(consumer: Consumer): void {
    if (!consumer.ended) consumer.queue.removeConsumer(consumer)
  }

  /** Hot. One delivery is settled; the window gets it back. `delayMs` below 0 means the queue's back-off. */
  settle(consumer: Consumer, place: number, size: number, outcome: number, delayMs: number): void {
    consumer.unsettledCount--
    consumer.unsettledSize -= size
    if (consumer.ack === 'manual') consumer.queue.settle(place, outcome, delayMs)
    if (!consumer.ended) consumer.queue.wake()
  }

  /** Hot. Deliveries of a consumer in mode none are settled: its window gets them back. */
  settleGone(consumer: Consumer, count: number, size: number): void {
    consumer.unsettledCount -= count
    consumer.unsettledSize -= size
    if (!consumer.ended) consumer.queue.wake()
  }

  // ─── the turn ───────────────────────────────────────────────────────────

  /** Hands out what has become ready. Nothing is ready afterwards that somebody with credit could take. */
  dispatch(): void {
    while (this.#dirty.length > 0) {
      const dirty = this.#dirty
      this.#dirty = []
      for (const queue of dirty) {
        queue.isDirty = false
        if (!queue.deleted) queue.dispatch()
      }
    }
    this.compactor.step(this.now)
  }

  /** Hands out what one queue has ready, now: a `get` that does not wait. */
  dispatchQueue(queue: Queue): void {
    queue.dispatch()
  }

  get hasWork(): boolean {
    return this.#dirty.length > 0
  }

  // ─── what queues ask of their home ──────────────────────────────────────

  dirty(queue: Queue): void {
    if (queue.isDirty) return
    queue.isDirty = true
    this.#dirty.push(queue)
  }

  retryIn(queue: Queue, place: number, delayMs: number): void {
    this.#timers.insert(this.now + delayMs, queue, place)
  }

  backoffMs(failureCount: number): number {
    const base = Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(failureCount - 1, 16))
    return Math.round(base * (1 - retrySpread + 2 * retrySpread * this.#entropy.random()))
  }

  wanted(queue: Queue): void {
    this.pager.wanted(queue)
  }

  abandoned(queue: Queue): void {
    if (queue.options.autoDelete) this.dropQueue(queue)
  }

  /** `expiresMs` has run since a use; it goes if there was none since. */
  expiryDue(queue: Queue, now: number): void {
    const expiresMs = queue.options.expiresMs
    if (queue.deleted || expiresMs === undefined) return
    const usedAt = queue.consumers.size > 0 ? now : queue.usedAt
    if (usedAt + expiresMs <= now) this.dropQueue(queue)
    else this.#timers.insert(usedAt + expiresMs, queue, Queue.expiry)
  }

  // ─── restoring ──────────────────────────────────────────────────────────

  /** Goes on with what was kept. Before there is a journal: what is restored has been written down already. */
  restore({ hosts, nextQueueId, nextMessageId }: DurableState): void {
    this.#nextQueueId = nextQueueId
    this.#nextMessageId = nextMessageId
    this.#absentHosts = hosts.filter(({ name }) => !this.virtualHosts.has(name))
    for (const durable of hosts) {
      const host = this.virtualHosts.get(durable.name)
      if (host === undefined) continue
      for (const { name, type, autoDelete, internal, alternate } of durable.exchanges) {
        host.addExchange(name, { type, durable: true, autoDelete, internal, alternate })
      }
      for (const { id, name, autoDelete, expiresMs, runs } of durable.queues) {
        const queue = new Queue(name, { durable: true, exclusive: false, autoDelete, expiresMs }, 0, host.name, id, this)
        queue.restore(runs)
        this.#addQueue(host, queue)
      }
      for (const { source, target, key, headers, match } of durable.bindings) {
        const from = host.exchange(source)
        const to = 'queue' in target ? host.queue(target.queue) : host.exchange(target.exchange)
        if (from === undefined || to === undefined) continue
        host.bind(from, { key, headers: headers === undefined ? undefined : headersFromJson(headers as JsonHeaders), match, target: to })
      }
    }
  }

  /** All that is durable now: what a broker that is restored from it goes on with. `nextMessageId`: ids from here on will be new. */
  durableState(nextMessageId = this.#nextMessageId): DurableState {
    const hosts = [...this.virtualHosts.values()].map(durableHost)
    return { hosts: [...hosts, ...this.#absentHosts], nextQueueId: this.#nextQueueId, nextMessageId }
  }

  /** What the log keeps for each durable queue, by its number there; those of virtual hosts that are not configured now are among them. */
  *keptQueues(): Iterable<{ readonly id: number; readonly runs: Iterable<KeptRun> }> {
    for (const queue of this.queues()) if (queue.keptId !== 0) yield { id: queue.keptId, runs: queue.keptRuns() }
    for (const { queues } of this.#absentHosts) yield* queues
  }

  // ─── queues come and go ─────────────────────────────────────────────────

  makeQueue(host: VirtualHost, name: string, options: QueueOptions, owner: number): Queue {
    const isKept = this.#journal.keeps && options.durable && owner === 0
    const queue = new Queue(name, options, owner, host.name, isKept ? this.#nextQueueId++ : 0, this)
    this.#addQueue(host, queue)
    if (owner !== 0) {
      const owned = this.#exclusive.get(owner) ?? new Set()
      this.#exclusive.set(owner, owned.add(queue))
    }
    return queue
  }

  #addQueue(host: VirtualHost, queue: Queue): void {
    const { expiresMs } = queue.options
    queue.usedAt = this.now
    host.addQueue(queue)
    this.queueCount++
    if (expiresMs !== undefined) this.#timers.insert(this.now + expiresMs, queue, Queue.expiry)
  }

  /** Takes a queue away, with its bindings; its consumers are told. Returns how many messages were ready. */
  dropQueue(queue: Queue): number {
    assert(!queue.deleted)
    this.virtualHosts.get(queue.virtualHost)!.removeQueue(queue)
    this.queueCount--
    if (queue.owner !== 0) this.#exclusive.get(queue.owner)?.delete(queue)
    return queue.delete()
  }

  queueName(): string {
    return `wb.${this.#entropy.name(20)}`
  }

  /** The connection is gone: so are its exclusive queues. Its channels have given back what they held. */
  connectionClosed(connection: number): void {
    for (const queue of [...(this.#exclusive.get(connection) ?? [])]) this.dropQueue(queue)
    this.#exclusive.delete(connection)
  }

  /** A queue that this connection may use. */
  usable(host: VirtualHost, connection: number, name: string): Queue | Refusal {
    const queue = host.queue(name)
    if (queue === undefined) return new Refusal('notFound', `no queue '${name}' in virtual host '${host.name}'; declare it first`)
    if (queue.owner !== 0 && queue.owner !== connection) {
      return new Refusal('resourceLocked', `queue '${name}' belongs to another connection: it is exclusive`)
    }
    return queue
  }

  *queues(): Iterable<Queue> {
    for (const host of this.virtualHosts.values()) yield* host.queues.values()
  }

  invariants(): void {
    this.slabs.invariants()
    for (const host of this.virtualHosts.values()) for (const queue of host.queues.values()) queue.invariants()
  }
}
