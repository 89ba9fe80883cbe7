/**
 * What must be true of a broker, whatever clients and the network do. The checkers see the bytes that pass the broker's door, and
 * nothing else of the workload; from those they know what it must do, and compare.
 *
 *     order        first deliveries of a queue stand in the order of publishing, a returned message at its old place
 *     prefetch     a consumer never holds more messages or bytes than its window
 *     credit       a client never publishes beyond its credit, none is refused within it; the memory budget holds in every turn
 *     counts       what was taken is delivered until it is settled, and nothing else is; at the end all sums agree
 *     identity     a message has one id and one body from its publishing to its last delivery
 *     redelivered  what comes again says so
 *     answers      every request is answered once, rightly, in order
 *     pinned       bytes that are being written do not change
 *     invariants   those that the broker states itself
 *
 * And over the ends of processes, with a disk:
 *
 *     lost         what somebody was told is kept is there: messages, names, settlements
 *     invented     nothing else is, but what may have been kept without anybody having been told
 *     storage      a disk that has failed is taken up again in time, and excuses nothing but what happens until then
 */
import type { ErrorName } from '@waybill/protocol'
import type { DurableState } from '../../broker/durable.js'
import type { Queue } from '../../broker/queues/queue.js'
import type { Turn } from '../../turn/turn.js'
import type { SimClock } from '../clock.js'
import { expect, fail } from '../failure.js'
import type { DoorConnection, Doorkeeper } from '../network/context.js'
import type { Tally } from '../tally.js'
import type { TakenMessage } from './copies.js'
import { checkExpiry, expired } from './expiry.js'
import type { PlainRecord } from './frames.js'
import { ExpectedNames } from './names.js'
import type { SessionHome, SessionLimits } from './home.js'
import { Keeping } from './keeping.js'
import { type DiskState, Outage } from './outage.js'
import type { ExpectedQueue } from './queue.js'
import { ExpectedSession } from './session.js'
import { checkAgainst, checkSums } from './sums.js'
import { TakenMessages } from './taken.js'
import { type Breach, Told } from './told.js'

const slabSize = 1 << 20
/** From here on an eighth of the budget is more than what slabs can waste. */
const budgetMin = 24 * slabSize
/** `invariants()` walks over everything there is: not in every turn. */
const invariantsEvery = 16

export interface CheckersOptions {
  readonly clock: SimClock
  readonly tally: Tally
  readonly limits: SessionLimits
  /** Whether the broker has a disk. */
  readonly keeps: boolean
  /** What it does now. */
  readonly disk?: DiskState
}

export class Checkers implements Doorkeeper, SessionHome {
  readonly names = new ExpectedNames()
  readonly tally: Tally
  readonly limits: SessionLimits
  batch = 0
  stamp = 0
  draining = false
  readonly keeps: boolean
  readonly #clock: SimClock
  readonly #sessions = new Map<number, ExpectedSession>()
  readonly #told = new Map<number, Told>()
  readonly #spoilt = new Map<string, ErrorName>()
  readonly #programs = new Map<number, (message: string, outcome: 'acked' | 'rejected') => boolean>()
  readonly #taken = new TakenMessages()
  /** Queues that are gone, for the sums. */
  readonly #gone = new Set<ExpectedQueue>()
  readonly #keeping = new Keeping()
  readonly #outage: Outage
  #goneNow: ExpectedQueue[] = []
  #turn: Turn | undefined

  constructor({ clock, tally, limits, keeps, disk = { isFailing: false, syncingMs: 0 } }: CheckersOptions) {
    this.#clock = clock
    this.tally = tally
    this.limits = limits
    this.keeps = keeps
    this.#outage = new Outage(this, disk)
  }

  watch(turn: Turn): void {
    this.#turn = turn
    this.#clock.onTurn = { begin: () => this.#turnBegins(), end: () => this.#turnEnds(turn) }
  }

