/**
 * Hot: the handlers of one consumer at work, so many at once.
 *
 *     take ─▶ buffer ─▶ start ─▶ handler ─┬─ returned ─▶ ack
 *                                         ├─ RejectError, parse failed ─▶ reject
 *                                         └─ thrown ─▶ retry                        (with 'manual' the program settles)
 *
 * A handler that returns no promise is settled in the same breath, without one. Handlers that keep the processor for themselves
 * are interrupted between two messages every 50 ms, so that heartbeats and other connections get their turn.
 *
 * Invariant: running <= concurrency; what comes while something is buffered goes behind it.
 */
import { noDelay, Outcome } from '@waybill/protocol'
import type { Clock, Timer } from '../clock.js'
import { isDelay } from '../delay.js'
import { messageOf, RejectError, RetryError } from '../errors.js'
import { DeliveryBuffer } from './delivery-buffer.js'
import type { ErrorListeners } from './error-listeners.js'
import type { Delivery } from './message.js'
import { Slice } from './slice.js'

export type Handler = (message: Delivery) => unknown

/** The channel, as handlers need it. */
export interface HandlersHome {
  readonly clock: Clock
  /** Turns of the event loop that read or wrote something. */
  readonly turnCount: number
}

export interface HandlerRules {
  /** Who settles: the handlers by how they end, the program, or nobody, and then a settlement only returns credit. */
  readonly mode: 'on-success' | 'manual' | 'none'
  readonly concurrency: number
  readonly parse: ((body: unknown) => unknown) | undefined
}

export class Handlers {
  /** Called when one has ended, while somebody waits for that. */
  onEnd: (() => void) | undefined
  readonly #home: HandlersHome
  readonly #handler: Handler
  readonly #mode: HandlerRules['mode']
  readonly #concurrency: number
  readonly #parse: HandlerRules['parse']
  readonly #errors: ErrorListeners
  readonly #buffer = new DeliveryBuffer()
  readonly #slice: Slice
  #running = 0
  #resumeTimer: Timer | undefined

  constructor(home: HandlersHome, handler: Handler, { mode, concurrency, parse }: HandlerRules, errors: ErrorListeners) {
    this.#home = home
    this.#handler = handler
    this.#mode = mode
    this.#concurrency = concurrency
    this.#parse = parse
    this.#errors = errors
    this.#slice = new Slice(home.clock)
  }

  get running(): number {
    return this.#running
  }

  /** Starts the handler now, or when it is its turn. */
  take(delivery: Delivery): void {
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

  /** Takes out what has not been started, in order. */
  takeWaiting(): Delivery[] {
    return this.#buffer.takeAll()
  }

  /** What has not been started is nobody's any more. */
  revoke(): void {
    this.#buffer.takeAll()
    this.#slice.reset()
  }

  /** Nothing more is started by itself. */
  stop(): void {
    if (this.#resumeTimer !== undefined) this.#home.clock.clearTimeout(this.#resumeTimer)
    this.#resumeTimer = undefined
  }

  #start(delivery: Delivery): void {
    this.#running++
    if (this.#parse !== undefined && !this.#parsed(delivery, this.#parse)) return
    let result: unknown
    let isPromise = false
    try {
      // Not as a method of ours: whoever wrote it has no business here.
      const handler = this.#handler
      result = handler(delivery)
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
      this.#errors.tell(error, delivery)
      return false
    }
  }

  #succeeded(delivery: Delivery): void {
    this.#running--
    if (this.#mode !== 'manual' && !delivery.isSettled) delivery.settle(Outcome.ack)
    if (this.onEnd !== undefined) this.onEnd()
  }

  #failed(delivery: Delivery, error: unknown): void {
    this.#running--
    if (!delivery.isSettled) {
      if (this.#mode === 'none') delivery.settle(Outcome.ack)
      else if (this.#mode === 'on-success') settleFailed(delivery, error)
    }
    this.#errors.tell(error, delivery)
    if (this.onEnd !== undefined) this.onEnd()
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
}

/** Nobody above would catch a mistake in what was thrown: a delay that cannot be is the broker's back-off. */
function settleFailed(delivery: Delivery, error: unknown): void {
  if (error instanceof RejectError) {
    delivery.settle(Outcome.reject, noDelay, messageOf(error))
    return
  }
  const delayMs = error instanceof RetryError && isDelay(error.delayMs) ? Math.round(error.delayMs) : noDelay
  delivery.settle(Outcome.retry, delayMs, messageOf(error))
}
