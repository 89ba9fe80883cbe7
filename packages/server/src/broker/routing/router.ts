/**
 * Where a message goes: its exchange, the exchanges bound to that, and the queues bound to those. Cycles are allowed;
 * an exchange is visited once, a queue gets the message once. An exchange with no binding for the message passes it
 * to its alternate exchange.
 */
import { checkRecordNames, ErrorCode, type Headers, readHeaders } from '@waybill/protocol'
import type { Exchange } from '../exchanges/exchange.js'
import type { Queue } from '../queues/queue.js'
import { readNames } from './names.js'
import { malformedNames, refusedRoute, type Route, routeTo } from './route.js'
import { SharedRoutes } from './shared-routes.js'
import { Walk } from './walk.js'

/** What there is in a virtual host. */
export interface Names {
  exchange(name: string): Exchange | undefined
  queue(name: string): Queue | undefined
}

export class Router {
  readonly #names: Names
  readonly #walk = new Walk()
  readonly #shared = new SharedRoutes()

  constructor(names: Names) {
    this.#names = names
  }

  /** The route of the record at `at`, whose parts are good (`checkRecordParts`). Its headers are read only when an exchange on the way asks for them. */
  route(bytes: Uint8Array, at: number): Route {
    if (checkRecordNames(bytes, at) !== 0) return malformedNames
    const { exchange, routingKey } = readNames(bytes, at)
    if (exchange === '') return this.#direct(routingKey)
    const first = this.#names.exchange(exchange)
    if (first === undefined) return refusedRoute(ErrorCode.notFound.code, `no exchange '${exchange}'; declare it first`, undefined)
    if (first.options.internal) {
      const detail = `exchange '${exchange}' is internal; publish to an exchange that is bound to it`
      return refusedRoute(ErrorCode.forbidden.code, detail, first)
    }
    const isDynamic = this.#follow(first, routingKey, bytes, at)
    const { queues, queueCount } = this.#walk
    return isDynamic ? routeTo(queues.slice(0, queueCount), first, true) : this.#shared.find(first, queues, queueCount)
  }

  /** Names or bindings are others now. */
  forget(): void {
    this.#shared.forget()
    this.#walk.forget()
  }

  /** By the default exchange: to the queue of this name. */
  #direct(name: string): Route {
    const walk = this.#walk
    const queue = this.#names.queue(name)
    walk.begin()
    if (queue !== undefined) walk.add(queue)
    return this.#shared.find(undefined, walk.queues, walk.queueCount)
  }

  /** Walks from the first exchange to all queues. Whether headers have been looked at on the way. */
  #follow(first: Exchange, key: string, bytes: Uint8Array, at: number): boolean {
    const walk = this.#walk
    let headers: Headers | undefined
    walk.begin()
    walk.add(first)
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
}
