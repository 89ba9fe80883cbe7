/** Requests without an answer yet, by correlation id. Each is answered, or rejected: by its time, with its channel, with the link. */
import type { RequestName, ResultBodies } from '@waybill/protocol'
import type { Clock, Timer } from '../clock.js'
import { WaybillError } from '../errors.js'

export interface PendingRequest {
  readonly name: RequestName
  readonly channel: number
  readonly resolve: (result: never) => void
  readonly reject: (error: WaybillError) => void
  timer: Timer | undefined
}

const correlationMax = 0xffff_ffff

export class PendingRequests {
  readonly #clock: Clock
  readonly #host: string
  readonly #pending = new Map<number, PendingRequest>()
  #correlation = 0

  constructor(clock: Clock, host: string) {
    this.#clock = clock
    this.#host = host
  }

  /** A new one. `timeoutMs` 0: its time is somebody else's affair. */
  add<K extends RequestName>(
    name: K,
    channel: number,
    timeoutMs: number,
  ): { readonly correlation: number; readonly answer: Promise<ResultBodies[K]> } {
    const correlation = this.#nextCorrelation()
    const answer = new Promise<ResultBodies[K]>((resolve, reject) => {
      const pending: PendingRequest = { name, channel, resolve, reject, timer: undefined }
      this.#pending.set(correlation, pending)
      if (timeoutMs > 0) pending.timer = this.#clock.setTimeout(() => this.#expire(correlation, timeoutMs), timeoutMs)
    })
    return { correlation, answer }
  }

  /** Takes out the one that an answer belongs to; undefined when nobody waits for it any more. */
  take(correlation: number): PendingRequest | undefined {
    const pending = this.#pending.get(correlation)
    if (pending === undefined) return undefined
    this.#pending.delete(correlation)
    if (pending.timer !== undefined) this.#clock.clearTimeout(pending.timer)
    return pending
  }

  /** Rejects all, or those of one channel. */
  rejectAll(error: WaybillError, channel?: number): void {
    for (const [correlation, pending] of this.#pending) {
      if (channel === undefined || pending.channel === channel) this.take(correlation)?.reject(error)
    }
  }

  #expire(correlation: number, timeoutMs: number): void {
    const pending = this.take(correlation)
    if (pending === undefined) return
    const message = `${this.#host} has not answered ${pending.name} within ${timeoutMs} ms`
    pending.reject(new WaybillError('TIMEOUT', message, { retryable: true }))
  }

  #nextCorrelation(): number {
    do {
      this.#correlation = this.#correlation === correlationMax ? 1 : this.#correlation + 1
    } while (this.#pending.has(this.#correlation))
    return this.#correlation
  }
}
