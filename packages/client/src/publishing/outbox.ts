/**
 * Hot: everything that is published on one channel, from the call to the broker's decision.
 *
 *     take ─┬─ credit is there ─▶ written in place, window ─▶ CONFIRM ─▶ confirmed | refused
 *           └─ otherwise ─▶ waiting ─ credit comes ─▶ the same; or its time is up ─▶ refused, stored 'no'
 *
 * Messages leave in the order taken. Sequences and sizes count from the opening of the channel on the present connection. [P-4.2, P-4.6]
 * There is no timer for a message: one for the channel looks at all of them when the earliest deadline is due.
 *
 * Invariant: each message taken is confirmed, refused or abandoned, once; sent size and sequence never exceed the credit.
 */
import {
  checkConfirm,
  checkCredit,
  confirmCreditSequence,
  confirmCreditSize,
  confirmThrough,
  copyBytes,
  creditSequence,
  creditSize,
  type EncodedMeta,
  type EncodedName,
  Flag,
  recordSizeOf,
  windowFrameSize,
  writeRecord,
  writeWindow,
} from '@waybill/protocol'
import type { Clock } from '../clock.js'
import type { WaybillError } from '../errors.js'
import type { Outgoing } from '../session/outgoing.js'
import { Backlog, type Waiting } from './backlog.js'
import { decide } from './decisions.js'
import type { Origin } from './origin.js'
import { blockedError, closedError, lostError, offlineError, offlineFullError, timeoutError, tooLargeError } from './refusals.js'
import { Sweep } from './sweep.js'
import { forgetfulCountMax, resentFlag, Window } from './window.js'

export const timeoutMsDefault = 30_000

/** How publishing goes on one connection, from its options. */
export interface OutboxRules {
  readonly clock: Clock
  readonly offline: 'wait' | 'fail' | 'buffer'
  readonly resend: boolean
  /** Bytes that wait over all channels while there is no connection, and their limit. */
  readonly buffered: { size: number; readonly sizeMax: number }
}

/** The channel on its present connection. */
export interface OutboxLink {
  readonly out: Outgoing
  readonly log: string
  readonly messageSizeMax: number
  /** The time, asked for once a turn. */
  now(): number
  touch(): void
  flush(): void
  protocolFault(message: string): void
}

export class Outbox {
  readonly #rules: OutboxRules
  readonly #clock: Clock
  readonly #channel: number
  readonly #window: Window
  #link: OutboxLink | undefined
  readonly #backlog: Backlog
  readonly #sweep: Sweep
  #creditSequence = 0
  #creditSize = 0
  #sentSize = 0
  /** Up to this sequence a message goes straight out: the credit, or 0 while something waits or records must be kept. */
  #directThrough = 0
  /** Size of the record that WINDOW has asked credit for, or 0. */
  #askedSize = 0
  /** Messages with a confirm that are in flight. */
  #unconfirmedCount = 0
  #draining = false
  readonly #idleWaiters: (() => void)[] = []
  readonly #origins = new Set<Origin>()
  #ended: WaybillError | undefined

  constructor(rules: OutboxRules, channel: number) {
    this.#rules = rules
    this.#clock = rules.clock
    this.#channel = channel
    this.#window = new Window(rules.resend)
    this.#backlog = new Backlog(rules.buffered)
    this.#sweep = new Sweep(rules.clock, (now) => this.#giveUpDue(now))
  }

  /** Messages that wait for credit or for a connection. */
  get waitingCount(): number {
    return this.#backlog.count
  }

  get online(): boolean {
    return this.#link !== undefined
  }

  get idle(): boolean {
    return this.#backlog.count === 0 && this.#unconfirmedCount === 0
  }

