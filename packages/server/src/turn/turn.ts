/**
 * The turn that joins all rooms of a shard: what has arrived has been accepted already, as it came; the turn lets time
 * pass, hands out what is ready, and sends what follows.
 *
 *     [accept …] ─▶ tick ─▶ what the disk has ─▶ waiting requests ─▶ credit ─▶ dispatch ─▶ journal ─▶ flush each changed session ─▶ arm the timer
 *
 * At most one turn in an iteration of the loop, whatever came in it: so that many small things leave together. It runs to
 * its end; nothing in it waits.
 */
import { encodeControl, FrameType } from '@waybill/protocol'
import { Broker } from '../broker/broker.js'
import type { BrokerLimits } from '../broker/limits.js'
import { Refusal } from '../broker/refusal.js'
import { slabSize } from '../broker/store/slabs.js'
import type { Timed } from '../broker/timers/timed.js'
import { TimerWheel } from '../broker/timers/wheel.js'
import type { Clock } from '../ports/clock.js'
import type { Entropy } from '../ports/entropy.js'
import type { Logger } from '../ports/logger.js'
import type { LandingPlace, Transport, TransportHandler } from '../ports/transport.js'
import type { Authenticator } from '../session/access.js'
import { PublisherCredit } from '../session/credit.js'
import { FrameRecords } from '../session/frame-records.js'
import { IntakeShare } from '../session/intake-share.js'
import { Meter } from '../session/meter.js'
import { Output } from '../session/output.js'
import type { ListQuery } from '../session/requests.js'
import { Session, type SessionHome } from '../session/session.js'
import type { SessionLimits } from '../session/shard.js'
import { LogJournal } from '../storage/log-journal.js'
import { Pager } from '../storage/pager.js'
import type { OpenStore } from '../storage/open-store.js'
import { Snapshots } from '../storage/snapshots.js'
import { Upkeep } from '../storage/upkeep.js'
import { Drain } from './drain.js'
import { list } from './lists.js'
import { Reception, type ReceptionLimits } from './reception.js'

/** Connections that are neither open nor strangers are those that have been told to go: so many times the limit of strangers. */
const leavingMax = 4

/** Whoever listens to a connection that was dropped. */
const nobody: TransportHandler = {
  ingest: () => undefined,
  landing: () => undefined,
  written: () => undefined,
  ended: () => undefined,
  closed: () => undefined,
}

export interface TurnLimits extends BrokerLimits, SessionLimits, ReceptionLimits {
  readonly connectionCount: number
  /** Bytes that messages and unused publisher credit may take together. */
  readonly memorySize: number
  /** Bytes of the disk that stay free: below it nothing more is published. */
  readonly diskFreeMin: number
}

export interface TurnOptions {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Logger
  readonly limits: TurnLimits
  readonly authenticator: Authenticator
  readonly virtualHosts: readonly string[]
  readonly version: string
  /** Where what is durable is kept, and what is there; undefined: nowhere. */
  readonly store?: OpenStore | undefined
  /** Bytes of log between two snapshots, at least. Default 64 MiB. */
  readonly snapshotEvery?: number | undefined
}

export class Turn implements SessionHome {
  readonly clock: Clock
  readonly log: Logger
  readonly limits: TurnLimits
  readonly authenticator: Authenticator
  readonly serverVersion: string
  readonly logId: string
  readonly timers: TimerWheel<Timed>
  readonly broker: Broker
  /** Undefined: nothing is kept. */
  readonly journal: LogJournal | undefined
  /** Brings back what is kept and not in memory. */
  readonly pager: Pager | undefined
  readonly snapshots: Snapshots | undefined
  readonly credit: PublisherCredit
  readonly output: Output
  readonly meter = new Meter()
  readonly intakes: IntakeShare
  readonly records = new FrameRecords()
  readonly reception: Reception
  readonly sessions = new Set<Session>()
  /** Sessions that count among the open ones. */
  readonly #admitted = new Set<Session>()
  #nextConnection = 1
  #changed: Session[] = []
  #again = new Set<Session>()
  /** Sessions that have something to say when more is synced. */
  #awaiting = new Set<Session>()
  readonly upkeep: Upkeep | undefined
  #toldBlocked: 'memory' | 'disk' | undefined
  #armedAt = Infinity
  #now: number
  #drain: Drain | undefined
  #begun: (() => void) | undefined
  #isStopped = false

