/**
 * The topic workload: wildcard patterns over queues, and random keys, from a seed.
 *
 *     keys       w3.w11.w7.w42           four words
 *     patterns   w3.*.w7.*   *.w11.w7.*   w3.w11.#   *.w11.*.w42
 *
 * With 1,000 patterns a key reaches about three queues. `#` stands last and always for two words, so that NATS's `>`
 * (one word or more) means the same.
 */
export interface Binding {
  readonly queue: number
  readonly pattern: string
}

export interface Topics {
  readonly bindings: readonly Binding[]
  readonly keys: readonly string[]
}

const alphabets = [16, 16, 16, 64] as const

export function topicsOf(bindingCount: number, queueCount: number, keyCount: number, seed = 20_261_121): Topics {
  const random = randomOf(seed)
  const word = (place: number) => `w${Math.floor(random() * (alphabets[place] as number))}`
  const shapes = [
    () => `${word(0)}.*.${word(2)}.*`,
    () => `*.${word(1)}.${word(2)}.*`,
    () => `${word(0)}.${word(1)}.#`,
    () => `*.${word(1)}.*.${word(3)}`,
  ]
  const bindings: Binding[] = []
  const seen = new Set<string>()
  while (bindings.length < bindingCount) {
    const queue = bindings.length % queueCount
    const pattern = (shapes[Math.floor(random() * shapes.length)] as () => string)()
    if (seen.has(`${queue} ${pattern}`)) continue
    seen.add(`${queue} ${pattern}`)
    bindings.push({ queue, pattern })
  }
  const keys = new Set<string>()
  while (keys.size < keyCount) keys.add([0, 1, 2, 3].map(word).join('.'))
  return { bindings, keys: [...keys] }
}

/** For each key how many deliveries it causes: one for each queue, or one for each matching binding. */
export function deliveriesOf(topics: Topics, each: 'queue' | 'binding'): Uint16Array {
  const root = treeOf(topics.bindings)
  return Uint16Array.from(topics.keys, (key) => {
    const matches: Binding[] = []
    match(root, key.split('.'), 0, matches)
    return each === 'binding' ? matches.length : new Set(matches.map((binding) => binding.queue)).size
  })
}

interface Node {
  readonly next: Map<string, Node>
  readonly here: Binding[]
  readonly rest: Binding[]
}

function treeOf(bindings: readonly Binding[]): Node {
  const root: Node = { next: new Map(), here: [], rest: [] }
  for (const binding of bindings) {
    let node = root
    const words = binding.pattern.split('.')
    if (words.at(-1) === '#') words.pop()
    for (const word of words) {
      const next = node.next.get(word) ?? { next: new Map(), here: [], rest: [] }
      node.next.set(word, next)
      node = next
    }
    if (binding.pattern.endsWith('#')) node.rest.push(binding)
    else node.here.push(binding)
  }
  return root
}

function match(node: Node, words: readonly string[], at: number, matches: Binding[]): void {
  matches.push(...node.rest)
  if (at === words.length) {
    matches.push(...node.here)
    return
  }
  for (const word of [words[at] as string, '*']) {
    const next = node.next.get(word)
    if (next !== undefined) match(next, words, at + 1, matches)
  }
}

/** Numbers in 0..1 from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
