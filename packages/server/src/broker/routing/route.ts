import { ErrorCode } from '@waybill/protocol'
import type { Exchange } from '../exchanges/exchange.js'
import type { Queue } from '../queues/queue.js'

/** Where messages of the same names go. */
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

export function routeTo(queues: readonly Queue[], exchange: Exchange | undefined, dynamic: boolean): Route {
  return { queues, kept: queues.filter(({ keptId }) => keptId !== 0), exchange, refusal: 0, detail: '', dynamic }
}

export function refusedRoute(refusal: number, detail: string, exchange: Exchange | undefined): Route {
  return { queues: [], kept: [], exchange, refusal, detail, dynamic: false }
}

/** Of a message whose exchange or key is not UTF-8. */
export const malformedNames: Route = {
  ...refusedRoute(ErrorCode.messageMalformed.code, 'the exchange or the routing key is not valid UTF-8', undefined),
  dynamic: true,
}
