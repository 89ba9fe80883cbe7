import type { Binding } from './binding.js'

/** The bindings of an exchange that are told apart by key and target, in the order of their targets. */
export class KeyBindings<T> {
  readonly #keysOf = new Map<T, Set<string>>()
  size = 0

  add(key: string, target: T): boolean {
    const keys = this.#keysOf.get(target) ?? new Set<string>()
    if (keys.has(key)) return false
    this.#keysOf.set(target, keys.add(key))
    this.size++
    return true
  }

  remove(key: string, target: T): boolean {
    const keys = this.#keysOf.get(target)
    if (keys === undefined || !keys.delete(key)) return false
    if (keys.size === 0) this.#keysOf.delete(target)
    this.size--
    return true
  }

  /** Takes a target away; returns the keys that it was bound by. */
  removeTarget(target: T): ReadonlySet<string> {
    const keys = this.keysOf(target)
    this.#keysOf.delete(target)
    this.size -= keys.size
    return keys
  }

  keysOf(target: T): ReadonlySet<string> {
    return this.#keysOf.get(target) ?? none
  }

  targets(): IterableIterator<T> {
    return this.#keysOf.keys()
  }

  *[Symbol.iterator](): Iterator<Binding<T>> {
    for (const [target, keys] of this.#keysOf) for (const key of keys) yield { key, target }
  }
}

const none: ReadonlySet<string> = new Set()
