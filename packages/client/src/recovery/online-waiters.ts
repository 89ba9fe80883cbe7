/** Calls that wait for a connection: until there is one, until their deadline, or until there will be none. */
import type { Clock, Timer } from '../clock.js'
import type { WaybillError } from '../errors.js'
import type { Link } from '../session/link.js'
import { offlineError } from './refusals.js'

interface Waiter {
  readonly resolve: (link: Link) => void
  readonly reject: (error: WaybillError) => void
  timer: Timer | undefined
}

export class OnlineWaiters {
  readonly #clock: Clock
  #waiters = new Set<Waiter>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Rejects with `OFFLINE` at the deadline; Infinity: never. */
  wait(deadline: number): Promise<Link> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, timer: undefined }
      this.#waiters.add(waiter)
      if (deadline === Infinity) return
      const expire = (): void => {
        this.#waiters.delete(waiter)
        reject(offlineError())
      }
      waiter.timer = this.#clock.setTimeout(expire, Math.max(0, deadline - this.#clock.now()))
    })
  }

  resolve(link: Link): void {
    for (const { resolve } of this.#takeAll()) resolve(link)
  }

  reject(error: WaybillError): void {
    for (const { reject } of this.#takeAll()) reject(error)
  }

  #takeAll(): Waiter[] {
    const waiters = [...this.#waiters]
    this.#waiters = new Set()
    for (const { timer } of waiters) if (timer !== undefined) this.#clock.clearTimeout(timer)
    return waiters
  }
}
