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
  confirmExceptionCount,
  confirmExceptionsStart,
  confirmRunCount,
  confirmRunStart,
  confirmThrough,
  copyBytes,
  creditSequence,
  creditSize,
  type EncodedMeta,
  type EncodedName,
  exceptionCode,
  exceptionDetailStart,
  exceptionEnd,
  exceptionSequence,
  Flag,
  readText,
  recordSizeOf,
  runFirstMessageId,
  runFirstSequence,
  runLevel,
  runMessageCount,
  runQueueCount,
  windowFrameSize,
  writeRecord,
  writeWindow,
} from '@waybill/protocol'
import type { Clock, Timer } from '../clock.js'
import { PublishError, refusalOf, type WaybillError } from '../errors.js'
import type { Outgoing } from '../session/outgoing.js'
import type { Origin } from './origin.js'
import { forgetfulCountMax, Window } from './window.js'

export const timeoutMsDefault = 30_000
/** Deadlines are met to this accuracy: so many that are due within it cost one look. */
const sweepGapMs = 10

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

interface Waiting {
  readonly origin: Origin
  readonly number: number
  readonly key: string
  readonly flags: number
  readonly record: Uint8Array
  /** Infinity for one that was taken offline and buffered: its time begins when there is a connection. */
  deadline: number
  buffered: boolean
  /** It was sent on a connection that was lost: the broker may have it. */
  readonly sentBefore: boolean
}

export class Outbox {
  readonly #rules: OutboxRules
  readonly #clock: Clock
  readonly #channel: number
  readonly #window: Window
  #link: OutboxLink | undefined
  #waiting: Waiting[] = []
  #creditSequence = 0
  #creditSize = 0
  #sentSize = 0
  /** Up to this sequence a message goes straight out: the credit, or 0 while something waits or records must be kept. */
  #directThrough = 0
  /** Size of the record that WINDOW has asked credit for, or 0. */
  #askedSize = 0
  /** Messages with a confirm that are in flight. */
  #unconfirmedCount = 0
  #sweepTimer: Timer | undefined
  #sweepAt = Infinity
  #draining = false
  readonly #idleWaiters: (() => void)[] = []
  readonly #origins = new Set<Origin>()
  #ended: WaybillError | undefined

  constructor(rules: OutboxRules, channel: number) {
    this.#rules = rules
    this.#clock = rules.clock
    this.#channel = channel
    this.#window = new Window(rules.resend)
  }

  /** Messages that wait for credit or for a connection. */
  get waitingCount(): number {
    return this.#waiting.length
  }

  get online(): boolean {
    return this.#link !== undefined
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#unconfirmedCount === 0
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
   * Takes a message; true when it went out at once, false when it waits: then `sent` or `refused` follows, perhaps within this call. Nothing of `body` is kept.
   * `deadline` Infinity: no time of its own. `timed` false: the deadline is the default one, which does not run while a message is buffered.
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
    if (deadline < this.#sweepAt) this.#armSweep(deadline)
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
    for (const waiting of this.#waiting) {
      if (!waiting.buffered) continue
      this.#unbuffer(waiting)
      if (waiting.deadline === Infinity) waiting.deadline = this.deadline()
    }
    this.#drain()
    this.#armSweep(this.#earliest())
  }

  /** The connection, or the channel on it, is lost. What was sent is rejected, or will be sent again; what waits goes on waiting or not, as the rules say. */
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
      const flags = window.flags[slot]
      if (record !== undefined)
        again.push({ origin, number, key, flags, record, deadline: window.deadlines[slot], buffered: false, sentBefore: true })
      else if ((flags & Flag.confirm) !== 0) origin.refused(number, window.sizes[slot], key, false, unknown)
    }
    window.reset()
    this.#unconfirmedCount = 0
    if (again.length > 0) this.#waiting = [...again, ...this.#waiting]
    if (this.#rules.offline === 'fail') this.#refuseWaiting((stored) => offlineError(stored, cause))
    this.#progress()
  }

