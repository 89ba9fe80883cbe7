/**
 * A channel on the wire: its number, what is published, delivered and settled on it. It lives over reconnects, its counts do not.
 *
 * Hot in `deliver` and `settle`.
 *
 * Invariant: tags follow one another without a gap while a connection lasts; every delivery is accepted by a receiver or requeued. [P-5.2]
 */
import {
  checkDeliver,
  deliverConsumer,
  deliverCount,
  deliverFirstMessageId,
  deliverFirstTag,
  deliverRecordsStart,
  deliveryCount,
  Flag,
  failureCount,
  noDelay,
  type OpenResult,
  Outcome,
  readU32,
  recordsFill,
  windowFrameSize,
  writeWindow,
} from '@waybill/protocol'
import type { Clock } from '../clock.js'
import { Chunks } from '../consuming/chunks.js'
import { ChannelConsumer, type ConsumerHome } from '../consuming/consumer.js'
import type { GetHome } from '../consuming/get-target.js'
import { Delivery } from '../consuming/message.js'
import { Run } from '../consuming/run.js'
import { Settlements } from '../consuming/settlements.js'
import type { DeliveryTarget } from '../consuming/target.js'
import { messageOf, WaybillError } from '../errors.js'
import type { Log } from '../log.js'
import { Outbox, type OutboxLink, type OutboxRules } from '../publishing/outbox.js'
import { Gathering } from './gathering.js'
import type { ChannelSink, Link } from './link.js'

/** So many ranges are settled that they are written before the turn ends. */
const pendingRangesMax = 4_096

export interface CoreHome {
  readonly log: Log
  /** The broker has closed the channel and nothing else. */
  channelFailed(core: ChannelCore, error: WaybillError): void
  consumerEnded(consumer: ChannelConsumer): void
  queueDeleted(queue: string): void
}

export class ChannelCore implements ChannelSink, ConsumerHome, GetHome {
  readonly number: number
  readonly clock: Clock
  readonly log: Log
  readonly outbox: Outbox
  lossCount = 0
  lostBy: WaybillError | undefined
  readonly #home: CoreHome
  readonly #targets = new Map<number, DeliveryTarget>()
  /** Runs that no consumer answers for any more. */
  readonly #held = new Set<Run>()
  readonly #settlements = new Settlements()
  readonly #gathering: Gathering
  readonly #chunks = new Chunks()
  #link: Link | undefined
  #opened: OpenResult | undefined
  #lastTag = 0
  #isDirty = false
  #isStopped = false
  #consumerId = 0
  #lastTarget: DeliveryTarget | undefined
  #lastTargetId = 0

  constructor(home: CoreHome, number: number, rules: OutboxRules) {
    this.#home = home
    this.number = number
    this.clock = rules.clock
    this.log = home.log
    this.outbox = new Outbox(rules, number)
    this.#gathering = new Gathering(rules.clock, () => this.#link?.touchedBy(this))
  }

  /** Whether it is open on a live connection. */
  get isOpen(): boolean {
    return this.#link !== undefined
  }

  get turnCount(): number {
    return this.#link?.turnCount ?? 0
  }