  get now(): number {
    return this.#clock.now()
  }

  get stalledMs(): number {
    return this.#clock.stalledMs
  }

  get isDiskOut(): boolean {
    return this.#outage.isOn
  }

  wasDiskOutSince(stamp: number): boolean {
    return this.#outage.wasOnSince(stamp)
  }

  // ─── what the workload says of its own misdeeds ─────────────────────────

  /** With the byte at `at` of what it sends this peer breaks the protocol, and must be told one of these. */
  expectBreach(connection: DoorConnection, at: number, breach: Breach): void {
    this.#session(connection).inbox.breaks(at)
    this.#told.get(connection.number)!.breaks(breach)
  }

  /** This request must be refused. */
  expectRefusal(connection: DoorConnection, correlation: number, name: ErrorName): void {
    this.#session(connection).spoilt.set(correlation, name)
  }

  /** The message with this name in its body is spoilt, and must be refused wherever it comes. */
  expectSpoilt(message: string, name: ErrorName): void {
    this.#spoilt.set(message, name)
  }

  /** This peer publishes beyond its credit. */
  expectExcess(connection: DoorConnection): void {
    this.#session(connection).exceeds = true
  }

  // ─── what clients say of what they were told ───────────────────────────

  /** The message with this name, as often as it was taken. */
  takenAs(name: string): readonly TakenMessage[] {
    return this.#taken.named(name)
  }

  /** A client has been told that no queue has it, and that it is safe to send again. */
  expectNotTaken(name: string, code: string): void {
    this.#taken.expectNot(name, code)
  }

  /** The program on this connection is asked, for every message that is settled for good, whether it has done so. */
  watchSettlements(connection: number, hasSettled: (message: string, outcome: 'acked' | 'rejected') => boolean): void {
    this.#programs.set(connection, hasSettled)
  }

  settled(connection: number, message: string, outcome: 'acked' | 'rejected'): void {
    const hasSettled = this.#programs.get(connection)?.(message, outcome) ?? true
    expect(hasSettled, 'settled', () => `message ${message} is ${outcome} on connection ${connection}, and its program has not done so`)
  }

  // ─── the door ───────────────────────────────────────────────────────────

  arrived(connection: DoorConnection, bytes: Buffer): void {
    this.#session(connection).arrived(bytes)
    this.#told.get(connection.number)!.heard()
  }

  /** A session of the broker gets a frame, and will carry it out. */
  frame(connection: DoorConnection, type: number, channel: number, correlation: number, bodySize: number): void {
    this.stamp++
    this.#session(connection).frame(type, channel, correlation, bodySize)
    this.#keeping.names.note(this.names, this.stamp)
  }

  written(connection: DoorConnection, bytes: Buffer): void {
    this.#session(connection)
    this.#told.get(connection.number)!.written(bytes)
  }

  ended(connection: DoorConnection): void {
    const session = this.#session(connection)
    this.#told.get(connection.number)!.ended()
    this.#release(session)
  }

  /** A broker tears a connection down when its end takes too long, or when nothing of what it was sent is taken. */
  destroyed(connection: DoorConnection): void {
    const session = this.#session(connection)
    if (session.state === 'over') return
    const stalledMs = this.now - Math.floor(connection.broker.takenAt)
    const isStalled = connection.broker.pendingSize > 0 && stalledMs >= this.limits.outboxStallMs
    expect(isStalled, 'fault', () => `connection ${connection.number} is torn down; it took bytes ${stalledMs} ms ago`)
    this.tally.count('ended by outboxStalled')
  }

  closed(connection: DoorConnection): void {
    this.#release(this.#session(connection))
  }

