import assert from 'node:assert'
import t from 'tap'
import { NamePatterns } from '../../dist/auth/name-patterns.js'
import { forSeeds, type Random } from '../seeds.js'

function covers(pattern: string, name: string): boolean {
  return new NamePatterns([pattern]).includes(name)
}

/** The definition: try every length for a star. */
function coversByDefinition(pattern: string, name: string): boolean {
  if (pattern === '') return name === ''
  if (pattern[0] === '*') return coversByDefinition(pattern.slice(1), name) || (name !== '' && coversByDefinition(pattern, name.slice(1)))
  return pattern[0] === name[0] && coversByDefinition(pattern.slice(1), name.slice(1))
}

t.test('patterns - a star is any run of characters, all else is itself', async (t) => {
  t.ok(covers('orders.*', 'orders.'))
  t.ok(covers('orders.*', 'orders.eu.new'))
  t.notOk(covers('orders.*', 'orders'))
  t.ok(covers('*', ''))
  t.ok(covers('a*b*c', 'a-b-b-c'))
  t.notOk(covers('a*b*c', 'a-c-b'))
  t.notOk(covers('ab*ba', 'aba'), 'prefix and suffix do not share characters')
  t.notOk(covers('orders.+', 'orders.x'))
  t.ok(covers('[a-z]', '[a-z]'))
  t.ok(covers('', ''))
  t.notOk(covers('', 'a'))
})

t.test('patterns - a list includes what any of it covers, an empty list nothing', async (t) => {
  t.ok(new NamePatterns(['a', 'b*']).includes('bee'))
  t.notOk(new NamePatterns([]).includes(''))
  t.ok(new NamePatterns(['__proto__']).includes('__proto__'))
  t.notOk(new NamePatterns(['a']).includes('constructor'))
})

t.test('patterns - random patterns and names give what the definition gives', async (t) => {
  const text = (random: Random, characters: string, size: number) =>
    Array.from({ length: random.below(size) }, () => random.pick([...characters])).join('')
  await forSeeds(t, 30, (random) => {
    for (let i = 0; i < 500; i++) {
      const pattern = text(random, 'aab*', 9)
      const name = text(random, 'aab', 13)
      assert.equal(covers(pattern, name), coversByDefinition(pattern, name), `${pattern} ${name}`)
    }
  })
})

t.test('patterns - the longest and unkindest cost less than a millisecond', async (t) => {
  const unkind: [string, string][] = [
    ['*a'.repeat(127), 'a'.repeat(254)],
    [`*${'a'.repeat(126)}b*`, 'a'.repeat(255)],
    [`${'*ab'.repeat(84)}*c`, 'ab'.repeat(127)],
    [`*${'ab'.repeat(60)}c*`, 'ab'.repeat(127)],
  ]
  for (const [pattern, name] of unkind) {
    const patterns = new NamePatterns([pattern])
    const start = process.hrtime.bigint()
    for (let i = 0; i < 200; i++) patterns.includes(name)
    t.ok(Number(process.hrtime.bigint() - start) / 200 < 1_000_000, `${pattern.slice(0, 10)}…`)
  }
})
