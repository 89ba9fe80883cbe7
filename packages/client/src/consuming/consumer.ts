/**
 * A consumer: deliveries in, handlers at work, settlements out. It lives over reconnects; its deliveries do not.
 *
 *     accept ─▶ buffer ─▶ start ─▶ handler ─┬─ returned ─▶ ack
 *                                           ├─ RejectError, parse failed ─▶ reject
 *                                           └─ thrown ─▶ retry                        (with 'manual' the program settles)
 *
 * A handler that returns no promise is settled in the same breath, without one. Handlers that keep the processor for themselves
 * are interrupted between two messages every 50 ms, so that heartbeats and other connections get their turn.
 *
 * Invariant: running <= concurrency; unsettled deliveries are those of `runs`, and buffered ones are among them.
 */
import { type ConsumeRequest, noDelay, Outcome } from '@waybill/protocol'
import type { Clock, Timer } from '../clock.js'
import { closeTimeoutOf } from '../arguments.js'
import { asWaybillError, messageOf, RejectError, RetryError, UsageError, WaybillError } from '../errors.js'
import { type Log, RateLimit } from '../log.js'
import type { ConsumeOptions, Consumer, ConsumerEnd, Message } from '../types.js'
import { checkWindow, prefetchDefault, prefetchSizeDefault } from './consume-options.js'
import { DeliveryBuffer } from './delivery-buffer.js'
import type { Delivery } from './message.js'
import { NameReader } from './name-reader.js'
import type { Run } from './run.js'
import { RunList } from './run-list.js'
import { Slice } from './slice.js'
import type { DeliveryTarget } from './target.js'

const heldMs = 60_000
export const closeTimeoutMsDefault = 30_000

/** The channel, as a consumer needs it. */
export interface ConsumerHome {
  readonly clock: Clock
  readonly log: Log
  /** Turns of the event loop that wrote something. */
  readonly turnCount: number
  settle(tag: number, count: number, outcome: number, delayMs: number, reason: string | undefined): void
  /** Resolves when the broker has what was settled so far. */
  flushSettlements(timeoutMs: number): Promise<void>
  window(consumer: number, messages: number, size: number): void
  /** Tells the broker to stop; resolves when nothing more comes, also when there is no connection. */
  cancel(consumer: ChannelConsumer, timeoutMs: number): Promise<void>
  /** It has ended. */
  forget(consumer: ChannelConsumer): void
}

type ErrorListener = (error: unknown, message: Message) => void
export type Handler = (message: Delivery) => unknown

export class ChannelConsumer implements Consumer, DeliveryTarget {
  /** On the wire. */
  readonly id: number
  readonly queue: string
  readonly closed: Promise<ConsumerEnd>
  readonly exchangeNames = new NameReader()
  readonly keyNames = new NameReader()
  readonly typeNames = new NameReader()
  /** The broker has answered CONSUME: it is to be declared again after a reconnect. */
  established = false
  prefetch: number
  prefetchSize: number

  readonly #ack: 'manual' | 'none'
  readonly #exclusive: boolean
  readonly #priority: number
  readonly #home: ConsumerHome
  readonly #handler: Handler
  readonly #mode: 'on-success' | 'manual' | 'none'
  readonly #concurrency: number
  readonly #parse: ((body: unknown) => unknown) | undefined
  readonly #buffer = new DeliveryBuffer()
  readonly #runs = new RunList()
  readonly #listeners = new Set<ErrorListener>()
  readonly #errorLimit: RateLimit
  #state: 'open' | 'closing' | 'closed' = 'open'
  #running = 0
  #unsettledCount = 0
  #resolveClosed: (end: ConsumerEnd) => void = () => {}
  #closing: Promise<void> | undefined
  #idleWaiter: (() => void) | undefined
  #unlisten: (() => void) | undefined

  #resumeTimer: Timer | undefined
  readonly #slice: Slice

  #heldTimer: Timer | undefined
  #settledCount = 0
  #settledCountAtHeld = 0