  get consumers(): ChannelConsumer[] {
    return [...this.#targets.values()].filter((each) => each instanceof ChannelConsumer)
  }

  // ─── connection ─────────────────────────────────────────────────────────

  get isConnected(): boolean {
    return this.#link !== undefined
  }

  /** Opens it on a connection; consumers may be declared then, and `resume` lets publishing go on. */
  async open(link: Link, timeoutMs: number): Promise<void> {
    link.attach(this.number, this)
    this.#link = link
    this.#opened = await link.request('open', this.number, {}, timeoutMs)
  }

  resume(): void {
    const link = this.#link
    const opened = this.#opened
    if (link === undefined || opened === undefined || !link.alive) return
    const { log, limits } = link.hello
    const outboxLink: OutboxLink = {
      out: link.out,
      log,
      messageSizeMax: limits.messageSizeMax,
      now: () => link.now(),
      touch: () => link.touch(),
      flush: () => link.flush(),
      protocolFault: (message) => link.protocolFault(message),
    }
    this.outbox.open(outboxLink, opened.creditSequence, opened.creditSize)
  }

  /** The connection, or the channel on it, is gone. */
  lost(cause: WaybillError): void {
    if (this.#link === undefined) return
    this.lossCount++
    this.lostBy = cause
    this.#link.detach(this.number)
    this.#link = undefined
    this.#opened = undefined
    this.#lastTag = 0
    this.#isDirty = false
    this.#settlements.reset()
    this.#gathering.written()
    for (const target of this.#targets.values()) target.revoke(cause)
    for (const run of this.#held) run.revoke(cause)
    this.#held.clear()
    this.outbox.lost(cause)
  }

  /** Its CLOSE, or that of the connection, goes out next, and nothing behind it. */
  stop(cause: WaybillError): void {
    const link = this.#link
    if (link !== undefined) this.writePending(true)
    this.#isStopped = true
    this.outbox.stop(cause)
  }

  /** It will not be opened again. */
  end(cause: WaybillError | undefined, error: WaybillError): void {
    this.lost(error)
    this.outbox.end(error)
    for (const consumer of this.consumers) consumer.ended(cause === undefined ? { reason: 'closed' } : { reason: 'closed', error: cause })
    this.#targets.clear()
    this.#lastTarget = undefined
  }

  // ─── receivers ──────────────────────────────────────────────────────────

  nextConsumerId(): number {
    this.#consumerId = this.#consumerId === 0xffff_ffff ? 1 : this.#consumerId + 1
    return this.#consumerId
  }

  add(id: number, target: DeliveryTarget): void {
    this.#targets.set(id, target)
    this.#gathering.measure(this.consumers)
  }

  remove(id: number): void {
    this.#targets.delete(id)
    if (id === this.#lastTargetId) this.#lastTarget = undefined
    this.#gathering.measure(this.consumers)
  }

  hold(run: Run): void {
    this.#held.add(run)
  }

  release(run: Run): void {
    this.#held.delete(run)
  }

  forget(consumer: ChannelConsumer): void {
    this.remove(consumer.id)
    this.#home.consumerEnded(consumer)
  }

  /** Cancels what the broker has, or may have, and nobody here answers for. */
  disown(consumer: ChannelConsumer): void {
    consumer.established = true
    void this.cancel(consumer, 0)
  }

  async cancel(consumer: ChannelConsumer, timeoutMs: number): Promise<void> {
    const link = this.#link
    if (link === undefined || !consumer.established || this.#isStopped) return
    try {
      await link.request('cancel', this.number, { consumer: consumer.id }, Math.max(1_000, timeoutMs))
    } catch (error) {
      this.log({ level: 'debug', event: 'cancel-unanswered', queue: consumer.queue, message: messageOf(error) })
    }
  }

  window(consumer: number, messages: number, size: number): void {
    this.#gathering.measure(this.consumers)
    const link = this.#link
    if (link === undefined || this.#isStopped) return
    const at = link.out.reserve(windowFrameSize)
    link.out.used = writeWindow(link.out.bytes, at, this.number, consumer, messages, size)
    link.touch()
  }

  // ─── settling ───────────────────────────────────────────────────────────

  settle(tag: number, count: number, outcome: number, delayMs: number, reason: string | undefined): void {
    const link = this.#link
    if (link === undefined || this.#isStopped) return
    this.#settlements.add(tag, count, outcome, delayMs, reason)
    this.#gathering.settledCount += count
    if (this.#isDirty) {
      if (this.#settlements.count >= pendingRangesMax) this.#settlements.write(link.out, this.number, 0)
      return
    }
    this.#isDirty = true
    link.touchedBy(this)
  }

  /** Resolves when the broker has what was settled on this connection so far; at once when that is nothing. */
  async flushSettlements(timeoutMs: number): Promise<void> {
    const link = this.#link
    if (link === undefined) return
    if (this.#isStopped) throw new WaybillError('CLOSED', 'the channel is closed')
    if (this.#settlements.lastTag === 0) return
    const { correlation, answer } = link.expect('settle', this.number, timeoutMs)
    this.#settlements.write(link.out, this.number, correlation)
    this.#gathering.written()
    link.touch()
    await answer
  }

  writePending(all: boolean): void {
    this.#isDirty = false
    const link = this.#link
    if (link === undefined || this.#settlements.count === 0) return
    if (!all && this.#gathering.waits(link.now())) return
    this.#settlements.write(link.out, this.number, 0)
    this.#gathering.written()
  }

  // ─── what the broker sends ──────────────────────────────────────────────

  deliver(bytes: Uint8Array, flags: number, from: number, to: number): void {
    const link = this.#link
    if (link === undefined) return
    const good = checkDeliver(bytes, flags, from, to) === 0
    const count = deliverCount(bytes, from)
    const records = deliverRecordsStart(flags, from)
    if (!good || !recordsFill(bytes, records, to, count)) {
      link.protocolFault('DELIVER is malformed')
      return
    }
    const firstTag = deliverFirstTag(bytes, from)
    if (firstTag !== this.#lastTag + 1) {
      link.protocolFault(`tag ${firstTag} came, ${this.#lastTag + 1} was expected`)
      return
    }
    this.#lastTag = firstTag + count - 1
    this.#gathering.deliveredSize += to - records
    const target = this.#target(deliverConsumer(bytes, from))
    if (target === undefined) {
      this.settle(firstTag, count, Outcome.requeue, noDelay, undefined)
      return
    }
    const run = new Run(
      target,
      link.hello.log,
      firstTag,
      deliverFirstMessageId(bytes, from),
      count,
      (flags & Flag.redelivered) !== 0,
      deliveryCount(bytes, flags, from),
      failureCount(bytes, flags, from),
    )
    target.began(run)
    const chunks = this.#chunks
    let index = 0
    for (let at = records; at < to; ) {
      const end = chunks.take(bytes, at, to)
      const { chunk } = chunks
      let place = chunks.at
      const placeEnd = place + end - at
      // A handler may have closed everything in between; then nobody wants the rest.
      while (place < placeEnd && !run.revoked) {
        const next = place + 4 + readU32(chunk, place)
        target.accept(new Delivery(run, index++, chunk, place))
        place = next
      }
      at = end
    }
  }

  confirm(bytes: Uint8Array, from: number, to: number): void {
    this.outbox.confirm(bytes, from, to)
  }

  credit(bytes: Uint8Array, from: number, to: number): void {
    this.outbox.credit(bytes, from, to)
  }

  cancelled(id: number, reason: 'queue-deleted' | 'refused', error: WaybillError | undefined): void {
    const target = this.#targets.get(id)
    if (!(target instanceof ChannelConsumer)) return
    if (reason === 'queue-deleted') this.#home.queueDeleted(target.queue)
    target.ended(error === undefined ? { reason } : { reason, error })
  }

  failed(error: WaybillError): void {
    this.#home.channelFailed(this, error)
  }

  #target(id: number): DeliveryTarget | undefined {
    if (id === this.#lastTargetId && this.#lastTarget !== undefined) return this.#lastTarget
    const target = this.#targets.get(id)
    this.#lastTarget = target
    this.#lastTargetId = id
    return target
  }
}
