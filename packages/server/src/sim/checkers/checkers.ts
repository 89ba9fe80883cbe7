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
 */
import type { ErrorName } from '@waybill/protocol'
import type { DurableState } from '../../broker/durable.js'
import type { Turn } from '../../turn/turn.js'
import type { SimClock } from '../clock.js'
import { expect, fail } from '../failure.js'
import type { DoorConnection, Doorkeeper } from '../network/context.js'
import type { Tally } from '../tally.js'
import type { PlainRecord } from './frames.js'
import { ExpectedNames } from './names.js'
import type { ExpectedQueue, TakenMessage } from './queue.js'
import type { SessionHome, SessionLimits } from './home.js'
import { KeptNames } from './kept-names.js'
import { ExpectedSession } from './session.js'
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
}

export class Checkers implements Doorkeeper, SessionHome {
  readonly names = new ExpectedNames()
  readonly tally: Tally
  readonly limits: SessionLimits
  batch = 0
  stamp = 0
  hasFailed = false
  draining = false
  readonly keeps: boolean
  readonly #clock: SimClock
  readonly #sessions = new Map<number, ExpectedSession>()
  readonly #told = new Map<number, Told>()
  readonly #spoilt = new Map<string, ErrorName>()
  readonly #programs = new Map<number, (message: string, outcome: 'acked' | 'rejected') => boolean>()
  readonly #taken: TakenMessage[] = []
  readonly #takenByName = new Map<string, TakenMessage[]>()
  /** With the code that said so. */
  readonly #neverTaken = new Map<string, string>()
  /** Queues that are gone, for the sums. */
  readonly #gone = new Set<ExpectedQueue>()
  readonly #keptNames = new KeptNames()
  #safeThrough = -1
  /** The first message id of this process. */
  #idLeast = 0
  #isRotten = false
  /** Said while the process was opening. */
  #isDamaged = false
  /** What was surely found when the last process ended. */
  #foundThrough = -1
  /** What has happened until the end of the last turn is written, if it is kept. */
  #writtenThrough = -1
  #goneNow: ExpectedQueue[] = []
  #turn: Turn | undefined

