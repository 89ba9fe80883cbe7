/**
 * One queue as it must be, by what has passed the broker's door: every message that was taken for it, in order, and what has become of
 * each.
 *
 *     ready ─▶ unsettled ─▶ gone          and nothing is delivered that is not ready,
 *       ▲  ◀─requeue─┘ └retry─▶ delayed     nothing overtakes what is ready,
 *       └──────────────────────────┘        nothing comes back without saying so
 *
 * A batch is what comes between the ends of two turns. What a turn delivers is seen when it is written, so inside a batch a delivery
 * may be seen after what has followed it: that happens only when a `get` has made the broker deliver before its turn.
 */
import { expect, fail } from '../failure.js'

export interface QueueOptions {
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly expiresMs: number | undefined
}

/** A message that the broker has taken. */
export interface TakenMessage {
  /** In the order of taking. */
  readonly number: number
  /** Its own name, from the body. */
  readonly name: string
  readonly record: Buffer
  /** The broker's; known when a confirm or a delivery has told it. */
  id: number | undefined
  /** It was refused after all, for a reason that could not be foreseen. */
  isWithdrawn: boolean
}

export type CopyEnd = 'acked' | 'rejected' | 'purged' | 'deleted' | 'sent'

/** Delivery counts go no further. */
const deliveryCountMax = 0xfff

export interface Copy {
  readonly message: TakenMessage
  readonly position: number
  state: 'ready' | 'unsettled' | 'delayed' | 'gone'
  end: CopyEnd | undefined
  /** How often it has been seen on its way. */
  deliveredCount: number
  failureCount: number
  /** The batch in which it became ready. */
  readySince: number
  /** When a retry comes back: not before, and at the latest with the turn at. */
  dueFrom: number
  dueTo: number
  /** It may have been sent to a consumer without settlements whose connection ended before the bytes left. */
  maybeSent: boolean
}

export interface DeliveryFlags {
  readonly redelivered: boolean
  readonly deliveryCount: number
  readonly failureCount: number
}

export interface Moment {
  readonly batch: number
  readonly now: number
}

/** A consumer as its queue sees it. */
export interface QueueConsumer {
  /** A `get`. */
  readonly once: boolean
  readonly exclusive: boolean
  /** Whether it is there, or was refused, will be known by the answer. */
  readonly isUncertain: boolean
  /** It takes nothing any more: cancelled, ended, or (a `get`) served. */
  over: boolean
}

export class ExpectedQueue {
  readonly name: string
  readonly options: QueueOptions
  /** The connection that it belongs to, or 0. */
  readonly owner: number
  readonly consumers = new Set<QueueConsumer>()
  usedAt: number
  deleted = false
  readyCount = 0
  unsettledCount = 0
  delayedCount = 0
  readonly ends: Record<CopyEnd, number> = { acked: 0, rejected: 0, purged: 0, deleted: 0, sent: 0 }
  publishedCount = 0
  deliveredCount = 0
  requeuedCount = 0
  retriedCount = 0
  /** The batch of the last `get` that may have delivered before its turn. */
  #gotIn = -1
  #copies: Copy[] = []
  #first = 0
  readonly #byName = new Map<string, Copy[]>()
  /** Purged or deleted when a `get` may have put them on their way already: they may turn up. */
  #ghosts: Copy[] = []
  readonly #delayed = new Set<Copy>()
  #lastDelivered = -1
  #touchedIn = -1
  #hasMaybeSent = false
  /** The last first delivery on each connection. */
  readonly #lastFirst = new Map<number, number>()

  constructor(name: string, options: QueueOptions, owner: number, now: number) {
    this.name = name
    this.options = options
    this.owner = owner
    this.usedAt = now
  }

  get liveCount(): number {
    return this.readyCount + this.unsettledCount + this.delayedCount
  }

