/**
 * What leads from an exchange to a target, and what every kind of exchange can do with such bindings. Targets are told apart by
 * identity; an exchange does not know what they are.
 */
import type { Headers } from '@waybill/protocol'

export interface Binding<T> {
  readonly key: string
  /** Looked at by exchanges of the type headers alone; who makes bindings refuses them elsewhere. */
  readonly headers?: Headers
  /** `all` if not given. */
  readonly match?: 'all' | 'any'
  readonly target: T
}

/** What `match` adds targets to: a Set, or anything like it. A target bound by several bindings that match may be added for each. */
export interface TargetSink<T> {
  add(target: T): unknown
}

/** The bindings of one exchange. The same binding twice is one. */
export interface Matcher<T> {
  /** Whether `match` looks at headers: then what it gives cannot be remembered by key alone. */
  readonly needsHeaders: boolean
  readonly size: number
  /** False if it is there already. */
  add(binding: Binding<T>): boolean
  /** False if it is not there. */
  remove(binding: Binding<T>): boolean
  /** Takes away all bindings to a target, at their own cost, whatever else is bound; returns how many there were. */
  removeTarget(target: T): number
  /** How many bindings lead to a target. */
  countOf(target: T): number
  /** Adds every target that the message goes to. */
  match(key: string, headers: Headers | undefined, into: TargetSink<T>): void
  /** All bindings, those of one target together. */
  bindings(): Iterable<Binding<T>>
}
