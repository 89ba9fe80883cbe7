/**
 * A consumer: deliveries in, to its handlers, settlements out. It lives over reconnects; its deliveries do not.
 *
 *     began, accept ─▶ handlers ─▶ settled ─▶ the channel
 *         revoked by a loss, by the broker, or by the deadline of a close: what was delivered is no longer ours
 *
 * Invariant: unsettled deliveries are those of `runs`, and those that wait for a handler are among them.
 */
import { type ConsumeRequest, noDelay, Outcome } from '@waybill/protocol'
import type { Clock, Timer } from '../clock.js'
import { checkListener, closeTimeoutOf } from '../arguments.js'
import { asWaybillError, WaybillError } from '../errors.js'
import type { Log } from '../log.js'
import { onAbort } from '../signals.js'
import type { ConsumeOptions, Consumer, ConsumerEnd } from '../types.js'
import { checkWindow, prefetchDefault, prefetchSizeDefault } from './consume-options.js'
import { type ErrorListener, ErrorListeners } from './error-listeners.js'
import { type Handler, Handlers } from './handlers.js'
import { HeldWatch, type Holder } from './held-watch.js'
import { Ledger, type LedgerHome } from './ledger.js'
import type { Delivery } from './message.js'
import { NameReader } from './name-reader.js'
import type { Run } from './run.js'
import { RunList } from './run-list.js'
import type { DeliveryTarget } from './target.js'

export const closeTimeoutMsDefault = 30_000

/** The channel, as a consumer needs it. */
export interface ConsumerHome extends LedgerHome {
  readonly clock: Clock
  readonly log: Log
  /** Turns of the event loop that wrote something. */
  readonly turnCount: number
  settle(tag: number, count: number, outcome: number, delayMs: number, reason: string | undefined): void
  window(consumer: number, messages: number, size: number): void
  /** Tells the broker to stop; resolves when nothing more comes, also when there is no connection. */
  cancel(consumer: ChannelConsumer, timeoutMs: number): Promise<void>
  /** It has ended. */
  forget(consumer: ChannelConsumer): void
}

export class ChannelConsumer implements Consumer, DeliveryTarget, Holder {
  /** On the wire. */
  readonly id: number
  readonly queue: string
  readonly closed: Promise<ConsumerEnd>
  readonly exchangeNames = new NameReader()
  readonly keyNames = new NameReader()
  readonly typeNames = new NameReader()
  /** The broker has answered CONSUME: it is to be declared again after a reconnect. */
  established = false
  /** A message has come for its handler. */
  hasBegun = false
  prefetch: number
  prefetchSize: number

  readonly #ack: 'manual' | 'none'
  readonly #exclusive: boolean
  readonly #priority: number
  readonly #home: ConsumerHome
  readonly #mode: 'on-success' | 'manual' | 'none'
  readonly #errors: ErrorListeners
  readonly #handlers: Handlers
  readonly #heldWatch: HeldWatch
  readonly #runs = new RunList()
  readonly #ledger: Ledger
  #state: 'open' | 'closing' | 'closed' = 'open'
  #unsettledCount = 0
  #settledCount = 0
  #isQueueGone = false
  #resolveClosed: (end: ConsumerEnd) => void = () => {}
  #closing: Promise<void> | undefined
  #idleWaiter: (() => void) | undefined
  #unlisten: (() => void) | undefined

  /** `selfSettled`: the handler only passes messages on, and whoever it passes them to settles them, whatever `ack` says. */
  constructor(home: ConsumerHome, id: number, queue: string, handler: Handler, options: ConsumeOptions, selfSettled = false) {
    const { ack = 'on-success', parse, signal, exclusive = false, priority = 0, prefetchSize = prefetchSizeDefault } = options
    this.#home = home
    this.id = id
    this.queue = queue
    const mode = selfSettled ? 'manual' : ack
    const concurrency = options.concurrency ?? (mode === 'on-success' ? 1 : Infinity)
    this.#mode = mode
    this.prefetch = options.prefetch ?? prefetchDefault(ack, selfSettled ? 1 : concurrency)
    this.prefetchSize = prefetchSize
    this.#ack = ack === 'none' ? 'none' : 'manual'
    this.#exclusive = exclusive
    this.#priority = priority
    this.#errors = new ErrorListeners(queue, home)
    this.#handlers = new Handlers(home, handler, { mode, concurrency, parse }, this.#errors)
    this.#heldWatch = new HeldWatch(this, home)
    this.#ledger = new Ledger(home, queue, ack !== 'none')
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    if (signal !== undefined) {
      const abort = (): void => {
        void this.leave()
      }
      this.#unlisten = onAbort(signal, abort)
    }
  }

  get running(): number {
    return this.#handlers.running
  }

  get unsettledCount(): number {
    return this.#unsettledCount
  }