  /** `selfSettled`: the handler only passes messages on, and whoever it passes them to settles them, whatever `ack` says. */
  constructor(home: ConsumerHome, id: number, queue: string, handler: Handler, options: ConsumeOptions, selfSettled = false) {
    const { ack = 'on-success', parse, signal, exclusive = false, priority = 0, prefetchSize = prefetchSizeDefault } = options
    this.#home = home
    this.id = id
    this.queue = queue
    this.#handler = handler
    this.#mode = selfSettled ? 'manual' : ack
    this.#parse = parse
    this.#concurrency = options.concurrency ?? (this.#mode === 'on-success' ? 1 : Infinity)
    this.prefetch = options.prefetch ?? prefetchDefault(ack, selfSettled ? 1 : this.#concurrency)
    this.prefetchSize = prefetchSize
    this.#ack = ack === 'none' ? 'none' : 'manual'
    this.#exclusive = exclusive
    this.#priority = priority
    this.#errorLimit = new RateLimit(home.clock)
    this.#slice = new Slice(home.clock)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    if (signal !== undefined) {
      const abort = (): void => {
        this.close().catch((error) => home.log({ level: 'warn', event: 'consumer-close-failed', queue, message: messageOf(error) }))
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#unlisten = () => signal.removeEventListener('abort', abort)
    }
  }

  get running(): number {
    return this.#running
  }

  /** Whether the program has closed it. */
  get isLeaving(): boolean {
    return this.#closing !== undefined
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** The body of CONSUME, with the window as it is now. */
  request(): ConsumeRequest {
    const { id, queue, prefetch, prefetchSize } = this
    return { consumer: id, queue, ack: this.#ack, prefetch, prefetchSize, exclusive: this.#exclusive, priority: this.#priority }
  }

  on(event: 'error', listener: ErrorListener): this {
    if (event !== 'error') throw new UsageError('EVENT_UNKNOWN', `a consumer has no event '${String(event)}'; it has 'error'`)
    this.#listeners.add(listener)
    return this
  }

  off(_event: 'error', listener: ErrorListener): this {
    this.#listeners.delete(listener)
    return this
  }

  setPrefetch(messages: number, size: number = this.prefetchSize): void {
    checkWindow(messages, size)
    this.prefetch = messages
    this.prefetchSize = size
    if (this.#state === 'open') this.#home.window(this.id, messages, size)
  }

  flush(): Promise<void> {
    return this.#home.flushSettlements(closeTimeoutMsDefault)
  }

  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(closeTimeoutOf(options, closeTimeoutMsDefault))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ─── deliveries ─────────────────────────────────────────────────────────

  /** A run has come; its messages follow by `accept`. */
  began(run: Run): void {
    this.#runs.add(run)
    this.#unsettledCount += run.count
    if (this.#unsettledCount >= this.prefetch && this.#heldTimer === undefined) this.#watchHeld()
  }

  accept(delivery: Delivery): void {
    if (this.#state !== 'open' && this.#mode !== 'none') {
      delivery.settle(Outcome.requeue)
      return
    }
    if (
      this.#buffer.count > 0 ||
      this.#running >= this.#concurrency ||
      this.#resumeTimer !== undefined ||
      this.#slice.isOver(this.#home.turnCount)
    ) {
      this.#buffer.push(delivery)
      if (this.#running < this.#concurrency) this.#resumeLater()
      return
    }
    this.#start(delivery)
  }

  settled(run: Run, tag: number, outcome: number, delayMs: number, reason: string | undefined): void {
    this.#unsettledCount--
    this.#settledCount++
    if (run.unsettledCount === 0) this.#runs.remove(run)
    this.#home.settle(tag, 1, outcome, delayMs, reason)
    if (this.#idleWaiter !== undefined) this.#checkIdle()
  }

  /** What was delivered is no longer ours: the connection is lost, the broker has ended the consumer, or the time to close is up. */
  revoke(cause: Error): void {
    const runs = this.#runs.takeAll()
    this.#buffer.takeAll()
    this.#unsettledCount = 0
    this.#slice.reset()
    for (const run of runs) run.revoke(cause)
    if (this.#idleWaiter !== undefined) this.#checkIdle()
  }

  /** The broker has ended it, or it cannot be restored. */
  ended(end: ConsumerEnd): void {
    if (this.#state === 'closed') return
    this.revoke(end.error ?? new WaybillError('CANCELLED', `the consumer of '${this.queue}' has ended: ${end.reason}`))
    this.#finish(end)
  }

  // ─── handlers ───────────────────────────────────────────────────────────

  #start(delivery: Delivery): void {
    this.#running++
    if (this.#parse !== undefined && !this.#parsed(delivery, this.#parse)) return
    let result: unknown
    let isPromise = false
    try {
      result = this.#handler(delivery)
      isPromise = typeof result === 'object' && result !== null && typeof (result as PromiseLike<unknown>).then === 'function'
    } catch (error) {
      this.#failed(delivery, error)
      return
    }
    if (isPromise) {
      Promise.resolve(result).then(
        () => {
          this.#succeeded(delivery)
          this.#pump()
        },
        (error) => {
          this.#failed(delivery, error)
          this.#pump()
        },
      )
      return
    }
    this.#succeeded(delivery)
  }

  #parsed(delivery: Delivery, parse: (body: unknown) => unknown): boolean {
    try {
      delivery.replaceBody(parse(delivery.body))
      return true
    } catch (error) {
      this.#running--
      if (!delivery.isSettled) delivery.settle(Outcome.reject, noDelay, messageOf(error))
      this.#report(error, delivery)
      return false
    }
  }

  #succeeded(delivery: Delivery): void {
    this.#running--
    if (this.#mode !== 'manual' && !delivery.isSettled) delivery.settle(Outcome.ack)
    if (this.#idleWaiter !== undefined) this.#checkIdle()
  }

  #failed(delivery: Delivery, error: unknown): void {
    this.#running--
    if (!delivery.isSettled) {
      if (this.#mode === 'none') delivery.settle(Outcome.ack)
      else if (this.#mode === 'on-success') settleFailed(delivery, error)
    }
    this.#report(error, delivery)
    if (this.#idleWaiter !== undefined) this.#checkIdle()
  }

  #report(error: unknown, delivery: Delivery): void {
    if (this.#listeners.size === 0) {
      const suppressed = this.#errorLimit.pass()
      if (suppressed === undefined) return
      const fields = {
        queue: this.queue,
        id: delivery.id,
        suppressed: suppressed === 0 ? undefined : suppressed,
        message: messageOf(error),
      }
      this.#home.log({ level: 'error', event: 'handler-failed', ...fields })
      return
    }
    for (const listener of this.#listeners) {
      try {
        listener(error, delivery)
      } catch (thrown) {
        this.#home.log({ level: 'error', event: 'listener-failed', on: 'error', message: messageOf(thrown) })
      }
    }
  }

  /** Starts what has been waiting, as far as concurrency goes. */
  #pump(): void {
    while (this.#running < this.#concurrency && this.#buffer.count > 0 && this.#resumeTimer === undefined) {
      if (this.#slice.isOver(this.#home.turnCount)) {
        this.#resumeLater()
        return
      }
      this.#start(this.#buffer.shift() as Delivery)
    }
  }

  #resumeLater(): void {
    if (this.#resumeTimer !== undefined) return
    this.#resumeTimer = this.#home.clock.setTimeout(() => {
      this.#resumeTimer = undefined
      this.#slice.reset()
      this.#pump()
    }, 0)
  }

  // ─── the end ────────────────────────────────────────────────────────────

  async #close(timeoutMs: number): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closing'
    const { clock } = this.#home
    const deadline = clock.now() + timeoutMs
    if (this.#mode !== 'none') for (const delivery of this.#buffer.takeAll()) delivery.settle(Outcome.requeue)
    const cancelled = this.#home.cancel(this, timeoutMs)
    const idle = new Promise<void>((resolve) => {
      this.#idleWaiter = resolve
    })
    let timer: Timer | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = clock.setTimeout(() => resolve('late'), timeoutMs)
    })
    this.#checkIdle()
    const outcome = await Promise.race([Promise.all([cancelled, idle]), late])
    clock.clearTimeout(timer)
    this.#idleWaiter = undefined
    if (outcome === 'late') this.#giveBack()
    // Ended by the broker while we waited: the settlements have nowhere to go.
    if ((this.#state as string) === 'closed') return
    try {
      await this.#home.flushSettlements(Math.max(1_000, deadline - clock.now()))
    } catch (error) {
      this.#home.log({ level: 'debug', event: 'settlements-unanswered', queue: this.queue, message: messageOf(error) })
    }
    this.#finish({ reason: 'closed' })
  }

  /** The deadline: what handlers have not finished goes back, and they are told so by their signals. */
  #giveBack(): void {
    const cause = new WaybillError('CLOSED', `the consumer of '${this.queue}' was closed before the handler had finished`)
    for (const run of this.#runs.takeAll()) {
      // Tags of the run that are settled already are skipped by the broker. [P-5.4]
      this.#home.settle(run.firstTag, run.count, Outcome.requeue, noDelay, undefined)
      run.revoke(cause)
    }
    this.revoke(cause)
  }

  #checkIdle(): void {
    if (this.#running === 0 && this.#unsettledCount === 0) this.#idleWaiter?.()
  }

  #finish(end: ConsumerEnd): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#unlisten?.()
    const { clock } = this.#home
    if (this.#heldTimer !== undefined) clock.clearTimeout(this.#heldTimer)
    if (this.#resumeTimer !== undefined) clock.clearTimeout(this.#resumeTimer)
    this.#heldTimer = undefined
    this.#resumeTimer = undefined
    this.#home.forget(this)
    this.#resolveClosed(end)
    this.#idleWaiter?.()
  }

  // ─── prefetch held ──────────────────────────────────────────────────────

  /** The window is used up. If a minute later nothing has been settled, that is said, once until something is. */
  #watchHeld(): void {
    this.#settledCountAtHeld = this.#settledCount
    this.#heldTimer = this.#home.clock.setTimeout(() => {
      this.#heldTimer = undefined
      if (this.#unsettledCount < this.prefetch || this.#unsettledCount === 0 || this.#state !== 'open') return
      if (this.#settledCount === this.#settledCountAtHeld) {
        const message = `nothing has been settled for ${heldMs / 1000} s, so nothing more is delivered`
        this.#home.log({
          level: 'warn',
          event: 'prefetch-held',
          queue: this.queue,
          unsettled: this.#unsettledCount,
          running: this.#running,
          message,
        })
        return
      }
      this.#watchHeld()
    }, heldMs)
  }
}

function settleFailed(delivery: Delivery, error: unknown): void {
  if (error instanceof RejectError) delivery.settle(Outcome.reject, noDelay, error.message)
  else if (error instanceof RetryError) delivery.retry({ delayMs: error.delayMs, reason: error.message })
  else delivery.settle(Outcome.retry, noDelay, messageOf(error))
}

/** What a consumer that could not be declared again ends with. */
export function refusedEnd(error: unknown): ConsumerEnd {
  return { reason: 'refused', error: asWaybillError(error, 'REFUSED') }
}