  /** When a message published now is given up by default. */
  deadline(): number {
    return (this.#link === undefined ? this.#clock.now() : this.#link.now()) + timeoutMsDefault
  }

  /** Publishers hear `progress` when messages have been sent or decided. */
  join(origin: Origin): void {
    this.#origins.add(origin)
  }

  leave(origin: Origin): void {
    this.#origins.delete(origin)
  }

  /**
   * Takes a message; true when it went out at once, false when it waits: then `sent` or `refused` follows, perhaps within this call.
   * Nothing of `body` is kept. `deadline` Infinity: no time of its own. `timed` false: the deadline is the default one, which does not
   * run while a message is buffered.
   * Throws PublishError `MESSAGE_TOO_LARGE`, `OFFLINE`, `OFFLINE_FULL` or `CLOSED`: then it is not taken.
   */
  take(
    origin: Origin,
    number: number,
    routingKey: string,
    exchange: EncodedName,
    key: EncodedName,
    meta: EncodedMeta | undefined,
    persistent: boolean,
    body: Uint8Array,
    bodySize: number,
    flags: number,
    deadline: number,
    timed: boolean,
  ): boolean {
    const size = recordSizeOf(exchange, key, meta, bodySize)
    const window = this.#window
    const sequence = window.next
    const link = this.#link
    if (link === undefined || sequence > this.#directThrough || this.#sentSize + size > this.#creditSize || size > link.messageSizeMax) {
      const record = this.#admit(size)
      writeRecord(record, 0, exchange, key, meta, persistent, body, 0, bodySize)
      return this.#wait(origin, number, routingKey, record, flags, deadline, timed)
    }
    const { out } = link
    const at = out.publishAt(this.#channel, flags, sequence, size)
    out.used = writeRecord(out.bytes, at, exchange, key, meta, persistent, body, 0, bodySize)
    this.#sentSize += size
    if ((flags & Flag.confirm) !== 0) this.#unconfirmedCount++
    else if (window.count >= forgetfulCountMax) this.#forgetFirst()
    window.push(origin, number, routingKey, size, deadline, flags, undefined)
    if (deadline < this.#sweep.at) this.#sweep.arm(deadline)
    link.touch()
    return true
  }

  // ─── connection ─────────────────────────────────────────────────────────

  /** The channel has been opened on a connection; what waits goes out as far as its credit allows. */
  open(link: OutboxLink, sequence: number, size: number): void {
    this.#link = link
    this.#creditSequence = sequence
    this.#creditSize = size
    this.#sentSize = 0
    this.#askedSize = 0
    this.#backlog.online(this.deadline())
    this.#drain()
    this.#sweep.arm(this.#earliestDeadline())
  }

  /** The connection, or the channel on it, is lost: what was sent is rejected, or sent again; what waits does so as the rules say. */
  lost(cause: WaybillError): void {
    if (this.#link === undefined) return
    this.#link = undefined
    this.#directThrough = 0
    const window = this.#window
    const again: Waiting[] = []
    const unknown = lostError(cause)
    for (let sequence = window.first; sequence < window.next; sequence++) {
      const slot = sequence & window.mask
      const origin = window.origins[slot]
      if (origin === undefined || origin.abandoned) continue
      const number = window.numbers[slot]
      const key = window.keys[slot]
      const record = window.records?.[slot]
      const flags = window.flags[slot] & ~resentFlag
      if (record !== undefined)
        again.push({ origin, number, key, flags, record, deadline: window.deadlines[slot], buffered: false, sentBefore: true })
      else if ((flags & Flag.confirm) !== 0) origin.refused(number, window.sizes[slot], key, false, unknown)
    }
    window.reset()
    this.#unconfirmedCount = 0
    this.#backlog.putFirst(again)
    if (this.#rules.offline === 'fail') this.#backlog.refuseDue(Infinity, (stored) => offlineError(stored, cause))
    this.#progress()
  }

  /** CLOSE goes out next, and nothing behind it: what waits is refused, now and later. What has been sent is still decided. */
  stop(cause: WaybillError): void {
    this.#ended = cause
    this.#directThrough = 0
    this.#backlog.refuseDue(Infinity, (stored) => closedError(stored, cause))
    this.#progress()
  }

  /** There will be no connection any more: everything is refused, now and later. */
  end(cause: WaybillError): void {
    this.lost(cause)
    this.#ended = cause
    this.#backlog.refuseDue(Infinity, (stored) => closedError(stored, cause))
    this.#sweep.stop()
    this.#progress()
  }

  /** What has been sent leaves for the socket now, not at the end of the turn. */
  flush(): void {
    this.#link?.flush()
  }

  /** Resolves when nothing waits and everything with a confirm is decided. */
  settled(): Promise<void> {
    if (this.idle) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Takes back the one message of this origin; what is known of it then. The origin says `abandoned` from now on. */
  withdraw(origin: Origin): 'no' | 'unknown' {
    const waiting = this.#backlog.remove(origin)
    if (waiting === undefined) this.#unconfirmedCount--
    else {
      this.#askedSize = 0
      this.#drain()
    }
    this.#progress()
    return waiting === undefined || waiting.sentBefore ? 'unknown' : 'no'
  }

  // ─── what the broker says ───────────────────────────────────────────────

  confirm(bytes: Uint8Array, from: number, to: number): void {
    const window = this.#window
    const link = this.#link
    if (link === undefined) return
    const through = checkConfirm(bytes, from, to) === 0 ? confirmThrough(bytes, from) : Infinity
    if (through >= window.next) {
      link.protocolFault(through === Infinity ? 'CONFIRM is malformed' : `sequence ${through} is confirmed and was not published`)
      return
    }
    this.#unconfirmedCount -= decide(window, link.log, bytes, from, through)
    this.#credit(confirmCreditSequence(bytes, from), confirmCreditSize(bytes, from))
    this.#progress()
  }

  credit(bytes: Uint8Array, from: number, to: number): void {
    if (checkCredit(bytes, from, to) !== 0) {
      this.#link?.protocolFault('CREDIT is malformed')
      return
    }
    this.#credit(creditSequence(bytes, from), creditSize(bytes, from))
    this.#progress()
  }

  #credit(sequence: number, size: number): void {
    if (sequence > this.#creditSequence) this.#creditSequence = sequence
    if (size > this.#creditSize) this.#creditSize = size
    this.#drain()
  }

  // ─── waiting ────────────────────────────────────────────────────────────

  /** Room for a record that has to wait, if it may. */
  #admit(size: number): Uint8Array {
    if (this.#ended !== undefined) throw closedError('no', this.#ended)
    const { offline, buffered } = this.#rules
    if (this.#link === undefined) {
      if (offline === 'fail') throw offlineError('no')
      if (offline === 'buffer' && buffered.size + size > buffered.sizeMax) throw offlineFullError(buffered.size, buffered.sizeMax)
    } else if (size > this.#link.messageSizeMax) {
      throw tooLargeError(size, this.#link.messageSizeMax)
    }
    return Buffer.allocUnsafe(size)
  }

  #wait(origin: Origin, number: number, key: string, record: Uint8Array, flags: number, deadline: number, timed: boolean): boolean {
    const buffered = this.#link === undefined && this.#rules.offline === 'buffer'
    this.#directThrough = 0
    const until = buffered && !timed ? Infinity : deadline
    this.#backlog.push({ origin, number, key, flags, record, deadline: until, buffered, sentBefore: false })
    if (until < this.#sweep.at) this.#sweep.arm(until)
    this.#drain()
    return false
  }

  /** Sends what waits, in order, as far as the credit goes. */
  #drain(): void {
    const link = this.#link
    if (link === undefined || this.#draining || this.#ended !== undefined) return
    this.#draining = true
    const window = this.#window
    const { resend } = this.#rules
    // A listener that hears of a refusal may publish: that message stands behind the others.
    const backlog = this.#backlog
    let sent = 0
    for (let waiting = backlog.at(0); waiting !== undefined; waiting = backlog.at(++sent)) {
      const { origin, number, key, flags, record, deadline, sentBefore } = waiting
      if (origin.abandoned) continue
      const size = record.length
      if (size > link.messageSizeMax) {
        origin.refused(number, size, key, true, tooLargeError(size, link.messageSizeMax, sentBefore ? 'unknown' : 'no'))
        continue
      }
      if (window.next > this.#creditSequence || this.#sentSize + size > this.#creditSize) {
        this.#askFor(link, size)
        break
      }
      const at = link.out.publishAt(this.#channel, flags, window.next, size)
      link.out.used = copyBytes(link.out.bytes, at, record, 0, size)
      this.#sentSize += size
      this.#askedSize = 0
      if ((flags & Flag.confirm) !== 0) this.#unconfirmedCount++
      else if (window.count >= forgetfulCountMax) this.#forgetFirst()
      window.push(origin, number, key, size, deadline, sentBefore ? flags | resentFlag : flags, resend ? record : undefined)
      origin.sent(size)
    }
    backlog.dropFirst(sent)
    if (sent > 0) link.touch()
    this.#directThrough = backlog.count > 0 || resend ? 0 : this.#creditSequence
    this.#draining = false
  }

  /** The credit left is smaller than the next record: the broker grants it as soon as there is memory. [P-4.6] */
  #askFor(link: OutboxLink, size: number): void {
    if (size <= this.#askedSize || size <= this.#creditSize - this.#sentSize) return
    this.#askedSize = size
    const at = link.out.reserve(windowFrameSize)
    link.out.used = writeWindow(link.out.bytes, at, this.#channel, 0, 0, size)
    link.touch()
  }

  /** So many messages without confirm are undecided that the oldest is not remembered for its refusal any more. */
  #forgetFirst(): void {
    const window = this.#window
    const slot = window.first & window.mask
    if ((window.flags[slot] & Flag.confirm) !== 0 && window.origins[slot] !== undefined) return
    window.forget(slot)
    window.first++
  }

  // ─── time ───────────────────────────────────────────────────────────────

  #earliestDeadline(): number {
    const window = this.#window
    let earliest = this.#backlog.earliestDeadline()
    for (let sequence = window.first; sequence < window.next; sequence++) {
      const slot = sequence & window.mask
      if (window.origins[slot] !== undefined && window.deadlines[slot] < earliest) earliest = window.deadlines[slot]
    }
    return earliest
  }

  /** Oldest first, what was sent before what waits. */
  #giveUpDue(now: number): void {
    const window = this.#window
    for (let sequence = window.first; sequence < window.next; sequence++) {
      const slot = sequence & window.mask
      const origin = window.origins[slot]
      if (origin === undefined || window.deadlines[slot] > now) continue
      const routingKey = window.keys[slot]
      window.forget(slot)
      if ((window.flags[slot] & Flag.confirm) === 0 || origin.abandoned) continue
      this.#unconfirmedCount--
      origin.refused(window.numbers[slot], window.sizes[slot], routingKey, false, timeoutError())
    }
    if (this.#backlog.refuseDue(now, this.#link === undefined ? offlineError : blockedError)) {
      this.#askedSize = 0
      this.#drain()
    }
    this.#sweep.arm(this.#earliestDeadline())
    this.#progress()
  }

  #progress(): void {
    for (const origin of this.#origins) origin.progress()
    if (this.#idleWaiters.length > 0 && this.idle) for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }
}