  #release(session: ExpectedSession): void {
    this.stamp++
    session.release()
    this.#keeping.names.note(this.names, this.stamp)
  }

  /** The broker's authenticator lets a peer in, or refuses it. */
  authenticated(connection: number, refusal: ErrorName | undefined): void {
    this.#sessions.get(connection)?.authenticated(refusal)
  }

  // ─── what sessions ask ──────────────────────────────────────────────────

  mayBeFull(size: number): boolean {
    const { broker, credit } = this.#turn!
    return broker.usedSize + 2 * size + 2 * slabSize > credit.budget
  }

  spoiltRecord(name: string): ErrorName | undefined {
    return this.#spoilt.get(name)
  }

  take(record: PlainRecord): TakenMessage {
    return this.#taken.take(record, this.stamp, this.isDiskOut)
  }

  canHaveId(message: TakenMessage, id: number): boolean {
    return this.#taken.canHaveId(message, id)
  }

  countOf(queue: ExpectedQueue): number {
    const [least, most] = queue.liveRange()
    const count = this.#real(queue)?.liveCount ?? most
    return least === most || count < least || count > most ? most : count
  }

  dropQueue(queue: ExpectedQueue): void {
    this.names.removeQueue(queue.name)
    queue.delete(this)
    for (const consumer of queue.consumers) consumer.over = true
    queue.consumers.clear()
    this.#gone.add(queue)
    this.#goneNow.push(queue)
  }

  // ─── turns ──────────────────────────────────────────────────────────────

  #turnBegins(): void {
    for (const queue of this.names.queues.values()) queue.turnBegins(this.batch, this.now)
    for (const session of this.#sessions.values()) session.turnBegins()
  }

  #turnEnds(turn: Turn): void {
    this.tally.count('turns')
    this.stamp++
    this.#outage.turnEnds()
    for (const queue of [...this.names.queues.values(), ...this.#goneNow]) queue.turnEnds(this.batch)
    this.#goneNow = []
    for (const session of this.#sessions.values()) session.turnEnds()
    for (const told of this.#told.values()) told.turnEnds()
    const { queues } = turn.broker.virtualHosts.get('default')!
    checkExpiry(this, (name) => queues.has(name))
    const { usedSize } = turn.broker
    const { unusedSize, budget } = turn.credit
    // Slabs count whole: in a budget of a few of them a grant that begins one is beyond it by what it does not fill.
    const slack = budget < budgetMin ? 2 * slabSize : 0
    expect(usedSize + unusedSize <= budget + slack, 'memory', () => `${usedSize} bytes are used and ${unusedSize} granted, of ${budget}`)
    if (this.batch % invariantsEvery === 0) this.invariants()
    this.batch++
    this.#keeping.names.note(this.names, this.stamp)
    for (const queue of this.names.queues.values()) {
      if (!queue.isKept || queue.keptId !== undefined) continue
      const real = this.#real(queue)
      if (real !== undefined) this.#keeping.names.numbered(queue, real.keptId)
    }
    if (!this.isDiskOut) this.#keeping.writtenThrough(this.stamp)
  }

  // ─── the end of a process, and the next one ─────────────────────────────

  safeThrough(stamp: number): void {
    this.#keeping.safeThrough(stamp)
  }

  /** A bit of what the disk has turns. It must be told, with its place, or do no harm. */
  rotten(): void {
    this.#keeping.isRotten = true
  }

  /**
   * The broker says that the disk does not give what was written. If nobody has harmed it, that is wrong; else nothing is sure any more of what was there,
   * and nothing but that may be there.
   */
  damageTold(event: 'data-damaged' | 'data-torn-tail', where: string): void {
    if (!this.#keeping.isRotten) {
      if (event === 'data-damaged') fail('damage', `the broker takes something for damage: ${where}`)
      return
    }
    this.tally.count('rot told')
    this.#keeping.isDamaged = true
    if (this.#turn !== undefined) for (const queue of this.names.queues.values()) if (queue.isKept) queue.doubtAll()
  }

  /** A sync or a write has failed: what was not kept until then may be refused now. */
  diskFailed(): void {
    this.#outage.struck()
    for (const queue of this.names.queues.values()) if (queue.isKept) queue.doubtUnsafe((stamp) => this.#keeping.isSafe(stamp))
  }

  /** The broker says that what it keeps things in has failed, or does its work again. */
  storageSaid(event: 'storage-failed' | 'storage-recovered'): void {
    if (event === 'storage-failed') this.#outage.failed()
    else this.#outage.recovered()
  }

  /** The broker's process has ended. When it was killed, what it had written is there. */
  crash(isPowerCut: boolean): void {
    this.#expireLast()
    // What was on its way to a consumer without settlements may be gone in the log, and not have been sent. [P-10.6]
    for (const session of this.#sessions.values()) for (const queue of session.unsettledQueues()) queue.losesSight()
    for (const session of this.#sessions.values()) session.crash()
    this.#sessions.clear()
    this.#told.clear()
    this.#goneNow = []
    this.draining = false
    this.#clock.onTurn = { begin: () => undefined, end: () => undefined }
    this.#keeping.ended(isPowerCut || this.isDiskOut, this.#turn !== undefined)
    this.#turn = undefined
  }

  /** In its last turn the process may have let queues go whose time was over. */
  #expireLast(): void {
    for (const { name } of expired(this)) {
      this.names.removeQueue(name)
      this.#keeping.names.note(this.names, ++this.stamp)
    }
  }

  /** Another process goes on, with what was kept. */
  restored(turn: Turn, state: DurableState): void {
    const isFirst = this.batch === 0
    const before = [...this.names.queues.values(), ...this.#gone]
    const keeping = this.#keeping
    const queues = keeping.restore(this.names, state)
    for (const queue of before) this.#countEnds(queue)
    this.#gone.clear()
    this.stamp++
    for (const queue of queues) {
      queue.restart(this.batch, this.now, (stamp) => keeping.isFound(stamp), keeping.isDamaged)
      queue.restored(turn.broker.virtualHosts.get('default')!.queue(queue.name)!.liveCount)
    }
    // It can have failed while it was opened.
    this.#outage.begins(turn.journal!.log.progress().failed !== undefined)
    keeping.isDamaged = false
    this.#taken.idLeast = state.nextMessageId
    if (!isFirst) this.tally.count('restarts')
    this.watch(turn)
  }

  invariants(): void {
    try {
      this.#turn!.invariants()
      this.#turn!.timers.invariants()
    } catch (error) {
      fail('invariants', String((error as Error).stack))
    }
  }

  // ─── the end ────────────────────────────────────────────────────────────

  /** Nothing is on its way any more: what was asked is answered, what was taken is accounted for. */
  atRest(): void {
    this.invariants()
    this.#outage.atRest()
    for (const told of this.#told.values()) told.atRest()
    this.#taken.checkIds()
    for (const queue of this.names.queues.values()) {
      const real = this.#real(queue) ?? fail('counts', `queue '${queue.name}' is not there`)
      const isExact = checkAgainst(queue, real, this.#keeping.isRotten)
      this.tally.count(isExact ? 'queues counted exactly' : 'queues counted roughly')
    }
    for (const queue of [...this.names.queues.values(), ...this.#gone]) {
      checkSums(queue)
      this.#countEnds(queue)
    }
  }

  /** The broker's own. */
  #real({ name }: ExpectedQueue): Queue | undefined {
    return this.#turn!.broker.virtualHosts.get('default')!.queue(name)
  }

  #countEnds({ ends }: ExpectedQueue): void {
    for (const [end, count] of Object.entries(ends)) this.tally.count(`messages ${end}`, count)
  }

  #session(connection: DoorConnection): ExpectedSession {
    const there = this.#sessions.get(connection.number)
    if (there !== undefined) return there
    const session = new ExpectedSession(connection, this)
    this.#sessions.set(connection.number, session)
    this.#told.set(connection.number, new Told(session))
    return session
  }
}
