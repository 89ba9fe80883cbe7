/** The names, keys and headers that simulated clients use: few, so that they meet, and some of them awkward. */
import type { Headers } from '@waybill/protocol'
import type { Random } from '../random.js'

export const exchangeTypes = ['direct', 'fanout', 'topic', 'headers'] as const
export type ExchangeType = (typeof exchangeTypes)[number]

const queueNames = ['mails', 'images', 'audit', 'q 4', 'constructor', '__proto__', 'größe', 'q8'] as const
const exchangeNames = ['orders', 'events', 'logs', 'fraud', 'toString', 'e6', 'e7', 'e8'] as const
const words = ['a', 'b', 'order', 'eu', '', 'ü'] as const
const patterns = ['#', '*', 'a.#', '#.b', '*.b', '#.a.#', 'a.*.b', '#.a.#.a.#', '', 'order.*', '*.*', '#.#', 'a..b'] as const

export class Vocabulary {
  readonly queues: readonly string[]
  readonly exchanges: readonly string[]

  constructor(random: Random) {
    this.queues = queueNames.slice(0, random.between(1, queueNames.length))
    this.exchanges = exchangeNames.slice(0, random.between(0, exchangeNames.length))
  }

  /** An exchange has a type of its own, by its name; now and then somebody is mistaken. */
  typeOf(exchange: string): ExchangeType {
    return exchangeTypes[Math.max(0, exchangeNames.indexOf(exchange as never)) % exchangeTypes.length]!
  }

  key(random: Random): string {
    return Array.from({ length: random.between(0, 4) }, () => random.pick(words)).join('.')
  }

  /** A key to bind with. */
  pattern(random: Random, type: ExchangeType): string {
    return type === 'topic' && random.chance(0.7) ? random.pick(patterns) : this.key(random)
  }

  headers(random: Random): Headers {
    const headers: Record<string, Headers[string]> = Object.create(null)
    for (const name of ['amount', 'country', 'vip', '__proto__']) if (random.chance(0.4)) headers[name] = headerValue(random, name)
    return headers
  }
}

function headerValue(random: Random, name: string): Headers[string] {
  switch (name) {
    case 'amount':
      return random.pick([1, 2, 2.5, 2n ** 60n, -1])
    case 'country':
      return random.pick(['eu', 'us', Buffer.from('eu')])
    case 'vip':
      return random.pick([true, false, null])
    default:
      return 'x'
  }
}
