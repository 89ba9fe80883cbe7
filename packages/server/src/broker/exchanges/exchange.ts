import type { Queue } from '../queues/queue.js'
import { type Matcher, makeMatcher } from './matcher.js'

export const exchangeTypes = ['direct', 'fanout', 'topic', 'headers'] as const
export type ExchangeType = (typeof exchangeTypes)[number]

export interface ExchangeOptions {
  readonly type: ExchangeType
  readonly durable: boolean
  readonly autoDelete: boolean
  /** Publishers may not use it; it is fed by bindings alone. */
  readonly internal: boolean
  /** The exchange that gets what this one has no binding for. */
  readonly alternate: string | undefined
}

/** What a binding leads to. */
export type Target = Queue | Exchange

/** One exchange: its bindings, by type. It decides which targets a message goes to, and knows nothing of delivery. */
export class Exchange {
  readonly name: string
  readonly options: ExchangeOptions
  readonly matcher: Matcher<Target>
  deleted = false
  /** The walk that last came here: see routing/walk.ts. */
  walk = 0
  publishedCount = 0
  unroutableCount = 0

  constructor(name: string, options: ExchangeOptions) {
    this.name = name
    this.options = options
    this.matcher = makeMatcher<Target>(options.type)
  }
}
