/**
 * Where a message goes: its exchange, the exchanges bound to that, and the queues bound to those. Cycles are allowed;
 * an exchange is visited once, a queue gets the message once. An exchange with no binding for the message passes it
 * to its alternate exchange.
 *
 * Most keys lead to one queue or to none, and all keys of an exchange that do share one route: a million of them cost no more.
 */
import { checkRecordNames, ErrorCode, type Headers, readHeaders } from '@waybill/protocol'
import type { Exchange } from '../exchanges/exchange.js'
import type { Queue } from '../queues/queue.js'
import { readNames } from './names.js'
import { malformedNames, refusedRoute, type Route, routeTo } from './route.js'
import { Walk } from './walk.js'

/** What there is in a virtual host. */
export interface Names {
  exchange(name: string): Exchange | undefined
  queue(name: string): Queue | undefined
}

export class Router {
  readonly #names: Names
  readonly #walk = new Walk()
  /** Routes to one queue (or none) by exchange and queue; undefined is the default exchange, or no queue. */
  readonly #shared = new Map<Exchange | undefined, Map<Queue | undefined, Route>>()

  constructor(names: Names) {
    this.#names = names
  }

  /** The route of the record at `at`, whose parts are good (`checkRecordParts`). Its headers are read only when an exchange on the way asks for them. */
  route(bytes: Uint8Array, at: number): Route {
    if (checkRecordNames(bytes, at) !== 0) return malformedNames
    const { exchange, routingKey } = readNames(bytes, at)
    if (exchange === '') return this.#sharedRoute(undefined, this.#names.queue(routingKey))
    const first = this.#names.exchange(exchange)
    if (first === undefined) return refusedRoute(ErrorCode.notFound.code, `no exchange '${exchange}'; declare it first`, undefined)
    if (first.options.internal) {
      const detail = `exchange '${exchange}' is internal; publish to an exchange that is bound to it`
      return refusedRoute(ErrorCode.forbidden.code, detail, first)
    }
    const isDynamic = this.#follow(first, routingKey, bytes, at)
    const { queues, queueCount } = this.#walk
    if (isDynamic || queueCount > 1) return routeTo(queues.slice(0, queueCount), first, isDynamic)
    return this.#sharedRoute(first, queueCount === 0 ? undefined : queues[0])
  }

  /** Names or bindings are others now. */
  forget(): void {
    this.#shared.clear()
    this.#walk.forget()
  }

  /** Walks from the first exchange to all queues. Whether headers have been looked at on the way. */
  #follow(first: Exchange, key: string, bytes: Uint8Array, at: number): boolean {
    const walk = this.#walk
    let headers: Headers | undefined
    walk.begin(first)
    for (let i = 0; i < walk.exchangeCount; i++) {
      const { matcher, options } = walk.exchanges[i]
      const before = walk.addedCount
      if (matcher.needsHeaders) headers ??= readHeaders(bytes, at)
      matcher.match(key, headers, walk)
      if (walk.addedCount > before || options.alternate === undefined) continue
      const alternate = this.#names.exchange(options.alternate)
      if (alternate !== undefined) walk.add(alternate)
    }
    return headers !== undefined
  }

  #sharedRoute(exchange: Exchange | undefined, queue: Queue | undefined): Route {
    let shared = this.#shared.get(exchange)
    if (shared === undefined) {
      shared = new Map()
      this.#shared.set(exchange, shared)
    }
    let route = shared.get(queue)
    if (route === undefined) {
      route = routeTo(queue === undefined ? [] : [queue], exchange, false)
      shared.set(queue, route)
    }
    return route
  }
}