  /** Least and most messages that can be ready now. */
  readyRange(batch: number, now: number): readonly [number, number] {
    let most = this.readyCount + this.#ghosts.length
    let least = this.readyCount
    for (const copy of this.#delayed) if (copy.dueFrom <= now) most++
    if (this.isBlurred(batch)) least = 0
    else if (this.#hasMaybeSent) for (const copy of this.live()) if (copy.maybeSent && copy.state === 'ready') least--
    return [least, most]
  }

  /** Least and most messages that can be there, in whatever state. */
  liveRange(): readonly [number, number] {
    let maybe = 0
    if (this.#hasMaybeSent) for (const copy of this.live()) if (copy.maybeSent && copy.state === 'ready') maybe++
    return [this.liveCount - maybe, this.liveCount]
  }

  /** Whether everything that was delivered has been seen: what a `get` makes the broker deliver may be lost with its connection before. */
  get isSure(): boolean {
    return this.#gotIn < 0
  }

  isBlurred(batch: number): boolean {
    return this.#gotIn === batch
  }

  blur(batch: number): void {
    this.#gotIn = batch
  }

  push(message: TakenMessage, batch: number): void {
    const copy: Copy = {
      message,
      position: this.#copies.length,
      state: 'ready',
      end: undefined,
      deliveredCount: 0,
      failureCount: 0,
      readySince: batch,
      dueFrom: 0,
      dueTo: 0,
      maybeSent: false,
    }
    this.#copies.push(copy)
    const same = this.#byName.get(message.name)
    if (same === undefined) this.#byName.set(message.name, [copy])
    else same.push(copy)
    this.readyCount++
    this.publishedCount++
  }

  /** It was not taken after all: the publisher had no credit for it. */
  withdraw(message: TakenMessage): void {
    const copy = this.#byName.get(message.name)!.find((each) => each.message === message)!
    if (copy.state === 'ready') this.readyCount--
    else fail('invented', `message ${message.name} was refused, and delivered all the same`)
    this.publishedCount--
    this.#end(copy, 'purged')
    this.ends.purged--
  }

  /** The copy that a delivery is of. Fails when there is none that could be. */
  find(name: string, id: number): Copy {
    const same = [...(this.#byName.get(name) ?? []), ...this.#ghosts.filter((each) => each.message.name === name)]
    if (same.length === 0) fail('invented', `queue '${this.name}' delivers message ${name}, which it was never given`)
    const copy = same.find((each) => each.message.id === id) ?? same.find((each) => each.message.id === undefined)
    return (
      copy ??
      fail('identity', `message ${name} is delivered as ${id}, but was confirmed as ${same.map((each) => each.message.id).join(', ')}`)
    )
  }

  /** A delivery has been written. */
  delivered(copy: Copy, connection: number, ack: 'manual' | 'none', flags: DeliveryFlags, at: Moment): void {
    const { name } = copy.message
    const words = (): string => `message ${name} of queue '${this.name}'`
    if (copy.state === 'delayed') {
      expect(at.now >= copy.dueFrom, 'retry', () => `${words()} is back at ${at.now}, its delay ends at ${copy.dueFrom}`)
      this.#becomeReady(copy, at.batch)
    }
    if (copy.end === 'purged') this.#revive(copy, at.batch)
    if (copy.state !== 'ready') {
      expect(this.isBlurred(at.batch), 'twice', () => `${words()} is delivered, but it is ${copy.end ?? copy.state}`)
    }
    const before = copy.deliveredCount
    expect(flags.redelivered || before === 0, 'redelivered', () => `${words()} comes for the ${before + 1}. time without the flag`)
    expect(
      flags.deliveryCount > Math.min(before, deliveryCountMax - 1),
      'counts',
      () => `${words()} was delivered ${before} times, its delivery count is ${flags.deliveryCount}`,
    )
    expect(
      flags.redelivered || flags.deliveryCount === 1,
      'counts',
      () => `${words()} has delivery count ${flags.deliveryCount} without the flag`,
    )
    expect(
      flags.failureCount === copy.failureCount,
      'counts',
      () => `${words()} failed ${copy.failureCount} times, it says ${flags.failureCount}`,
    )
    if (!flags.redelivered) {
      const last = this.#lastFirst.get(connection) ?? -1
      expect(copy.position > last, 'order', () => `${words()} (${copy.position}.) comes behind the ${last}. on connection ${connection}`)
      this.#lastFirst.set(connection, copy.position)
    }
    copy.deliveredCount++
    this.deliveredCount++
    if (copy.position > this.#lastDelivered || this.#touchedIn !== at.batch) this.#lastDelivered = copy.position
    this.#touchedIn = at.batch
    if (copy.state !== 'ready') return
    this.readyCount--
    if (ack === 'none') this.#end(copy, 'sent')
    else {
      copy.state = 'unsettled'
      this.unsettledCount++
    }
  }

  settled(copy: Copy, outcome: 'acked' | 'rejected' | 'requeue' | 'retry', at: Moment, delayMs: number): void {
    if (copy.state === 'gone') return
    if (copy.state !== 'unsettled') fail('model', `message ${copy.message.name} is settled while ${copy.state}`)
    this.unsettledCount--
    switch (outcome) {
      case 'acked':
      case 'rejected':
        this.#end(copy, outcome)
        return
      case 'requeue':
        this.requeuedCount++
        this.readyCount++
        copy.state = 'ready'
        copy.readySince = at.batch
        return
      case 'retry': {
        this.retriedCount++
        copy.failureCount++
        const backoffMs = Math.min(60_000, 1_000 * 2 ** (copy.failureCount - 1))
        copy.dueFrom = at.now + (delayMs < 0 ? Math.floor(backoffMs * 0.8) : delayMs)
        copy.dueTo = at.now + (delayMs < 0 ? Math.ceil(backoffMs * 1.2) : delayMs)
        copy.state = 'delayed'
        this.delayedCount++
        this.#delayed.add(copy)
      }
    }
  }

  /** A consumer without settlements has gone that may have been given something which was never written: what is ready may be gone. */
  losesSight(): void {
    for (const copy of this.live()) if (copy.state === 'ready') copy.maybeSent = true
    this.#hasMaybeSent = true
  }

  /** Takes away what is ready or delayed; how many that are, at least and at most. */
  purge(batch: number, now: number): readonly [number, number] {
    const [least, most] = this.readyRange(batch, now)
    let later = 0
    for (const copy of this.#delayed) if (copy.dueFrom > now) later++
    for (const copy of this.live()) {
      if (copy.state === 'unsettled') continue
      if (copy.state === 'ready') this.readyCount--
      else this.#leaveDelay(copy)
      this.#end(copy, 'purged')
      if (this.isBlurred(batch)) this.#ghosts.push(copy)
    }
    return [least, most + later]
  }

  delete(batch: number): void {
    for (const copy of this.live()) {
      if (copy.state === 'delayed') this.#leaveDelay(copy)
      this.#end(copy, 'deleted')
      if (this.isBlurred(batch)) this.#ghosts.push(copy)
    }
    this.readyCount = this.unsettledCount = 0
    this.deleted = true
  }

  /** A turn begins: retries whose time is surely over are ready. */
  turnBegins(batch: number, now: number): void {
    for (const copy of this.#delayed) if (copy.dueTo <= now) this.#becomeReady(copy, batch)
  }

  /** All that the turn has delivered has been seen: it must not have overtaken anything. */
  turnEnds(batch: number): void {
    if (this.deleted) this.#ghosts = []
    if (this.#touchedIn !== batch || this.deleted) return
    const blurred = this.isBlurred(batch)
    for (const copy of this.live()) {
      if (copy.position >= this.#lastDelivered) return
      if (copy.state !== 'ready' || copy.maybeSent || (blurred && copy.readySince === batch)) continue
      fail(
        'order',
        `the ${this.#lastDelivered}. message of queue '${this.name}' was delivered, the ${copy.position}. (${copy.message.name}) was ready and was not`,
      )
    }
  }

  *live(): Iterable<Copy> {
    while (this.#first < this.#copies.length && this.#copies[this.#first]!.state === 'gone') this.#first++
    for (let i = this.#first; i < this.#copies.length; i++) if (this.#copies[i]!.state !== 'gone') yield this.#copies[i]!
  }

  #becomeReady(copy: Copy, batch: number): void {
    this.#leaveDelay(copy)
    copy.state = 'ready'
    copy.readySince = batch
    this.readyCount++
  }

  #leaveDelay(copy: Copy): void {
    this.#delayed.delete(copy)
    this.delayedCount--
  }

  #end(copy: Copy, end: CopyEnd): void {
    copy.state = 'gone'
    copy.end = end
    this.ends[end]++
    const same = this.#byName.get(copy.message.name)!
    if (same.length === 1) this.#byName.delete(copy.message.name)
    else same.splice(same.indexOf(copy), 1)
  }

  /** It was on its way when the queue was purged. */
  #revive(copy: Copy, batch: number): void {
    this.#ghosts = this.#ghosts.filter((each) => each !== copy)
    this.ends.purged--
    copy.end = undefined
    copy.state = 'ready'
    copy.readySince = batch
    this.readyCount++
    this.#byName.set(copy.message.name, [...(this.#byName.get(copy.message.name) ?? []), copy])
    this.#first = Math.min(this.#first, copy.position)
  }
}