  constructor(options: TurnOptions) {
    this.clock = options.clock
    this.log = options.log
    this.limits = options.limits
    this.authenticator = options.authenticator
    this.serverVersion = options.version
    this.logId = options.store?.log.identity ?? options.entropy.name(10)
    this.#now = options.clock.now()
    this.timers = new TimerWheel<Timed>(this.#now)
    this.broker = new Broker({
      virtualHosts: options.virtualHosts,
      limits: options.limits,
      timers: this.timers,
      entropy: options.entropy,
      now: this.#now,
    })
    if (options.store !== undefined) {
      this.journal = this.#restore(options.store)
      this.pager = this.#pages(options.store)
      this.snapshots = this.#snapshots(options.store, this.journal, options.snapshotEvery)
      this.upkeep = this.#keepUp(options.store, this.journal, this.snapshots, this.pager)
    }
    this.output = new Output(this.broker.slabs)
    this.intakes = new IntakeShare(this.broker.slabs, options.limits.memorySize)
    this.reception = new Reception(options.limits)
    const { memorySize, diskFreeMin } = options.limits
    const used = () => this.broker.usedSize + this.meter.size
    this.credit = new PublisherCredit(memorySize, used, options.store === undefined ? 0 : diskFreeMin)
    // What was restored has times of its own, and the log has to be asked.
    if (options.store !== undefined) this.clock.soon(this.run)
  }

  /** Where bytes of connections may land before they are looked at: a range next to where records are kept, so that copying is cheap. */
  landing(): LandingPlace {
    const { slabs } = this.broker
    const slab = slabs.reserve()
    const from = slabs.start(slab)
    return { buffer: slabs.buffer(slab), from, to: from + slabSize }
  }

  /** A connection has come, at `arrivedAt` if that was before now; what it says goes to the session that is returned. */
  accept(transport: Transport, arrivedAt = this.clock.now()): TransportHandler {
    const { connectionCount, unauthenticatedCount } = this.limits
    if (this.sessions.size >= connectionCount + leavingMax * unauthenticatedCount) {
      this.log('warn', 'connection-dropped', { remote: transport.remote, connectionCount: this.sessions.size })
      transport.destroy()
      return nobody
    }
    const session = new Session(this.#nextConnection++, transport, this, arrivedAt)
    this.sessions.add(session)
    if (this.#drain !== undefined) session.drain(0)
    else if (!this.reception.enter(session)) {
      const limit = this.reception.isFull ? 'unauthenticatedCountMax' : 'unauthenticatedPerAddressCountMax'
      session.fail('limitExceeded', `too many connections have not said who they are (${limit}); try again later`, { limit })
    }
    this.clock.soon(this.run)
    return session
  }

  admit(session: Session): Refusal | undefined {
    const { connectionCount } = this.limits
    if (this.#drain !== undefined) return new Refusal('shuttingDown', 'the broker is going away; connect to another or later')
    if (this.#admitted.size >= connectionCount) {
      return new Refusal('limitExceeded', `the broker has ${connectionCount} connections, as many as the limit connectionCount allows`, {
        limit: 'connectionCountMax',
      })
    }
    this.#admitted.add(session)
    this.reception.leave(session)
    return undefined
  }

  changed(session: Session): void {
    if (session.isChanged) return
    session.isChanged = true
    this.#changed.push(session)
    this.clock.soon(this.run)
  }

  again(session: Session): void {
    this.#again.add(session)
    this.clock.soon(this.run)
  }

  awaitsSync(session: Session): void {
    this.#awaiting.add(session)
  }

  ending(session: Session): void {
    this.reception.leave(session)
    this.#admitted.delete(session)
  }

  closed(session: Session): void {
    this.ending(session)
    this.sessions.delete(session)
    this.clock.soon(this.run)
  }

  list(session: Session, query: ListQuery): object | Refusal {
    return list(this.sessions, session.host, query)
  }

  /** One turn. */
  readonly run = (): void => {
    if (this.#isStopped) return
    const now = this.clock.now()
    this.#now = this.broker.now = now
    this.timers.advance(now, this)
    if (this.journal?.progressed()) this.#synced()
    if (this.#begun !== undefined) this.#lookAtBeginning(this.#begun)
    if (this.#again.size > 0) this.#beginAgain()
    this.pager?.step(now)
    this.credit.withheld = this.upkeep?.withheld
    if (this.credit.isAwaited) this.credit.serve()
    this.broker.dispatch()
    this.journal?.write()
    this.upkeep?.look(now)
    this.snapshots?.look()
    this.#tellBlocked()
    this.#drain?.look()
    while (this.#changed.length > 0) {
      const changed = this.#changed
      this.#changed = []
      for (const session of changed) session.flush()
    }
    this.#arm(now)
    if (this.broker.hasWork) this.clock.soon(this.run)
  }

  due(owner: Timed, value: number): void {
    owner.due(value, this.#now)
  }

  /** Deliveries that somebody holds. */
  get unsettledCount(): number {
    let count = 0
    for (const session of this.sessions) count += session.unsettledCount
    return count
  }

  /**
   * The broker goes away within `graceMs`: see Drain. `done` is called when the last connection has gone. Called again, it
   * does not wait for settlements any longer.
   */
  drain(graceMs: number, done: () => void): void {
    if (this.#drain === undefined) this.#drain = new Drain(this.sessions, this.timers, this.clock.now(), graceMs, done)
    else this.#drain.hurry()
    this.clock.soon(this.run)
  }

  /**
   * Before anybody connects: `done` is told when the disk has it that ids of messages will be given out, so that none is after the next start. Told as well
   * when the disk has failed before, or is full: then what is there can be had all the same.
   */
  begin(done: () => void): void {
    if (this.journal === undefined) {
      done()
      return
    }
    this.#begun = done
    this.clock.soon(this.run)
  }

  /** What has been said is written and synced, a snapshot is saved, the log is closed; then `done` is told. Behind `drain`, and before `stop`. */
  closeStore(done: () => void): void {
    const { journal, snapshots } = this
    if (journal === undefined || snapshots === undefined) {
      done()
      return
    }
    this.upkeep?.stop()
    journal.write()
    snapshots.ask(() => journal.log.close(done))
  }

  /** Nothing will happen any more. */
  stop(): void {
    this.#isStopped = true
    for (const session of [...this.sessions]) session.transport.destroy()
    this.clock.arm(Infinity, this.run)
  }

  invariants(): void {
    this.broker.invariants()
    for (const session of this.sessions) session.invariants()
    this.credit.invariants([...this.sessions].flatMap((session) => [...session.channels].map(({ publishing }) => publishing)))
  }

  #lookAtBeginning(begun: () => void): void {
    const { synced, failed } = this.journal!
    if (synced === 0 && !failed) return
    this.#begun = undefined
    begun()
  }

  /** More is synced: who has waited for it is told. */
  #synced(): void {
    const sessions = this.#awaiting
    this.#awaiting = new Set()
    for (const session of sessions) this.changed(session)
  }

  #restore({ log, state, index }: OpenStore): LogJournal {
    const { broker } = this
    broker.restore(state)
    const journal = new LogJournal({ log, slabs: broker.slabs, nextMessageId: () => broker.nextMessageId, index })
    broker.journal = journal
    return journal
  }

  #pages({ log, index, moved }: OpenStore): Pager {
    const { broker, clock, log: report } = this
    const { memorySize } = this.limits
    const pager = new Pager({ log, index, moved, broker, memorySize, wake: () => clock.soon(this.run), report })
    broker.pager = pager
    return pager
  }

  #snapshots({ log, moved, report }: OpenStore, journal: LogJournal, logSizeMin: number | undefined): Snapshots {
    const { broker, clock } = this
    const wake = () => clock.soon(this.run)
    const { tailSize } = report
    return new Snapshots({ log, journal, broker, moved, tell: this.log, now: () => clock.now(), wake, tailSize, logSizeMin })
  }

  #keepUp({ moved }: OpenStore, journal: LogJournal, snapshots: Snapshots, pager: Pager): Upkeep {
    const { broker, clock, timers, log: tell } = this
    const { diskFreeMin } = this.limits
    const wake = () => clock.soon(this.run)
    return new Upkeep({ journal, broker, moved, timers, diskFreeMin, tell, snapshots, pager, wake })
  }

  #beginAgain(): void {
    const sessions = this.#again
    this.#again = new Set()
    for (const session of sessions) session.turnBegan()
  }

  #arm(now: number): void {
    const deadline = this.timers.nextDeadline()
    if (deadline >= this.#armedAt && this.#armedAt > now) return
    this.#armedAt = deadline
    this.clock.arm(deadline, this.#alarm)
  }

  /** The timer is used up, even if nothing is due yet: one of Node's may fire a moment early, and has to be armed again then. */
  readonly #alarm = (): void => {
    this.#armedAt = Infinity
    this.run()
  }

  #tellBlocked(): void {
    const { blocked } = this.credit
    if (blocked === this.#toldBlocked) return
    const reason = blocked ?? this.#toldBlocked
    this.#toldBlocked = blocked
    const event = blocked === undefined ? 'publishers-unblocked' : 'publishers-blocked'
    const disk = this.journal === undefined ? {} : { diskFree: this.journal.log.space().free, diskFreeMin: this.limits.diskFreeMin }
    const figures = { usedSize: this.broker.usedSize, memorySize: this.credit.budget, ...disk }
    this.log(blocked === undefined ? 'info' : 'warn', event, { reason, ...figures })
    const status = encodeControl(
      FrameType.status,
      0,
      0,
      blocked === undefined ? { state: 'unblocked' } : { state: 'blocked', reason: blocked },
    )
    for (const session of this.#admitted) if (session.isOpen) session.say(status)
  }
}
