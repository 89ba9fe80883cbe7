import type { Binding, Matcher, TargetSink } from './binding.js'
import { KeyBindings } from './key-bindings.js'
import { TopicTrie } from './topic-trie.js'

/** A topic exchange: the targets bound by a pattern that the key of the message matches. */
export class TopicMatcher<T> implements Matcher<T> {
  readonly needsHeaders = false
  readonly #bindings = new KeyBindings<T>()
  readonly #trie = new TopicTrie<T>()

  get size(): number {
    return this.#bindings.size
  }

  add({ key, target }: Binding<T>): boolean {
    return this.#bindings.add(key, target) && this.#trie.add(key, target)
  }

  remove({ key, target }: Binding<T>): boolean {
    return this.#bindings.remove(key, target) && this.#trie.remove(key, target)
  }

  removeTarget(target: T): number {
    const patterns = this.#bindings.removeTarget(target)
    for (const pattern of patterns) this.#trie.remove(pattern, target)
    return patterns.size
  }

  countOf(target: T): number {
    return this.#bindings.keysOf(target).size
  }

  match(key: string, _headers: unknown, into: TargetSink<T>): void {
    this.#trie.match(key, into)
  }

  bindings(): Iterable<Binding<T>> {
    return this.#bindings
  }
}
