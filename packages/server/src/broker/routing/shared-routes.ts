/**
 * Routes to the same queues, one object each. Keys are many and the sets of queues that they lead to few: so there is less to hold, and what is looked
 * at again and again stays near.
 */
import type { Exchange } from '../exchanges/exchange.js'
import type { Queue } from '../queues/queue.js'
import { type Route, routeTo } from './route.js'

/** When there are so many, it begins anew: what is not shared is right too. */
const countMax = 32_768

export class SharedRoutes {
  /** By a hash of exchange and queues; of two with the same hash the later one is here. */
  readonly #routes = new Map<number, Route>()
  /** Of exchanges and queues, for the hash. */
  readonly #numbers = new Map<Exchange | Queue | undefined, number>()

  get size(): number {
    return this.#routes.size
  }

  /** The route from an exchange, undefined for the default exchange, to the first `count` of `queues`, in this order. */
  find(exchange: Exchange | undefined, queues: readonly Queue[], count: number): Route {
    let hash = this.#numberOf(exchange)
    for (let i = 0; i < count; i++) hash = Math.imul(hash ^ (hash >>> 15) ^ this.#numberOf(queues[i]), 0x85ebca6b)
    const known = this.#routes.get(hash)
    if (known !== undefined && leadsTo(known, exchange, queues, count)) return known
    if (this.#routes.size >= countMax) this.#routes.clear()
    const route = routeTo(queues.slice(0, count), exchange, false)
    this.#routes.set(hash, route)
    return route
  }

  forget(): void {
    this.#routes.clear()
    this.#numbers.clear()
  }

  #numberOf(target: Exchange | Queue | undefined): number {
    const known = this.#numbers.get(target)
    if (known !== undefined) return known
    const number = this.#numbers.size + 1
    this.#numbers.set(target, number)
    return number
  }
}

function leadsTo(route: Route, exchange: Exchange | undefined, queues: readonly Queue[], count: number): boolean {
  if (route.exchange !== exchange || route.queues.length !== count) return false
  for (let i = 0; i < count; i++) if (route.queues[i] !== queues[i]) return false
  return true
}
