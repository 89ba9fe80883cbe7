import assert from 'node:assert'
import t from 'tap'
import { TopicTrie } from '../../../dist/broker/exchanges/topic-trie.js'
import { forSeeds, type Random } from '../../seeds.js'

/** The definition, read aloud: no tree, no state, exponential in the number of `#`. */
function matches(pattern: string, key: string): boolean {
  const words = (text: string) => (text === '' ? [] : text.split('.'))
  const from = (p: string[], k: string[]): boolean => {
    const [first, ...rest] = p
    if (first === undefined) return k.length === 0
    if (first === '#') return from(rest, k) || (k.length > 0 && from(p, k.slice(1)))
    return k.length > 0 && (first === '*' || first === k[0]) && from(rest, k.slice(1))
  }
  return from(words(pattern), words(key))
}

function targetsOf(trie: TopicTrie<string>, key: string): string[] {
  const found = new Set<string>()
  trie.match(key, found)
  return [...found].sort()
}

function trieOf(...patterns: string[]): TopicTrie<string> {
  const trie = new TopicTrie<string>()
  for (const pattern of patterns) trie.add(pattern, pattern)
  return trie
}

t.test('topic - a star is exactly one word', async (t) => {
  const trie = trieOf('logs.*.error', '*', '*.*')
  t.same(targetsOf(trie, 'logs.db.error'), ['logs.*.error'])
  t.same(targetsOf(trie, 'logs.error'), ['*.*'])
  t.same(targetsOf(trie, 'logs'), ['*'])
  t.same(targetsOf(trie, 'logs.a.b.error'), [])
})

t.test('topic - a hash is any number of words, none included', async (t) => {
  const trie = trieOf('#', 'a.#', '#.b', 'a.#.b')
  t.same(targetsOf(trie, 'a'), ['#', 'a.#'])
  t.same(targetsOf(trie, 'a.b'), ['#', '#.b', 'a.#', 'a.#.b'])
  t.same(targetsOf(trie, 'a.x.y.b'), ['#', '#.b', 'a.#', 'a.#.b'])
  t.same(targetsOf(trie, 'b.a'), ['#'])
})

t.test('topic - an empty key has no word, an empty word is a word', async (t) => {
  const trie = trieOf('', '#', '*', '.', '*.*', 'a..b', 'a.*.b')
  t.same(targetsOf(trie, ''), ['', '#'])
  t.same(targetsOf(trie, '.'), ['#', '*.*', '.'])
  t.same(targetsOf(trie, 'a..b'), ['#', 'a.*.b', 'a..b'])
})

t.test('topic - wildcards in a key are words like others', async (t) => {
  const trie = trieOf('a.*', 'a.b', 'a.#')
  t.same(targetsOf(trie, 'a.#'), ['a.#', 'a.*'])
  t.same(targetsOf(trie, '*.b'), [])
})

t.test('topic - names of object properties are words like others', async (t) => {
  const trie = trieOf('__proto__.constructor', 'toString')
  t.same(targetsOf(trie, '__proto__.constructor'), ['__proto__.constructor'])
  t.same(targetsOf(trie, '__proto__'), [])
  t.same(targetsOf(trie, 'valueOf'), [])
})

t.test('topic - the same binding twice is one, and removing it leaves nothing behind', async (t) => {
  const trie = new TopicTrie<string>()
  t.equal(trie.add('a.*.#', 'q'), true)
  t.equal(trie.add('a.*.#', 'q'), false)
  t.equal(trie.add('a.*', 'q'), true)
  t.equal(trie.size, 2)
  t.equal(trie.remove('a.*.#', 'other'), false)
  t.equal(trie.remove('a', 'q'), false)
  t.equal(trie.remove('a.b.c', 'q'), false)
  t.equal(trie.remove('a.*.#', 'q'), true)
  t.same(targetsOf(trie, 'a.b'), ['q'])
  t.equal(trie.remove('a.*', 'q'), true)
  t.equal(trie.nodeCount, 1)
  trie.invariants()
})

const alphabet = ['a', 'b', '', 'order', '*', '#']

function randomWords(random: Random, wildcards: boolean): string {
  const count = random.below(7)
  return Array.from({ length: count }, () => alphabet[random.below(wildcards || random.chance(0.05) ? 6 : 4)]!).join('.')
}

t.test('topic - random bindings and keys give what the definition gives', async (t) => {
  await forSeeds(t, 60, (random) => {
    const trie = new TopicTrie<number>()
    const bound = new Map<string, Set<number>>()
    for (let step = 0; step < 400; step++) {
      const kind = random.next()
      const pattern = bound.size > 0 && random.chance(0.4) ? random.pick([...bound.keys()]) : randomWords(random, true)
      const target = random.below(8)
      if (kind < 0.3) {
        const isNew = !bound.get(pattern)?.has(target)
        assert.equal(trie.add(pattern, target), isNew)
        bound.set(pattern, (bound.get(pattern) ?? new Set()).add(target))
      } else if (kind < 0.5) {
        assert.equal(trie.remove(pattern, target), bound.get(pattern)?.delete(target) ?? false)
        if (bound.get(pattern)?.size === 0) bound.delete(pattern)
      } else {
        const key = randomWords(random, false)
        const expected = new Set<number>()
        for (const [p, targets] of bound) if (matches(p, key)) for (const each of targets) expected.add(each)
        const found = new Set<number>()
        trie.match(key, found)
        assert.deepEqual([...found].sort(), [...expected].sort(), `key '${key}' with ${[...bound.keys()].join(' | ')}`)
      }
      trie.invariants()
    }
    for (const [pattern, targets] of bound) for (const target of targets) assert(trie.remove(pattern, target))
    assert.equal(trie.nodeCount, 1)
  })
})

t.test('topic - a key costs at most its words times the nodes, whatever the patterns', async (t) => {
  const unkind = ['#.a.#.a.#', '*.#.*.#', '#.#.#.#', '#.*.#.*.#.*', `${'#.a.'.repeat(60)}#`, `${'#.*.'.repeat(60)}#`]
  for (const pattern of unkind) {
    const trie = trieOf(pattern)
    for (const wordCount of [8, 16, 32, 64, 128]) {
      const before = trie.visitedCount
      targetsOf(trie, Array.from({ length: wordCount }, () => 'a').join('.'))
      t.ok(trie.visitedCount - before <= (wordCount + 1) * trie.nodeCount, `${pattern.slice(0, 20)} with ${wordCount} words`)
    }
  }
})

t.test('topic - bindings that cannot match are not visited', async (t) => {
  const trie = new TopicTrie<number>()
  for (let i = 0; i < 10_000; i++) trie.add(`region${i}.*.created`, i)
  targetsOf(trie as unknown as TopicTrie<string>, 'region77.order.created')
  t.equal(trie.visitedCount, 4)
})
