/**
 * Where a message goes: its exchange, the exchanges bound to that, and the queues bound to those. Cycles are allowed;
 * an exchange is visited once, a queue gets the message once. An exchange with no binding for the message passes it
 * to its alternate exchange.
 */
import { ErrorCode, type Headers } from '@waybill/protocol'
import { Exchange, type Target } from '../exchanges/exchange.js'
import type { Queue } from '../queues/queue.js'

export interface Route {
  readonly queues: readonly Queue[]
  /** Of `queues`, those that are kept by a journal. */
  readonly kept: readonly Queue[]
  /** The exchange published to; undefined for the default exchange. */
  readonly exchange: Exchange | undefined
  /** Code of `spec/errors.json` if nobody may publish there, else 0. */
  readonly refusal: number
  readonly detail: string
  /** It depends on the headers too: not to be kept by key alone. */
  readonly dynamic: boolean
}

export interface Names {
  exchange(name: string): Exchange | undefined
  queue(name: string): Queue | undefined
}

/** Finds the route of a message. `headers` is called only when an exchange on the way asks for them. */
export function findRoute(names: Names, exchangeName: string, key: string, headers: () => Headers): Route {
  if (exchangeName === '') {
    const queue = names.queue(key)
    return routeTo(queue === undefined ? [] : [queue], undefined, false)
  }
  const first = names.exchange(exchangeName)
  if (first === undefined) return refused(ErrorCode.notFound.code, `no exchange '${exchangeName}'; declare it first`, undefined)
  if (first.options.internal) {
    return refused(ErrorCode.forbidden.code, `exchange '${exchangeName}' is internal; publish to an exchange that is bound to it`, first)
  }
  const queues = new Set<Queue>()
  const seen = new Set<Exchange>([first])
  const matched = new Set<Target>()
  let dynamic = false
  for (const exchange of seen) {
    matched.clear()
    const { matcher, options } = exchange
    if (matcher.needsHeaders) dynamic = true
    matcher.match(key, matcher.needsHeaders ? headers() : undefined, matched)
    for (const target of matched) {
      if (target instanceof Exchange) seen.add(target)
      else queues.add(target)
    }
    if (matched.size === 0 && options.alternate !== undefined) {
      const alternate = names.exchange(options.alternate)
      if (alternate !== undefined) seen.add(alternate)
    }
  }
  return routeTo([...queues], first, dynamic)
}

function routeTo(queues: readonly Queue[], exchange: Exchange | undefined, dynamic: boolean): Route {
  return { queues, kept: queues.filter(({ keptId }) => keptId !== 0), exchange, refusal: 0, detail: '', dynamic }
}

function refused(refusal: number, detail: string, exchange: Exchange | undefined): Route {
  return { queues: [], kept: [], exchange, refusal, detail, dynamic: false }
}