  /** There will be no connection any more: everything is refused, now and later. */
  end(cause: WaybillError): void {
    this.lost(cause)
    this.#ended = cause
    this.#refuseWaiting((stored) => new PublishError('CLOSED', `not published: ${cause.message}`, stored, { cause }))
    if (this.#sweepTimer !== undefined) this.#clock.clearTimeout(this.#sweepTimer)
    this.#sweepTimer = undefined
    this.#sweepAt = Infinity
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
    const waiting = this.#waiting.find((each) => each.origin === origin)
    if (waiting === undefined) this.#unconfirmedCount--
    else {
      this.#unbuffer(waiting)
      this.#waiting = this.#waiting.filter((each) => each !== waiting)
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
    let at = confirmExceptionsStart(bytes, from)
    for (let i = confirmExceptionCount(bytes, from); i > 0; i--, at = exceptionEnd(bytes, at)) this.#exception(bytes, at)
    for (let i = 0, runs = confirmRunCount(bytes, from); i < runs; i++) this.#run(link, bytes, confirmRunStart(from, i))
    if (window.first <= through) this.#decided(through)
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

  #run(link: OutboxLink, bytes: Uint8Array, at: number): void {
    const window = this.#window
    const { mask } = window
    const first = runFirstSequence(bytes, at)
    const last = first + runMessageCount(bytes, at) - 1
    const level = runLevel(bytes, at)
    const queues = runQueueCount(bytes, at)
    const { log } = link
    let message = runFirstMessageId(bytes, at)
    for (let sequence = first; sequence <= last; sequence++, message++) {
      if (sequence < window.first) continue
      const slot = sequence & mask
      const origin = window.origins[slot]
      if (origin === undefined) continue
      window.forget(slot)
      if (origin.abandoned) continue
      this.#unconfirmedCount--
      origin.confirmed(window.sizes[slot], log, message, level, queues)
    }
  }

  #exception(bytes: Uint8Array, at: number): void {
    const window = this.#window
    const sequence = exceptionSequence(bytes, at)
    if (sequence < window.first) return
    const slot = sequence & window.mask
    const origin = window.origins[slot]
    if (origin === undefined) return
    const routingKey = window.keys[slot]
    window.forget(slot)
    if (origin.abandoned) return
    if ((window.flags[slot] & Flag.confirm) !== 0) this.#unconfirmedCount--
    const detail = readText(bytes, exceptionDetailStart(at), exceptionEnd(bytes, at))
    origin.refused(window.numbers[slot], window.sizes[slot], routingKey, false, refusalOf(exceptionCode(bytes, at), detail))
  }

  /** Everything up to `through` is decided; with a confirm it has been named above. */
  #decided(through: number): void {
    const window = this.#window
    for (let sequence = window.first; sequence <= through; sequence++) {
      const slot = sequence & window.mask
      const origin = window.origins[slot]
      if (origin === undefined) continue
      const routingKey = window.keys[slot]
      window.forget(slot)
      if ((window.flags[slot] & Flag.confirm) === 0 || origin.abandoned) continue
      this.#unconfirmedCount--
      const error = new PublishError('CONFIRM_MISSING', 'the broker has decided on the message and not said how', 'unknown')
      origin.refused(window.numbers[slot], window.sizes[slot], routingKey, false, error)
    }
    window.first = through + 1
  }

