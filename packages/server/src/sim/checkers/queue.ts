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
import { Copies, type Copy, type CopyEnd, type DeliveryFlags, expectFlags, type TakenMessage } from './copies.js'

export interface QueueOptions {
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly expiresMs: number | undefined
}

export interface Moment {
  readonly batch: number
  readonly now: number
  readonly stamp: number
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

const noEnds: Readonly<Record<CopyEnd, number>> = { acked: 0, rejected: 0, purged: 0, deleted: 0, sent: 0, lost: 0 }

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
  ends: Record<CopyEnd, number> = { ...noEnds }
  publishedCount = 0
  /** What a restart has left of it. */
  restoredCount = 0
  /** Its number in the broker's journal, if it was seen there. */
  keptId: number | undefined
  deliveredCount = 0
  requeuedCount = 0
  retriedCount = 0
  /** The batch of the last `get` that may have delivered before its turn. */
  #gotIn = -1
  readonly #copies = new Copies()
  /** Purged or deleted when a `get` may have put them on their way already: they may turn up. */
  #ghosts: Copy[] = []
  readonly #delayed = new Set<Copy>()
  #lastDelivered = -1
  #touchedIn = -1
  /** There may be some of which it is not known whether they are there. */
  #hasUnsure = false
  /** What has become of one of them is not known, or something may have been given to a consumer without having been seen: since the start of the process. */
  #isBlind = false
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
    else if (this.#hasUnsure) for (const copy of this.live()) if (copy.isUnsure && copy.state === 'ready') least--
    return [least, most]
  }

