/**
 * The turn that joins all rooms of a shard: what has arrived has been accepted already, as it came; the turn lets time
 * pass, hands out what is ready, and sends what follows.
 *
 *     [accept …] ─▶ tick ─▶ credit ─▶ dispatch ─▶ flush each changed session ─▶ arm the timer
 *
 * At most one turn in an iteration of the loop, whatever came in it: so that many small things leave together. It runs to
 * its end; nothing in it waits.
 */
import { type ErrorName } from '@waybill/protocol'
import { Broker } from '../broker/broker.js'
import type { BrokerLimits } from '../broker/limits.js'
import { slabSize } from '../broker/store/slabs.js'
import type { Timed } from '../broker/timers/timed.js'
import { TimerWheel } from '../broker/timers/wheel.js'
import type { Clock } from '../ports/clock.js'
import type { Entropy } from '../ports/entropy.js'
import type { Logger } from '../ports/log.js'
import type { LandingPlace, Transport } from '../ports/transport.js'
import type { Authenticator } from '../session/access.js'
import { PublisherCredit } from '../session/credit.js'
import { Output } from '../session/output.js'
import { Session, type SessionHome, type SessionLimits } from '../session/session.js'
import { list } from './lists.js'

/** Connections that have a slab of their own to land in. */
const bulkCountMax = 64

export interface TurnLimits extends BrokerLimits, SessionLimits {
  readonly connectionCount: number
  /** Bytes that messages and unused publisher credit may take together. */
  readonly memorySize: number
}

export interface TurnOptions {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Logger
  readonly limits: TurnLimits
  readonly authenticator: Authenticator
  readonly virtualHosts: readonly string[]
  readonly version: string
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
  readonly credit: PublisherCredit
  readonly output: Output
  readonly sessions = new Set<Session>()
  #openCount = 0
  #bulkCount = 0
  #nextConnection = 1
  #changed: Session[] = []
  #wasBlocked = false
  #armedAt = Infinity
  #now: number
  /** Asked for when the last connection has gone, while draining. */
  #onIdle: (() => void) | undefined

  constructor(options: TurnOptions) {
    this.clock = options.clock
    this.log = options.log
    this.limits = options.limits
    this.authenticator = options.authenticator
    this.serverVersion = options.version
    this.logId = options.entropy.name(10)
    this.#now = options.clock.now()
    this.timers = new TimerWheel<Timed>(this.#now)
    this.broker = new Broker({
      virtualHosts: options.virtualHosts,
      limits: options.limits,
      timers: this.timers,
      entropy: options.entropy,
      now: this.#now,
    })
    this.output = new Output(this.broker.slabs)
    this.credit = new PublisherCredit(options.limits.memorySize, () => this.broker.usedSize)
  }

  /** Where bytes of connections may land before they are looked at: a range next to where records are kept, so that copying is cheap. */
  landing(): LandingPlace {
    const { slabs } = this.broker
    const slab = slabs.reserve()
    const from = slabs.start(slab)
    return { buffer: slabs.buffer(slab), from, to: from + slabSize }
  }

  /** A connection has come; what it says goes to the session that is returned. */
  accept(transport: Transport): Session {
    const session = new Session(this.#nextConnection++, transport, this)
    this.sessions.add(session)
    this.clock.soon(this.run)
    return session
  }

  admit(): { name: ErrorName; message: string } | undefined {
    if (this.#onIdle !== undefined) return { name: 'shuttingDown', message: 'the broker is going away; connect to another or later' }
    if (this.#openCount >= this.limits.connectionCount) {
      return { name: 'limitExceeded', message: `the broker has ${this.#openCount} connections, as many as connectionCount allows` }
    }
    this.#openCount++
    return undefined
  }

  changed(session: Session): void {
    if (session.isChanged) return
    session.isChanged = true
    this.#changed.push(session)
    this.clock.soon(this.run)
  }

  closed(session: Session): void {
    if (this.sessions.delete(session) && session.wasAdmitted) this.#openCount--
    this.clock.soon(this.run)
    if (this.sessions.size === 0) this.#onIdle?.()
  }

  admitBulk(): boolean {
    if (this.#bulkCount >= bulkCountMax) return false
    this.#bulkCount++
    return true
  }

  bulkLeft(): void {
    this.#bulkCount--
  }

  list(session: Session, request: { kind: string; limit?: number; after?: string; prefix?: string }): object {
    return list(this, session.host, request)
  }

  /** One turn. */
  readonly run = (): void => {
    const now = this.clock.now()
    this.#now = this.broker.now = now
    this.timers.advance(now, this)
    if (this.credit.hasWaiting) this.credit.serve()
    this.broker.dispatch()
    this.#tellBlocked()
    while (this.#changed.length > 0) {
      const changed = this.#changed
      this.#changed = []
      for (const session of changed) session.flush()
    }
    const deadline = this.timers.nextDeadline()
    if (deadline < this.#armedAt || this.#armedAt <= now) {
      this.#armedAt = deadline
      this.clock.arm(deadline, this.#alarm)
    }
    if (this.broker.hasWork) this.clock.soon(this.run)
  }

  /** The timer is used up, even if nothing is due yet: one of Node's may fire a moment early, and has to be armed again then. */
  readonly #alarm = (): void => {
    this.#armedAt = Infinity
    this.run()
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

  /** Tells every client that the broker goes away within `graceMs`; `idle` is called when the last one has gone. */
  drain(graceMs: number, idle: () => void): void {
    this.#onIdle = idle
    for (const session of this.sessions) session.drain(graceMs)
    if (this.sessions.size === 0) idle()
  }

  /** Ends all connections, with what is to be said to them. */
  end(): void {
    for (const session of this.sessions) session.fail('shuttingDown', 'the broker has gone away')
  }

  invariants(): void {
    this.broker.invariants()
    for (const session of this.sessions) session.invariants()
  }

  #tellBlocked(): void {
    const { blocked } = this.credit
    if (blocked === this.#wasBlocked) return
    this.#wasBlocked = blocked
    this.log(blocked ? 'warn' : 'info', blocked ? 'publishers-blocked' : 'publishers-unblocked', {
      reason: 'memory',
      usedSize: this.broker.usedSize,
      memorySize: this.credit.budget,
    })
    for (const session of this.sessions) session.status(blocked ? { state: 'blocked', reason: 'memory' } : { state: 'unblocked' })
  }
}