  #credit(sequence: number, size: number): void {
    if (sequence > this.#creditSequence) this.#creditSequence = sequence
    if (size > this.#creditSize) this.#creditSize = size
    this.#drain()
  }

  // ─── waiting ────────────────────────────────────────────────────────────

  /** Room for a record that has to wait, if it may. */
  #admit(size: number): Uint8Array {
    if (this.#ended !== undefined) throw new PublishError('CLOSED', `not published: ${this.#ended.message}`, 'no', { cause: this.#ended })
    const { offline, buffered } = this.#rules
    if (this.#link === undefined) {
      if (offline === 'fail') throw offlineError('no')
      if (offline === 'buffer') {
        if (buffered.size + size > buffered.sizeMax) {
          const message = `there is no connection, and ${buffered.size} bytes wait for one; offlineSizeMax is ${buffered.sizeMax}`
          throw new PublishError('OFFLINE_FULL', message, 'no', { retryable: true })
        }
      }
    } else if (size > this.#link.messageSizeMax) {
      throw tooLarge(size, this.#link.messageSizeMax)
    }
    return Buffer.allocUnsafe(size)
  }

  #wait(origin: Origin, number: number, key: string, record: Uint8Array, flags: number, deadline: number, timed: boolean): boolean {
    const buffered = this.#link === undefined && this.#rules.offline === 'buffer'
    if (buffered) this.#rules.buffered.size += record.length
    this.#directThrough = 0
    const until = buffered && !timed ? Infinity : deadline
    this.#waiting.push({ origin, number, key, flags, record, deadline: until, buffered, sentBefore: false })
    if (until < this.#sweepAt) this.#armSweep(until)
    this.#drain()
    return false
  }

  /** Sends what waits, in order, as far as the credit goes. */
  #drain(): void {
    const link = this.#link
    if (link === undefined || this.#draining) return
    this.#draining = true
    const window = this.#window
    const { resend } = this.#rules
    // A listener that hears of a refusal may publish: that message stands at the end of the same array.
    const waiting = this.#waiting
    let sent = 0
    for (; sent < waiting.length; sent++) {
      const { origin, number, key, flags, record, deadline } = waiting[sent]
      if (origin.abandoned) continue
      const size = record.length
      if (size > link.messageSizeMax) {
        origin.refused(number, size, key, true, tooLarge(size, link.messageSizeMax))
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
      window.push(origin, number, key, size, deadline, flags, resend ? record : undefined)
      origin.sent(size)
    }
    if (sent > 0) {
      this.#waiting = sent === waiting.length ? [] : waiting.slice(sent)
      link.touch()
    }
    this.#directThrough = this.#waiting.length > 0 || resend ? 0 : this.#creditSequence
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

  #unbuffer(waiting: Waiting): void {
    if (waiting.buffered) this.#rules.buffered.size -= waiting.record.length
    waiting.buffered = false
  }

  #refuseWaiting(error: (stored: 'no' | 'unknown') => PublishError): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) this.#refuseOne(each, error)
  }

  #refuseOne(waiting: Waiting, error: (stored: 'no' | 'unknown') => PublishError): void {
    this.#unbuffer(waiting)
    const { origin, number, record, key, sentBefore } = waiting
    if (!origin.abandoned) origin.refused(number, record.length, key, true, error(sentBefore ? 'unknown' : 'no'))
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

  #armSweep(at: number): void {
    if (at >= this.#sweepAt || at === Infinity) return
    if (this.#sweepTimer !== undefined) this.#clock.clearTimeout(this.#sweepTimer)
    this.#sweepAt = at
    this.#sweepTimer = this.#clock.setTimeout(() => this.#sweep(), Math.max(sweepGapMs, at - this.#clock.now()))
  }

  #earliest(): number {
    const window = this.#window
    let earliest = Infinity
    for (let sequence = window.first; sequence < window.next; sequence++) {
      const slot = sequence & window.mask
      if (window.origins[slot] !== undefined && window.deadlines[slot] < earliest) earliest = window.deadlines[slot]
    }
    for (const { deadline } of this.#waiting) if (deadline < earliest) earliest = deadline
    return earliest
  }

  /** Gives up what is due: oldest first, what was sent before what waits. */
  #sweep(): void {
    this.#sweepTimer = undefined
    this.#sweepAt = Infinity
    const now = this.#clock.now()
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
    if (this.#waiting.some((each) => each.deadline <= now)) {
      const due = this.#waiting.filter((each) => each.deadline <= now)
      this.#waiting = this.#waiting.filter((each) => each.deadline > now)
      const error = this.#link === undefined ? offlineError : blockedError
      for (const each of due) this.#refuseOne(each, error)
      this.#askedSize = 0
      this.#drain()
    }
    this.#armSweep(this.#earliest())
    this.#progress()
  }

  #progress(): void {
    for (const origin of this.#origins) origin.progress()
    if (this.#idleWaiters.length > 0 && this.idle) for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }
}

function lostError(cause: WaybillError): PublishError {
  return new PublishError('CONNECTION_LOST', `published, but the connection was lost before the confirm: ${cause.message}`, 'unknown', {
    cause,
    retryable: true,
  })
}

function offlineError(stored: 'no' | 'unknown', cause?: WaybillError): PublishError {
  return new PublishError('OFFLINE', 'not published: there is no connection', stored, { retryable: true, cause })
}

function blockedError(stored: 'no' | 'unknown'): PublishError {
  return new PublishError('BLOCKED', 'not published: the broker gave no credit in time, it is short of memory or disk', stored, {
    retryable: true,
  })
}

function timeoutError(): PublishError {
  return new PublishError('TIMEOUT', 'published, but not confirmed in time', 'unknown', { retryable: true })
}

function tooLarge(size: number, sizeMax: number): PublishError {
  return new PublishError('MESSAGE_TOO_LARGE', `a record of ${size} bytes; this broker takes at most ${sizeMax}`, 'no')
}
