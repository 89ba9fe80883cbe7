/**
 * The exchanges and bindings of the naive broker, as two lists, and routing by definition: looked through from the beginning
 * each time. Written from the specification alone [P-6.4]; nothing here is quick, remembered, or shared with the sources.
 */
import assert from 'node:assert'
import type { Headers, HeaderValue } from '@waybill/protocol'

export interface NaiveExchange {
  readonly name: string
  readonly type: 'direct' | 'fanout' | 'topic' | 'headers'
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly alternate: string | undefined
}

export interface NaiveTarget {
  readonly kind: 'queue' | 'exchange'
  readonly name: string
}

export interface NaiveBinding {
  readonly source: string
  readonly target: NaiveTarget
  readonly key: string
  readonly headers: Headers
  readonly match: 'all' | 'any'
}

export interface Refused {
  readonly error: string
  readonly differences?: readonly { option: string; wanted: unknown; actual: unknown }[]
}

export interface BindingOptions {
  readonly key?: string
  readonly headers?: Headers
  readonly match?: 'all' | 'any'
}

export class NaiveTopology {
  exchanges: NaiveExchange[] = []
  bindings: NaiveBinding[] = []

  declare(
    name: string,
    options: { type: NaiveExchange['type']; durable?: boolean; autoDelete?: boolean; internal?: boolean; alternate?: string },
  ): { created: boolean } | Refused {
    const { type, durable = true, autoDelete = false, internal = false, alternate } = options
    const wanted: NaiveExchange = { name, type, durable, autoDelete, internal, alternate }
    const there = this.#exchange(name)
    if (there !== undefined)
      return different(wanted, there, ['type', 'durable', 'autoDelete', 'internal', 'alternate']) ?? { created: false }
    this.exchanges.push(wanted)
    return { created: true }
  }

  check(name: string): NaiveExchange | Refused {
    return this.#exchange(name) ?? { error: 'notFound' }
  }

  delete(name: string, { ifUnused = false } = {}): { deleted: boolean } | Refused {
    const exchange = this.#exchange(name)
    if (exchange === undefined) return { deleted: false }
    if (ifUnused && this.bindings.some((binding) => binding.source === name)) return { error: 'preconditionFailed' }
    this.#removeExchange(name)
    return { deleted: true }
  }