  constructor({ clock, tally, limits, keeps }: CheckersOptions) {
    this.#clock = clock
    this.tally = tally
    this.limits = limits
    this.keeps = keeps
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

  // ─── what the workload says of its own misdeeds ─────────────────────────

  /** With the byte at `at` of what it sends this peer breaks the protocol, and must be told one of these. */
  expectBreach(connection: DoorConnection, at: number, breach: Breach): void {
    this.#session(connection).breaks(at)
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
    return (this.#takenByName.get(name) ?? []).filter(({ isWithdrawn }) => !isWithdrawn)
  }

  /** A client has been told that no queue has it, and that it is safe to send again. */
  expectNotTaken(name: string, code: string): void {
    expect(this.takenAs(name).length === 0, 'stored', () => `message ${name} was taken, and its publisher told ${code}: not stored`)
    this.#neverTaken.set(name, code)
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
  }

  /** A session of the broker gets a frame, and will carry it out. */
  frame(connection: DoorConnection, type: number, channel: number, correlation: number, bodySize: number): void {
    this.stamp++
    this.#session(connection).frame(type, channel, correlation, bodySize)
    this.#keptNames.note(this.names, this.stamp)
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
    this.#keptNames.note(this.names, this.stamp)
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

  take(record: PlainRecord, name: string): TakenMessage {
    const message: TakenMessage = {
      number: this.#taken.length,
      name,
      record: record.bytes,
      persistent: record.persistent,
      stamp: this.stamp,
      id: undefined,
      idLeast: this.#idLeast,
      isWithdrawn: false,
      isSynced: false,
      isLoose: this.hasFailed,
    }
    this.#taken.push(message)
    const code = this.#neverTaken.get(name)
    expect(code === undefined, 'stored', () => `message ${name} is taken, after its publisher was told ${code}: not stored`)
    const same = this.#takenByName.get(name)
    if (same === undefined) this.#takenByName.set(name, [message])
    else same.push(message)
    return message
  }

  /** Ids rise in the order of taking, and from process to process. */
  canHaveId({ number, idLeast }: TakenMessage, id: number): boolean {
    const taken = this.#taken
    const isTelling = (message: TakenMessage): boolean => message.id !== undefined || message.idLeast !== idLeast
    let after = number + 1
    while (after < taken.length && !isTelling(taken[after]!)) after++
    let before = number - 1
    while (before >= 0 && !isTelling(taken[before]!)) before--
    if (after < taken.length && id >= (taken[after]!.id ?? taken[after]!.idLeast)) return false
    return id >= idLeast && (before < 0 || id > (taken[before]!.id ?? 0))
  }

  countOf(queue: ExpectedQueue): number {
    const [least, most] = queue.liveRange()
    const count = this.#turn!.broker.virtualHosts.get('default')!.queue(queue.name)?.liveCount ?? most
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
    for (const queue of [...this.names.queues.values(), ...this.#goneNow]) queue.turnEnds(this.batch)
    this.#goneNow = []
    for (const session of this.#sessions.values()) session.turnEnds()
    for (const told of this.#told.values()) told.turnEnds()
    this.#expireQueues(turn)
    const { usedSize } = turn.broker
    const { unusedSize, budget } = turn.credit
    // Slabs count whole: in a budget of a few of them a grant that begins one is beyond it by what it does not fill.
    const slack = budget < budgetMin ? 2 * slabSize : 0
    expect(usedSize + unusedSize <= budget + slack, 'memory', () => `${usedSize} bytes are used and ${unusedSize} granted, of ${budget}`)
    if (this.batch % invariantsEvery === 0) this.invariants()
    this.batch++
    this.#keptNames.note(this.names, this.stamp)
    for (const queue of this.names.queues.values()) {
      if (!queue.isKept || queue.keptId !== undefined) continue
      const real = turn.broker.virtualHosts.get('default')!.queue(queue.name)
      if (real !== undefined) this.#keptNames.numbered(queue, real.keptId)
    }
    this.#writtenThrough = this.stamp
  }

  // ─── the end of a process, and the next one ─────────────────────────────

  safeThrough(stamp: number): void {
    if (stamp <= this.#safeThrough) return
    this.#safeThrough = stamp
    this.#keptNames.safeThrough(stamp)
  }

  /** A bit of what the disk has turns. It must be told, with its place, or do no harm. */
  rotten(): void {
    this.#isRotten = true
  }

  /**
   * The broker says that the disk does not give what was written. If nobody has harmed it, that is wrong; else nothing is sure any more of what was there,
   * and nothing but that may be there.
   */
  damageTold(event: 'data-damaged' | 'data-torn-tail', where: string): void {
    if (!this.#isRotten) {
      if (event === 'data-damaged') fail('damage', `the broker takes something for damage: ${where}`)
      return
    }
    this.tally.count('rot told')
    this.#isDamaged = true
    if (this.#turn !== undefined) for (const queue of this.names.queues.values()) if (queue.isKept) queue.doubtAll()
  }

  /** A sync or a write has failed: what was not kept until then may be refused now. */
  diskFailed(): void {
    this.hasFailed = true
    for (const queue of this.names.queues.values()) if (queue.isKept) queue.doubtUnsafe((stamp) => stamp <= this.#safeThrough)
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
    // What a killed process had written stays there; what a failed disk has of it nobody knows. An opening syncs what it finds, and begins nothing before
    // that is done: when it fails instead, what it found may be gone with its process, and nobody was told of it. [P-10.4]
    if (isPowerCut || this.hasFailed) this.#foundThrough = this.#safeThrough
    else if (this.#turn !== undefined) this.#foundThrough = Math.max(this.#safeThrough, this.#writtenThrough)
    this.#turn = undefined
  }

  /** In its last turn the process may have let queues go whose time was over. */
  #expireLast(): void {
    for (const queue of [...this.names.queues.values()]) {
      const { expiresMs } = queue.options
      if (expiresMs === undefined || queue.consumers.size > 0 || this.now - queue.usedAt < expiresMs) continue
      this.names.removeQueue(queue.name)
      this.#keptNames.note(this.names, ++this.stamp)
    }
  }

  /** Another process goes on, with what was kept. */
  restored(turn: Turn, state: DurableState): void {
    const isFirst = this.batch === 0
    const before = [...this.names.queues.values(), ...this.#gone]
    const isDamaged = this.#isDamaged
    const queues = isDamaged ? this.#keptNames.salvage(this.names, state) : this.#keptNames.restore(this.names, state, this.#foundThrough)
    for (const queue of before) this.#countEnds(queue)
    this.#gone.clear()
    this.stamp++
    const isSafe = (stamp: number): boolean => !isDamaged && stamp <= this.#foundThrough
    for (const queue of queues) {
      queue.restart(this.batch, this.now, isSafe, isDamaged)
      queue.restored(turn.broker.virtualHosts.get('default')!.queue(queue.name)!.liveCount)
    }
    // It can have failed while it was opened.
    this.hasFailed = turn.journal!.log.progress().failed !== undefined
    this.#isDamaged = false
    this.#idLeast = state.nextMessageId
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

  /** A queue that nobody uses goes when its time is over: not before, and before as much again has gone by. */
  #expireQueues(turn: Turn): void {
    const { queues } = turn.broker.virtualHosts.get('default')!
    for (const queue of [...this.names.queues.values()]) {
      const { expiresMs } = queue.options
      if (expiresMs === undefined) continue
      const unusedMs = queue.consumers.size > 0 ? 0 : this.now - queue.usedAt
      if (queues.has(queue.name))
        expect(unusedMs <= 2 * expiresMs + 1, 'expiry', () => `queue '${queue.name}' has been unused for ${unusedMs} ms`)
      else {
        expect(unusedMs >= expiresMs, 'expiry', () => `queue '${queue.name}' is gone after ${unusedMs} ms without use, not ${expiresMs}`)
        this.dropQueue(queue)
        this.tally.count('queues expired')
      }
    }
  }

  // ─── the end ────────────────────────────────────────────────────────────

  /** Nothing is on its way any more: what was asked is answered, what was taken is accounted for. */
  atRest(): void {
    this.invariants()
    for (const session of this.#sessions.values()) {
      const { connection, waiting, errors } = session
      const unanswered = [...waiting.values()].map(({ name, frame }) => `${name} on channel ${frame.channel}`)
      expect(unanswered.length === 0, 'answer', () => `connection ${connection.number} waits for the answers of ${unanswered.join(', ')}`)
      expect(errors.length === 0, 'error', () => `connection ${connection.number} was not told ${errors[0]!.name}`)
      for (const channel of session.channels.values()) {
        expect(
          !channel.isUntold,
          'confirm',
          () => `connection ${connection.number} was not told what became of sequence ${channel.undecided[0]!.sequence}`,
        )
      }
    }
    this.#checkIds()
    for (const queue of this.names.queues.values()) this.#checkAgainst(queue)
    for (const queue of [...this.names.queues.values(), ...this.#gone]) this.#checkSums(queue)
  }

  /** The broker's queue holds what must be there, and has counted what has become of the rest. */
  #checkAgainst(queue: ExpectedQueue): void {
    const real = this.#turn!.broker.virtualHosts.get('default')!.queue(queue.name)
    if (real === undefined) fail('counts', `queue '${queue.name}' is not there`)
    const [least, most] = queue.liveRange()
    const { liveCount, counters } = real
    expect(liveCount >= least && liveCount <= most, 'counts', () => {
      const first = [...queue.live()].find((copy) => !copy.isUnsure)
      return `queue '${queue.name}' holds ${liveCount} messages, there must be ${least} to ${most}; the first of them is ${first?.message.name}`
    })
    expect(
      real.counters.lost === 0 || this.#isRotten,
      'lost',
      () => `queue '${queue.name}' misses ${real.counters.lost} messages that were in the log`,
    )
    if (least !== most || !queue.isSure) return
    const { ends, publishedCount: published, requeuedCount: requeued, retriedCount: retried } = queue
    const expected: Record<string, number> = {
      published,
      requeued,
      retried,
      acked: ends.acked,
      rejected: ends.rejected,
      purged: ends.purged,
    }
    for (const [name, count] of Object.entries(expected)) {
      const counted = (counters as unknown as Record<string, number>)[name]
      expect(counted === count, 'counts', () => `queue '${queue.name}' has counted ${counted} ${name}, it were ${count}`)
    }
  }

  #checkIds(): void {
    let last = 0
    for (const { id, name, isLoose } of this.#taken) {
      // On a disk that takes nothing, nothing can be said of the ids that are given out.
      if (id === undefined || isLoose) continue
      expect(id > last, 'identity', () => `message ${name} has id ${id}, one that was taken before it has ${last}`)
      last = id
    }
  }

  /** Published = settled, in one way or another, or still there. */
  #checkSums(queue: ExpectedQueue): void {
    const { ends, publishedCount, restoredCount, liveCount } = queue
    const gone = ends.acked + ends.rejected + ends.purged + ends.deleted + ends.sent
    expect(
      publishedCount + restoredCount === gone + liveCount,
      'model',
      () => `queue '${queue.name}': ${publishedCount} published, ${restoredCount} restored, ${gone} gone, ${liveCount} there`,
    )
    this.#countEnds(queue)
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
