/**
 * Exclusive queues that could not be declared again, because the broker has not noticed yet that the connection which had them is
 * gone: it may take two heartbeats. They are tried again until then, with their bindings and consumers.
 *
 *     lost ─▶ reconnected ─ RESOURCE_LOCKED ─▶ 1 s, 2 s, 4 s, 8 s, 8 s … ─┬─▶ declared, bound, consumed
 *                                                                          └─▶ their consumers end with 'refused'
 */
import type { Clock, Timer } from '../clock.js'
import { asWaybillError, type WaybillError } from '../errors.js'

const firstDelayMs = 1_000
const delayMsMax = 8_000
/** Heartbeats after which the broker must have noticed, and a little more. */
const heartbeats = 3
const patienceMsMin = 30_000

export interface LockedHome {
  readonly clock: Clock
  /** Declares the queue, its bindings and its consumers. Rejects with the first error of the queue itself. */
  restoreQueue(queue: string): Promise<void>
  /** It is too late, or it will never be ours. */
  giveUp(queue: string, error: WaybillError): void
}

export class LockedQueues {
  readonly #home: LockedHome
  readonly #deadline: number
  #queues: readonly string[]
  #timer: Timer | undefined
  #delayMs = firstDelayMs
  #stopped = false

  constructor(home: LockedHome, queues: readonly string[], heartbeatMs: number) {
    this.#home = home
    this.#queues = queues
    this.#deadline = home.clock.now() + Math.max(patienceMsMin, heartbeats * heartbeatMs)
    this.#arm()
  }

  /** The connection is lost, or ends: the next one starts anew. */
  stop(): void {
    this.#stopped = true
    if (this.#timer !== undefined) this.#home.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(): void {
    this.#timer = this.#home.clock.setTimeout(() => this.#tryAll(), this.#delayMs)
    this.#delayMs = Math.min(delayMsMax, this.#delayMs * 2)
  }

  async #tryAll(): Promise<void> {
    this.#timer = undefined
    const outcomes = await Promise.all(this.#queues.map((queue) => this.#try(queue)))
    if (this.#stopped) return
    const locked = this.#queues.filter((_, i) => outcomes[i] !== undefined)
    const isLate = this.#home.clock.now() >= this.#deadline
    this.#queues = locked.filter((queue) => {
      const error = outcomes[this.#queues.indexOf(queue)] as WaybillError
      if (!isLate && error.code === 'RESOURCE_LOCKED') return true
      this.#home.giveUp(queue, error)
      return false
    })
    if (this.#queues.length > 0) this.#arm()
  }

  /** The error, or undefined. */
  async #try(queue: string): Promise<WaybillError | undefined> {
    try {
      await this.#home.restoreQueue(queue)
      return undefined
    } catch (error) {
      return asWaybillError(error, 'RESTORE_FAILED')
    }
  }
}
