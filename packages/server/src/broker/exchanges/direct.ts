import type { Binding, Matcher, TargetSink } from './binding.js'
import { KeyBindings } from './key-bindings.js'

/** A direct exchange: the targets that are bound by the very key of the message. */
export class DirectMatcher<T> implements Matcher<T> {
  readonly needsHeaders = false
  readonly #bindings = new KeyBindings<T>()
  readonly #targetsOf = new Map<string, Set<T>>()

  get size(): number {
    return this.#bindings.size
  }

  add({ key, target }: Binding<T>): boolean {
    if (!this.#bindings.add(key, target)) return false
    const targets = this.#targetsOf.get(key)
    if (targets === undefined) this.#targetsOf.set(key, new Set([target]))
    else targets.add(target)
    return true
  }

  remove({ key, target }: Binding<T>): boolean {
    if (!this.#bindings.remove(key, target)) return false
    this.#unlink(key, target)
    return true
  }

  removeTarget(target: T): number {
    const keys = this.#bindings.removeTarget(target)
    for (const key of keys) this.#unlink(key, target)
    return keys.size
  }

  countOf(target: T): number {
    return this.#bindings.keysOf(target).size
  }

  match(key: string, _headers: unknown, into: TargetSink<T>): void {
    const targets = this.#targetsOf.get(key)
    if (targets !== undefined) for (const target of targets) into.add(target)
  }

  bindings(): Iterable<Binding<T>> {
    return this.#bindings
  }

  #unlink(key: string, target: T): void {
    const targets = this.#targetsOf.get(key)!
    targets.delete(target)
    if (targets.size === 0) this.#targetsOf.delete(key)
  }
}
