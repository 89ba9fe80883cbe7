/**
 * Exchanges, bindings and queues as lists: what a naive broker would have of them, and where it would send a message. Every answer
 * is found by walking all there is. [P-6.4, P-6.5]
 */
import type { ErrorName } from '@waybill/protocol'
import type { ExpectedQueue } from './queue.js'

export interface ExchangeOptions {
  readonly type: 'direct' | 'fanout' | 'topic' | 'headers'
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly alternate: string | undefined
}

export interface ExpectedExchange extends ExchangeOptions {
  readonly name: string
}

export interface ExpectedBinding {
  readonly source: string
  readonly kind: 'queue' | 'exchange'
  readonly target: string
  readonly key: string
  readonly headers: ReadonlyMap<string, string>
  readonly match: 'all' | 'any'
}

export interface ExpectedRoute {
  readonly queues: readonly ExpectedQueue[]
  readonly refusal?: ErrorName
}

export class ExpectedNames {
  readonly exchanges = new Map<string, ExpectedExchange>()
  readonly queues = new Map<string, ExpectedQueue>()
  /** Rises with every change. */
  version = 0
  #bindings: ExpectedBinding[] = []

  get bindings(): readonly ExpectedBinding[] {
    return this.#bindings
  }

  route(exchange: string, key: string, headers: ReadonlyMap<string, string>): ExpectedRoute {
    if (exchange === '') {
      const queue = this.queues.get(key)
      return { queues: queue === undefined ? [] : [queue] }
    }
    const first = this.exchanges.get(exchange)
    if (first === undefined) return { queues: [], refusal: 'notFound' }
    if (first.internal) return { queues: [], refusal: 'forbidden' }
    const queues = new Set<ExpectedQueue>()
    const seen = new Set<ExpectedExchange>([first])
    for (const { name, type, alternate } of seen) {
      const matching = this.#bindings.filter((binding) => binding.source === name && matches(type, binding, key, headers))
      for (const { kind, target } of matching) {
        if (kind === 'queue') queues.add(this.queues.get(target)!)
        else seen.add(this.exchanges.get(target)!)
      }
      const next = alternate === undefined ? undefined : this.exchanges.get(alternate)
      if (matching.length === 0 && next !== undefined) seen.add(next)
    }
    return { queues: [...queues] }
  }

  addExchange(exchange: ExpectedExchange): void {
    this.version++
    this.exchanges.set(exchange.name, exchange)
  }

  addQueue(queue: ExpectedQueue): void {
    this.version++
    this.queues.set(queue.name, queue)
  }

  /** Names as they were. */
  restore(exchanges: Iterable<ExpectedExchange>, queues: Iterable<ExpectedQueue>, bindings: readonly ExpectedBinding[]): void {
    this.version++
    this.exchanges.clear()
    this.queues.clear()
    for (const exchange of exchanges) this.exchanges.set(exchange.name, exchange)
    for (const queue of queues) this.queues.set(queue.name, queue)
    this.#bindings = [...bindings]
  }

  bindingsFrom(exchange: string): number {
    return this.#bindings.filter((binding) => binding.source === exchange).length
  }

  bindingsTo(kind: 'queue' | 'exchange', target: string): number {
    return this.#bindings.filter((binding) => binding.kind === kind && binding.target === target).length
  }

  bind(binding: ExpectedBinding): boolean {
    if (this.#bindings.some((other) => isSame(other, binding))) return false
    this.version++
    this.#bindings.push(binding)
    return true
  }

  unbind(binding: ExpectedBinding): boolean {
    return this.#remove((other) => isSame(other, binding)) > 0
  }

  removeExchange(name: string): void {
    this.version++
    this.exchanges.delete(name)
    this.#bindings = this.#bindings.filter((binding) => binding.source !== name)
    this.#remove((binding) => binding.kind === 'exchange' && binding.target === name)
  }

  removeQueue(name: string): void {
    this.version++
    this.queues.delete(name)
    this.#remove((binding) => binding.kind === 'queue' && binding.target === name)
  }

  /** Takes bindings away, and the auto-delete exchanges that have none left because of it. Returns how many bindings. */
  #remove(gone: (binding: ExpectedBinding) => boolean): number {
    const removed = this.#bindings.filter(gone)
    if (removed.length > 0) this.version++
    this.#bindings = this.#bindings.filter((binding) => !gone(binding))
    for (const { source } of removed) {
      if (this.exchanges.get(source)?.autoDelete && this.bindingsFrom(source) === 0) this.removeExchange(source)
    }
    return removed.length
  }
}

function isSame(a: ExpectedBinding, b: ExpectedBinding): boolean {
  return identityOf(a) === identityOf(b)
}

function identityOf({ source, kind, target, key, headers, match }: ExpectedBinding): string {
  return JSON.stringify([source, kind, target, key, match, [...headers].sort(([a], [b]) => (a < b ? -1 : 1))])
}

function matches(type: ExchangeOptions['type'], binding: ExpectedBinding, key: string, headers: ReadonlyMap<string, string>): boolean {
  switch (type) {
    case 'direct':
      return binding.key === key
    case 'fanout':
      return true
    case 'topic':
      return topicMatches(wordsOf(binding.key), wordsOf(key))
    case 'headers': {
      const pairs = [...binding.headers]
      const holds = ([name, value]: [string, string]): boolean => headers.get(name) === value
      return binding.match === 'any' ? pairs.some(holds) : pairs.every(holds)
    }
  }
}

function topicMatches(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === '#') return topicMatches(rest, words) || (words.length > 0 && topicMatches(pattern, words.slice(1)))
  return words.length > 0 && (first === '*' || first === words[0]) && topicMatches(rest, words.slice(1))
}

function wordsOf(key: string): readonly string[] {
  return key === '' ? [] : key.split('.')
}
