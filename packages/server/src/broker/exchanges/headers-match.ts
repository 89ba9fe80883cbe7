/**
 * A headers exchange: a binding names headers and values; a message goes to its target if it has all of them (`all`), or at
 * least one (`any`). Without headers, `all` matches every message and `any` none. The key only tells bindings apart.
 *
 * Values are equal if they are of one type and equal. Numbers are one type: 1 is equal to 1n, and to 1.0; NaN is equal to nothing.
 * Every name counts; there are no special ones.
 *
 *     pair        `fraud` = true   as one string, so that equal pairs are equal strings
 *     index       pair → the `any` bindings with it, and the `all` bindings that are filed under it
 *
 * An `all` binding is filed under that of its pairs which has the fewest bindings when it comes. So a message costs a look-up
 * for each of its headers and a check for each binding filed there, not one for each binding.
 */
import type { Headers, HeaderValue } from '@waybill/protocol'
import type { Binding, Matcher, TargetSink } from './binding.js'

interface Entry<T> {
  readonly binding: Binding<T>
  readonly pairs: readonly string[]
  readonly filedUnder: readonly string[]
}

export class HeadersMatcher<T> implements Matcher<T> {
  readonly needsHeaders = true
  readonly #entriesOf = new Map<T, Map<string, Entry<T>>>()
  readonly #index = new Map<string, Set<Entry<T>>>()
  readonly #always = new Set<Entry<T>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(binding: Binding<T>): boolean {
    const pairs = pairsOf(binding.headers)
    const identity = identityOf(binding, pairs)
    const entries = this.#entriesOf.get(binding.target) ?? new Map<string, Entry<T>>()
    if (entries.has(identity)) return false
    this.#entriesOf.set(binding.target, entries)
    const filedUnder = binding.match === 'any' ? pairs : pairs.length === 0 ? [] : [this.#rarest(pairs)]
    const entry = { binding, pairs, filedUnder }
    entries.set(identity, entry)
    this.#size++
    for (const pair of filedUnder) {
      const filed = this.#index.get(pair)
      if (filed === undefined) this.#index.set(pair, new Set([entry]))
      else filed.add(entry)
    }
    if (pairs.length === 0 && binding.match !== 'any') this.#always.add(entry)
    return true
  }

  remove(binding: Binding<T>): boolean {
    const entries = this.#entriesOf.get(binding.target)
    const identity = bindingIdentity(binding)
    const entry = entries?.get(identity)
    if (entries === undefined || entry === undefined) return false
    entries.delete(identity)
    if (entries.size === 0) this.#entriesOf.delete(binding.target)
    this.#unlink(entry)
    return true
  }

  removeTarget(target: T): number {
    const entries = this.#entriesOf.get(target)
    if (entries === undefined) return 0
    this.#entriesOf.delete(target)
    for (const entry of entries.values()) this.#unlink(entry)
    return entries.size
  }

  countOf(target: T): number {
    return this.#entriesOf.get(target)?.size ?? 0
  }

  match(_key: string, headers: Headers | undefined, into: TargetSink<T>): void {
    for (const { binding } of this.#always) into.add(binding.target)
    if (headers === undefined || this.#index.size === 0) return
    const present = new Set(pairsOf(headers, true))
    for (const pair of present) {
      const filed = this.#index.get(pair)
      if (filed === undefined) continue
      for (const { binding, pairs } of filed) {
        if (binding.match === 'any' || pairs.every((needed) => present.has(needed))) into.add(binding.target)
      }
    }
  }

  *bindings(): Iterable<Binding<T>> {
    for (const entries of this.#entriesOf.values()) for (const entry of entries.values()) yield entry.binding
  }

  #rarest(pairs: readonly string[]): string {
    const countOf = (pair: string) => this.#index.get(pair)?.size ?? 0
    return pairs.reduce((rarest, pair) => (countOf(pair) < countOf(rarest) ? pair : rarest))
  }

  #unlink(entry: Entry<T>): void {
    this.#size--
    this.#always.delete(entry)
    for (const pair of entry.filedUnder) {
      const filed = this.#index.get(pair)!
      filed.delete(entry)
      if (filed.size === 0) this.#index.delete(pair)
    }
  }
}

/** What tells a binding apart from others from its exchange to its target, whatever type that exchange has. */
export function bindingIdentity(binding: Omit<Binding<unknown>, 'target'>): string {
  return identityOf(binding, pairsOf(binding.headers))
}

/** Everything about it, but not the order of its headers. */
function identityOf(binding: Omit<Binding<unknown>, 'target'>, pairs: readonly string[]): string {
  return JSON.stringify([binding.match ?? 'all', binding.key, ...[...pairs].sort()])
}

/** With `comparable`, without those that are equal to nothing. */
function pairsOf(headers: Headers | undefined, comparable = false): readonly string[] {
  if (headers === undefined) return []
  const pairs: string[] = []
  for (const name of Object.keys(headers)) {
    const value = headers[name]!
    if (comparable && Number.isNaN(value)) continue
    pairs.push(`${JSON.stringify(name)} ${valueText(value)}`)
  }
  return pairs
}

/** A text that is the same for equal values and for no others; NaN, equal to nothing, has one that tells bindings apart. */
function valueText(value: HeaderValue): string {
  switch (typeof value) {
    case 'string':
      return `"${value}`
    case 'number':
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? String(BigInt(value)) : String(value === 0 ? 0 : value)
    case 'bigint':
    case 'boolean':
      return String(value)
    default:
      return value === null ? 'null' : `bytes ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')}`
  }
}