  /** The target of a binding is there; who asks has made sure of it for queues. */
  bind(source: string, target: NaiveTarget, options: BindingOptions = {}): { created: boolean; bindingCount: number } | Refused {
    const binding = this.#binding(source, target, options)
    if ('error' in binding) return binding
    const created = !this.bindings.some((each) => isSameBinding(each, binding))
    if (created) this.bindings.push(binding)
    return { created, bindingCount: this.#bindingCount(target) }
  }

  unbind(source: string, target: NaiveTarget, options: BindingOptions = {}): { removed: boolean; bindingCount: number } | Refused {
    const binding = this.#binding(source, target, options)
    if ('error' in binding) return binding
    const removed = this.bindings.some((each) => isSameBinding(each, binding))
    this.#removeBindings((each) => isSameBinding(each, binding))
    return { removed, bindingCount: this.#bindingCount(target) }
  }

  /** A queue is gone, and with it its bindings. */
  queueRemoved(name: string): void {
    this.#removeBindings(({ target }) => target.kind === 'queue' && target.name === name)
  }

  /** Names of the queues that a message goes to, each once, or why it may not be published. */
  route(
    queues: readonly string[],
    message: { readonly exchange: string; readonly key: string; readonly headers: Headers },
  ): string[] | Refused {
    if (message.exchange === '') return queues.filter((queue) => queue === message.key)
    const first = this.#exchange(message.exchange)
    if (first === undefined) return { error: 'notFound' }
    if (first.internal) return { error: 'forbidden' }
    const reached: string[] = []
    const seen: string[] = []
    const waiting = [message.exchange]
    for (const name of waiting) {
      const exchange = this.#exchange(name)
      if (exchange === undefined || seen.includes(name)) continue
      seen.push(name)
      const taking = this.bindings.filter((binding) => binding.source === name && takes(exchange.type, binding, message))
      for (const { target } of taking) {
        if (target.kind === 'exchange') waiting.push(target.name)
        else if (!reached.includes(target.name)) reached.push(target.name)
      }
      if (taking.length === 0 && exchange.alternate !== undefined) waiting.push(exchange.alternate)
    }
    return reached
  }

  invariants(queues: readonly string[]): void {
    for (const { source, target } of this.bindings) {
      assert(this.#exchange(source) !== undefined)
      assert(target.kind === 'queue' ? queues.includes(target.name) : this.#exchange(target.name) !== undefined)
    }
  }

  #exchange(name: string): NaiveExchange | undefined {
    return this.exchanges.find((each) => each.name === name)
  }

  #binding(source: string, target: NaiveTarget, { key = '', headers, match }: BindingOptions): NaiveBinding | Refused {
    const exchange = this.#exchange(source)
    if (exchange === undefined) return { error: 'notFound' }
    if (target.kind === 'exchange' && this.#exchange(target.name) === undefined) return { error: 'notFound' }
    if (exchange.type !== 'headers' && (headers !== undefined || match !== undefined)) return { error: 'requestInvalid' }
    return { source, target, key, headers: headers ?? {}, match: match ?? 'all' }
  }

  #bindingCount({ kind, name }: NaiveTarget): number {
    return this.bindings.filter(({ target }) => target.kind === kind && target.name === name).length
  }

  /** An auto-delete exchange goes with the last of its bindings. */
  #removeBindings(isGone: (binding: NaiveBinding) => boolean): void {
    const gone = this.bindings.filter(isGone)
    this.bindings = this.bindings.filter((binding) => !gone.includes(binding))
    for (const { source } of gone) {
      if (this.#exchange(source)?.autoDelete && !this.bindings.some((binding) => binding.source === source)) this.#removeExchange(source)
    }
  }

  #removeExchange(name: string): void {
    this.exchanges = this.exchanges.filter((each) => each.name !== name)
    this.#removeBindings(({ source, target }) => source === name || (target.kind === 'exchange' && target.name === name))
  }
}

function isSameBinding(a: NaiveBinding, b: NaiveBinding): boolean {
  const [aNames, bNames] = [Object.keys(a.headers), Object.keys(b.headers)]
  return (
    a.source === b.source &&
    a.target.kind === b.target.kind &&
    a.target.name === b.target.name &&
    a.key === b.key &&
    a.match === b.match &&
    aNames.length === bNames.length &&
    aNames.every((name) => Object.hasOwn(b.headers, name) && isEqual(a.headers[name]!, b.headers[name]!))
  )
}

function takes(type: NaiveExchange['type'], binding: NaiveBinding, message: { readonly key: string; readonly headers: Headers }): boolean {
  switch (type) {
    case 'direct':
      return binding.key === message.key
    case 'fanout':
      return true
    case 'topic':
      return takesWords(wordsOf(binding.key), wordsOf(message.key))
    case 'headers': {
      const has = (name: string) => Object.hasOwn(message.headers, name) && isEqual(binding.headers[name]!, message.headers[name]!)
      const names = Object.keys(binding.headers)
      return binding.match === 'all' ? names.every(has) : names.some(has)
    }
  }
}

/** An empty key has no word. */
function wordsOf(key: string): string[] {
  return key === '' ? [] : key.split('.')
}

function takesWords([first, ...rest]: string[], words: string[]): boolean {
  if (first === undefined) return words.length === 0
  if (first === '#') return takesWords(rest, words) || (words.length > 0 && takesWords(['#', ...rest], words.slice(1)))
  return words.length > 0 && (first === '*' || first === words[0]) && takesWords(rest, words.slice(1))
}

function isEqual(a: HeaderValue, b: HeaderValue): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i])
  }
  const isNumber = (value: HeaderValue) => typeof value === 'number' || typeof value === 'bigint'
  // biome-ignore lint/suspicious/noDoubleEquals: 1 and 1n are one number on the wire
  return isNumber(a) && isNumber(b) ? a == b : a === b
}

/** The refusal of a second declare with other options, or undefined. */
export function different<T extends object>(wanted: T, actual: T, options: readonly (keyof T & string)[]): Refused | undefined {
  const differences = options
    .filter((option) => wanted[option] !== actual[option])
    .map((option) => ({ option, wanted: wanted[option] ?? null, actual: actual[option] ?? null }))
  return differences.length === 0 ? undefined : { error: 'preconditionFailed', differences }
}