  /** Least and most messages that can be there, in whatever state. */
  liveRange(): readonly [number, number] {
    let maybe = 0
    if (this.#hasUnsure) for (const copy of this.live()) if (copy.isUnsure && copy.state === 'ready') maybe++
    return [this.liveCount - maybe, this.liveCount]
  }

  /** Whether its persistent messages outlive the broker's process. */
  get isKept(): boolean {
    return this.options.durable && this.owner === 0
  }

  /** Whether it is known what has become of every message since the process began. */
  get isSure(): boolean {
    if (this.#hasUnsure) this.#hasUnsure = [...this.live()].some((copy) => copy.isUnsure)
    return !this.#isBlind && !this.#hasUnsure
  }

  isBlurred(batch: number): boolean {
    return this.#gotIn === batch
  }

  blur(batch: number): void {
    this.#gotIn = batch
  }

  /** Somebody leaves: what a `get` has made the broker give it goes with it, and nobody has seen it. */
  leaves(batch: number): void {
    if (this.isBlurred(batch)) this.#isBlind = true
  }

  push(message: TakenMessage, batch: number): void {
    this.#copies.add(message, batch)
    this.readyCount++
    this.publishedCount++
  }

  /** It was not taken after all: the publisher had no credit for it. */
  withdraw(message: TakenMessage, stamp: number): void {
    const copy = this.#copies.of(message)
    if (copy === undefined) return
    if (copy.state === 'ready') this.readyCount--
    else fail('invented', `message ${message.name} was refused, and delivered all the same`)
    this.publishedCount--
    copy.isUnsure = false
    this.#end(copy, 'purged', stamp)
    this.ends.purged--
  }

  /** It may have been refused, and its publisher not told yet. */
  doubt(message: TakenMessage): void {
    this.#doubt(this.#copies.of(message))
  }

  /** It was taken. */
  trust(message: TakenMessage): void {
    const copy = this.#copies.of(message)
    if (copy !== undefined) copy.isUnsure = false
  }

  /** The disk has been harmed: anything that was kept may be gone. */
  doubtAll(): void {
    for (const copy of this.live()) if (copy.message.persistent && copy.state !== 'unsettled') this.#doubt(copy)
  }

  /** The disk has failed: what it did not have for sure, and nobody has got yet, may be gone. */
  doubtUnsafe(isSafe: (stamp: number) => boolean): void {
    for (const copy of this.live()) {
      const { persistent, isSynced, stamp } = copy.message
      if (persistent && !isSynced && !isSafe(stamp) && copy.state !== 'unsettled') this.#doubt(copy)
    }
  }

  /** The copy that a delivery is of. Fails when there is none that could be. Of those that were published again, it is the one that can have this id. */
  find(name: string, id: number, canBe: (message: TakenMessage, id: number) => boolean): Copy {
    const same = [...this.#copies.named(name), ...this.#ghosts.filter((each) => each.message.name === name)]
    if (same.length === 0) fail('invented', `queue '${this.name}' delivers message ${name}, which it was never given`)
    const named = same.find((each) => each.message.id === id)
    const unnamed = named === undefined ? same.filter(({ message }) => message.id === undefined) : []
    const possible = unnamed.length > 1 ? unnamed.filter(({ message }) => canBe(message, id)) : []
    const copy = named ?? (unnamed.length > 1 ? (possible.find(({ isUnsure }) => !isUnsure) ?? possible[0]) : unnamed[0])
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
    expectFlags(copy, flags, words)
    if (!flags.redelivered) {
      const last = this.#lastFirst.get(connection) ?? -1
      expect(copy.position > last, 'order', () => `${words()} (${copy.position}.) comes behind the ${last}. on connection ${connection}`)
      this.#lastFirst.set(connection, copy.position)
    }
    copy.deliveredCount++
    copy.isUnsure = false
    this.deliveredCount++
    if (copy.position > this.#lastDelivered || this.#touchedIn !== at.batch) this.#lastDelivered = copy.position
    this.#touchedIn = at.batch
    if (copy.state !== 'ready') return
    this.readyCount--
    if (ack === 'none') this.#end(copy, 'sent', at.stamp)
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
        this.#end(copy, outcome, at.stamp)
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
    for (const copy of this.live()) if (copy.state === 'ready') this.#doubt(copy)
  }

  /** Takes away what is ready or delayed; how many that are, at least and at most. */
  purge({ batch, now, stamp }: Moment): readonly [number, number] {
    const [least, most] = this.readyRange(batch, now)
    this.leaves(batch)
    let later = 0
    for (const copy of this.#delayed) if (copy.dueFrom > now) later++
    for (const copy of this.live()) {
      if (copy.state === 'unsettled') continue
      if (copy.state === 'ready') this.readyCount--
      else this.#leaveDelay(copy)
      this.#end(copy, 'purged', stamp)
      if (this.isBlurred(batch)) this.#ghosts.push(copy)
    }
    return [least, most + later]
  }

  delete({ batch, stamp }: Moment): void {
    for (const copy of this.live()) {
      if (copy.state === 'delayed') this.#leaveDelay(copy)
      this.#end(copy, 'deleted', stamp)
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
      if (copy.state !== 'ready' || copy.isUnsure || (blurred && copy.readySince === batch)) continue
      fail(
        'order',
        `the ${this.#lastDelivered}. message of queue '${this.name}' was delivered, the ${copy.position}. (${copy.message.name}) was ready and was not`,
      )
    }
  }

  // ─── the end of a process ───────────────────────────────────────────────

  /**
   * The broker's process has ended, and another one goes on with what was kept: what is surely kept is ready, what may be kept is ready or gone. `isSafe`:
   * what happened then is kept.
   */
  restart(batch: number, now: number, isSafe: (stamp: number) => boolean, isDamaged: boolean): void {
    this.#ghosts = []
    this.#delayed.clear()
    this.#lastFirst.clear()
    this.consumers.clear()
    this.#gotIn = this.#touchedIn = this.#lastDelivered = -1
    this.#isBlind = this.#hasUnsure = false
    this.deleted = false
    this.usedAt = now
    this.ends = { ...noEnds }
    this.readyCount = this.unsettledCount = this.delayedCount = 0
    this.publishedCount = this.deliveredCount = this.requeuedCount = this.retriedCount = 0
    for (const copy of this.#copies.forgetAll()) this.#restart(copy, batch, isSafe, isDamaged)
    this.restoredCount = this.readyCount
  }

  #restart(copy: Copy, batch: number, isSafe: (stamp: number) => boolean, isDamaged: boolean): void {
    const { message } = copy
    if (copy.end === 'lost' && !isDamaged) return
    // The deletion of a queue that is there has not come to pass.
    const isOver = copy.state === 'gone' && copy.end !== 'deleted'
    if (!message.persistent || message.isWithdrawn || (isOver && isSafe(copy.endStamp))) {
      copy.state = 'gone'
      copy.end = 'lost'
      return
    }
    if (copy.deliveredCount > 0) copy.wasDelivered = true
    if (isDamaged || isOver || !(message.isSynced || (isSafe(message.stamp) && !message.isLoose))) this.#doubt(copy)
    copy.state = 'ready'
    copy.end = undefined
    copy.deliveredCount = copy.failureCount = 0
    copy.readySince = batch
    this.readyCount++
    this.#hasUnsure ||= copy.isUnsure
    this.#copies.remember(copy)
  }

  /** The broker has so many. When that is all that can be, or no more than must be, each is sure. */
  restored(count: number): void {
    const unsure = [...this.live()].filter((copy) => copy.isUnsure)
    const least = this.readyCount - unsure.length
    expect(count >= least, 'lost', () => {
      const first = [...this.live()].find((copy) => !copy.isUnsure)
      return `queue '${this.name}' has ${count} messages after a restart, there must be ${least}; the first of them is ${first?.message.name}`
    })
    expect(
      count <= this.readyCount,
      'invented',
      () => `queue '${this.name}' has ${count} messages after a restart, at most ${this.readyCount} can be there`,
    )
    if (count === this.readyCount) for (const copy of unsure) copy.isUnsure = false
    else if (count === least) {
      for (const copy of unsure) {
        copy.isUnsure = false
        this.readyCount--
        this.restoredCount--
        this.#end(copy, 'lost', 0)
        this.ends.lost--
      }
    }
  }

  /** What is there, in order. */
  live(): Iterable<Copy> {
    return this.#copies.live()
  }

  #doubt(copy: Copy | undefined): void {
    if (copy === undefined) return
    copy.isUnsure = true
    this.#hasUnsure = true
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

  #end(copy: Copy, end: CopyEnd, stamp: number): void {
    if (copy.isUnsure) this.#isBlind = true
    copy.state = 'gone'
    copy.end = end
    copy.endStamp = stamp
    this.ends[end]++
    this.#copies.forget(copy)
  }

  /** It was on its way when the queue was purged. */
  #revive(copy: Copy, batch: number): void {
    this.#ghosts = this.#ghosts.filter((each) => each !== copy)
    this.ends.purged--
    copy.end = undefined
    copy.state = 'ready'
    copy.readySince = batch
    this.readyCount++
    this.#copies.remember(copy)
  }
}
