/**
 * The bindings of one topic exchange, as a tree of words:
 *
 *     logs.*.error        root ─ logs ─ * ─ error ● q1
 *     logs.#                      └─ # ● q2
 *
 * A key and a pattern are words parted by dots. `*` stands for exactly one word, `#` for any number of words, none included. A word
 * may be empty (`a..b` has three); the empty key has no word at all, so that `#` matches it and `*` does not.
 *
 * Matching reads the key once, word by word, and keeps the set of nodes still alive. A node is in the set once, so the cost is at
 * most words × nodes; the usual recursive walk repeats itself without bound on patterns such as `#.a.#.a.#`.
 */
import assert from 'node:assert'
import type { TargetSink } from './binding.js'

class Node<T> {
  readonly parent: Node<T> | undefined
  readonly word: string
  /** By word, without the wildcards. */
  children: Map<string, Node<T>> | undefined = undefined
  star: Node<T> | undefined = undefined
  hash: Node<T> | undefined = undefined
  targets: Set<T> | undefined = undefined
  readonly isHash: boolean
  /** The step of matching that this node was last found alive in. */
  step = 0

  constructor(parent: Node<T> | undefined, word: string) {
    this.parent = parent
    this.word = word
    this.isHash = parent !== undefined && word === '#'
  }

  child(word: string): Node<T> | undefined {
    return word === '*' ? this.star : word === '#' ? this.hash : this.children?.get(word)
  }

  addChild(word: string): Node<T> {
    const node = new Node<T>(this, word)
    if (word === '*') this.star = node
    else if (word === '#') this.hash = node
    else {
      this.children ??= new Map()
      this.children.set(word, node)
    }
    return node
  }

  removeChild(word: string): void {
    if (word === '*') this.star = undefined
    else if (word === '#') this.hash = undefined
    else if (this.children!.delete(word) && this.children!.size === 0) this.children = undefined
  }

  get isEmpty(): boolean {
    return this.targets === undefined && this.children === undefined && this.star === undefined && this.hash === undefined
  }
}

export class TopicTrie<T> {
  readonly #root = new Node<T>(undefined, '')
  /** The nodes alive before and behind a word; lists that are used again and again, and never made shorter: that would take their memory away. */
  #alive: Node<T>[] = []
  #found: Node<T>[] = []
  #step = 0
  #visitedCount = 0
  #nodeCount = 1
  #size = 0

  /** How many bindings there are. */
  get size(): number {
    return this.#size
  }

  /** How many nodes they take, the root included. */
  get nodeCount(): number {
    return this.#nodeCount
  }

  /** How many nodes all matching so far has visited: what it costs, for tests and profiles. */
  get visitedCount(): number {
    return this.#visitedCount
  }

  /** False if it is there already. */
  add(pattern: string, target: T): boolean {
    let node = this.#root
    for (const word of wordsOf(pattern)) {
      let child = node.child(word)
      if (child === undefined) {
        child = node.addChild(word)
        this.#nodeCount++
      }
      node = child
    }
    if (node.targets === undefined) node.targets = new Set([target])
    else if (node.targets.has(target)) return false
    else node.targets.add(target)
    this.#size++
    return true
  }

  /** False if it is not there. Nodes that no binding needs any more go with it. */
  remove(pattern: string, target: T): boolean {
    let node: Node<T> | undefined = this.#root
    for (const word of wordsOf(pattern)) {
      node = node.child(word)
      if (node === undefined) return false
    }
    if (node.targets === undefined || !node.targets.delete(target)) return false
    if (node.targets.size === 0) node.targets = undefined
    while (node.parent !== undefined && node.isEmpty) {
      node.parent.removeChild(node.word)
      this.#nodeCount--
      node = node.parent
    }
    this.#size--
    return true
  }

  /** Adds the targets of every pattern that the key matches. */
  match(key: string, into: TargetSink<T>): void {
    let alive = this.#alive
    let found = this.#found
    let step = ++this.#step
    let count = find(this.#root, found, 0, step)
    for (let at = 0, dot = 0; count > 0 && dot >= 0 && key !== ''; at = dot + 1) {
      dot = key.indexOf('.', at)
      const word = dot < 0 ? key.slice(at) : key.slice(at, dot)
      const before = alive
      const aliveCount = count
      alive = found
      found = before
      count = 0
      step++
      for (let i = 0; i < aliveCount; i++) {
        const node = alive[i]!
        const child = node.children?.get(word)
        if (child !== undefined) count = find(child, found, count, step)
        if (node.star !== undefined) count = find(node.star, found, count, step)
        if (node.isHash) count = find(node, found, count, step)
      }
      this.#visitedCount += aliveCount
    }
    this.#visitedCount += count
    for (let i = 0; i < count; i++) {
      const targets = found[i]!.targets
      if (targets !== undefined) for (const target of targets) into.add(target)
    }
    this.#alive = alive
    this.#found = found
    this.#step = step
  }

  invariants(): void {
    let nodes = 0
    let bindings = 0
    const waiting = [this.#root]
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      nodes++
      bindings += node.targets?.size ?? 0
      if (node !== this.#root) assert(!node.isEmpty, 'a node is needed by some binding')
      if (node.targets !== undefined) assert(node.targets.size > 0)
      const children = [...(node.children?.values() ?? []), ...(node.star ? [node.star] : []), ...(node.hash ? [node.hash] : [])]
      for (const child of children) assert(child.parent === node && node.child(child.word) === child)
      waiting.push(...children)
    }
    assert.equal(nodes, this.#nodeCount)
    assert.equal(bindings, this.#size)
  }
}

/** Finds a node, and with it the `#` below it and below that, as they stand for no word too. Returns how many are found now. */
function find<T>(first: Node<T>, found: Node<T>[], count: number, step: number): number {
  for (let node: Node<T> | undefined = first; node !== undefined && node.step !== step; node = node.hash) {
    node.step = step
    found[count++] = node
  }
  return count
}

const noWords: readonly string[] = []

function wordsOf(key: string): readonly string[] {
  return key === '' ? noWords : key.split('.')
}