  get settledCount(): number {
    return this.#settledCount
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
    checkListener('a consumer', event, 'error', listener)
    this.#errors.add(listener)
    return this
  }

  off(event: 'error', listener: ErrorListener): this {
    checkListener('a consumer', event, 'error', listener)
    this.#errors.remove(listener)
    return this
  }

  setPrefetch(messages: number, size: number = this.prefetchSize): void {
    checkWindow(messages, size)
    this.prefetch = messages
    this.prefetchSize = size
    if (this.#state === 'open') this.#home.window(this.id, messages, size)
  }

  flush(): Promise<void> {
    return this.#ledger.flush(closeTimeoutMsDefault)
  }

  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(closeTimeoutOf(options, closeTimeoutMsDefault))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Closes it for somebody who has no use for how it went: what was not kept is in the log. */
  async leave(timeoutMs: number = closeTimeoutMsDefault): Promise<void> {
    try {
      await this.close({ timeoutMs })
    } catch (error) {
      const { code, message } = asWaybillError(error, 'CLOSE_FAILED')
      this.#home.log({ level: 'warn', event: 'consumer-close-failed', queue: this.queue, code, message })
    }
  }

  // ─── deliveries ─────────────────────────────────────────────────────────

  /** A run has come; its messages follow by `accept`. */
  began(run: Run): void {
    if (this.#state === 'open') this.hasBegun = true
    this.#ledger.look()
    this.#runs.add(run)
    this.#unsettledCount += run.count
    if (this.#unsettledCount >= this.prefetch) this.#heldWatch.begin()
  }

  accept(delivery: Delivery): void {
    if (this.#state !== 'open' && this.#mode !== 'none') {
      delivery.settle(Outcome.requeue)
      return
    }
    this.#handlers.take(delivery)
  }

  settled(run: Run, tag: number, outcome: number, delayMs: number, reason: string | undefined): void {
    this.#unsettledCount--
    this.#settledCount++
    this.#ledger.settled(outcome)
    if (run.unsettledCount === 0) this.#runs.remove(run)
    this.#home.settle(tag, 1, outcome, delayMs, reason)
    if (this.#idleWaiter !== undefined) this.#checkIdle()
  }

  settledInVain(outcome: number, cause: Error): void {
    if (!this.#isQueueGone) this.#ledger.settledInVain(outcome, cause)
  }

  /** What was delivered is no longer ours: the connection is lost, the broker has ended the consumer, or the time to close is up. */
  revoke(cause: Error): void {
    const runs = this.#runs.takeAll()
    this.#handlers.revoke()
    this.#unsettledCount = 0
    for (const run of runs) run.revoke(cause)
    if (this.#idleWaiter !== undefined) this.#checkIdle()
  }

  /** The broker has ended it, or it cannot be restored. */
  ended(end: ConsumerEnd): void {
    if (this.#state === 'closed') return
    if (end.reason === 'queue-deleted') {
      this.#isQueueGone = true
      this.#ledger.forget()
    }
    this.revoke(end.error ?? new WaybillError('CANCELLED', `the consumer of '${this.queue}' has ended: ${end.reason}`))
    this.#finish(end)
  }

  // ─── the end ────────────────────────────────────────────────────────────

  async #close(timeoutMs: number): Promise<void> {
    if (this.#state === 'closed') return this.#ledger.flush(Math.max(1_000, timeoutMs))
    this.#state = 'closing'
    this.#ledger.closing()
    const { clock } = this.#home
    const deadline = clock.now() + timeoutMs
    if (this.#mode !== 'none') for (const delivery of this.#handlers.takeWaiting()) delivery.settle(Outcome.requeue)
    const cancelled = this.#home.cancel(this, timeoutMs)
    const idle = new Promise<void>((resolve) => {
      this.#idleWaiter = resolve
    })
    this.#handlers.onEnd = () => this.#checkIdle()
    let timer: Timer | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = clock.setTimeout(() => resolve('late'), timeoutMs)
    })
    this.#checkIdle()
    const outcome = await Promise.race([Promise.all([cancelled, idle]), late])
    clock.clearTimeout(timer)
    this.#idleWaiter = undefined
    this.#handlers.onEnd = undefined
    if (outcome === 'late') this.#giveBack()
    try {
      await this.#ledger.flush(Math.max(1_000, deadline - clock.now()))
    } finally {
      this.#finish({ reason: 'closed' })
    }
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
    if (this.#handlers.running === 0 && this.#unsettledCount === 0) this.#idleWaiter?.()
  }

  #finish(end: ConsumerEnd): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#unlisten?.()
    this.#heldWatch.stop()
    this.#handlers.stop()
    this.#home.forget(this)
    this.#resolveClosed(end)
    this.#idleWaiter?.()
  }
}

/** What a consumer that could not be declared again ends with. */
export function refusedEnd(error: unknown): ConsumerEnd {
  return { reason: 'refused', error: asWaybillError(error, 'REFUSED') }
}
