import type { Binding, Matcher, TargetSink } from './binding.js'
import { KeyBindings } from './key-bindings.js'

/** A fanout exchange: every target, whatever the key. Bindings by different keys are different ones all the same. */
export class FanoutMatcher<T> implements Matcher<T> {
  readonly needsHeaders = false
  readonly #bindings = new KeyBindings<T>()

  get size(): number {
    return this.#bindings.size
  }

  add({ key, target }: Binding<T>): boolean {
    return this.#bindings.add(key, target)
  }

  remove({ key, target }: Binding<T>): boolean {
    return this.#bindings.remove(key, target)
  }

  removeTarget(target: T): number {
    return this.#bindings.removeTarget(target).size
  }

  countOf(target: T): number {
    return this.#bindings.keysOf(target).size
  }

  match(_key: string, _headers: unknown, into: TargetSink<T>): void {
    for (const target of this.#bindings.targets()) into.add(target)
  }

  bindings(): Iterable<Binding<T>> {
    return this.#bindings
  }
}
