import assert from 'node:assert'
import type { Headers } from '@waybill/protocol'
import t from 'tap'
import { type Binding, type Matcher, makeMatcher } from '../../../dist/broker/exchanges/matcher.js'
import { forSeeds, type Random } from '../../seeds.js'

function targets(matcher: Matcher<string>, key: string, headers?: Headers): string[] {
  const found = new Set<string>()
  matcher.match(key, headers, found)
  return [...found].sort()
}

t.test('direct - goes to the targets bound by the very key', async (t) => {
  const direct = makeMatcher<string>('direct')
  t.equal(direct.add({ key: 'a', target: 'q1' }), true)
  t.equal(direct.add({ key: 'a', target: 'q2' }), true)
  t.equal(direct.add({ key: '', target: 'q3' }), true)
  t.same(targets(direct, 'a'), ['q1', 'q2'])
  t.same(targets(direct, ''), ['q3'])
  t.same(targets(direct, 'a.b'), [])
  t.same(targets(direct, '__proto__'), [])
  t.equal(direct.needsHeaders, false)
})

t.test('fanout - goes to every target once, until the last of its bindings is gone', async (t) => {
  const fanout = makeMatcher<string>('fanout')
  fanout.add({ key: 'a', target: 'q' })
  t.equal(fanout.add({ key: 'b', target: 'q' }), true)
  t.equal(fanout.add({ key: 'b', target: 'q' }), false)
  t.equal(fanout.remove({ key: 'a', target: 'q' }), true)
  t.same(targets(fanout, 'anything'), ['q'])
  t.equal(fanout.remove({ key: 'b', target: 'q' }), true)
  t.same(targets(fanout, 'anything'), [])
  t.equal(fanout.size, 0)
})

t.test('topic - goes by pattern', async (t) => {
  const topic = makeMatcher<string>('topic')
  topic.add({ key: 'order.#', target: 'audit' })
  topic.add({ key: '#', target: 'audit' })
  topic.add({ key: 'order.*.paid', target: 'billing' })
  t.same(targets(topic, 'order.eu.paid'), ['audit', 'billing'])
  t.equal(topic.removeTarget('audit'), 2)
  t.same(targets(topic, 'order.eu.paid'), ['billing'])
})

t.test('headers - all of them, or any of them', async (t) => {
  const matcher = makeMatcher<string>('headers')
  matcher.add({ key: '', headers: { fraud: true, country: 'DE' }, target: 'all' })
  matcher.add({ key: '', headers: { fraud: true, country: 'DE' }, match: 'any', target: 'any' })
  t.same(targets(matcher, '', { fraud: true, country: 'DE', more: 1 }), ['all', 'any'])
  t.same(targets(matcher, '', { fraud: true, country: 'FR' }), ['any'])
  t.same(targets(matcher, '', { fraud: 'true' }), [])
  t.same(targets(matcher, '', {}), [])
  t.same(targets(matcher, ''), [])
  t.equal(matcher.needsHeaders, true)
})

t.test('headers - a binding without headers takes everything if all, nothing if any', async (t) => {
  const matcher = makeMatcher<string>('headers')
  matcher.add({ key: '', target: 'all' })
  matcher.add({ key: '', headers: {}, match: 'any', target: 'any' })
  t.same(targets(matcher, 'x'), ['all'])
  t.same(targets(matcher, 'x', { a: 1 }), ['all'])
  t.equal(matcher.remove({ key: '', headers: {}, match: 'all', target: 'all' }), true, 'no headers and empty headers are the same')
  t.same(targets(matcher, 'x'), [])
})

t.test('headers - values are equal by type and value, and numbers are one type', async (t) => {
  const equal: [unknown, unknown][] = [
    [1, 1n],
    [0, -0],
    [2 ** 53, 2n ** 53n],
    [1e300, BigInt(1e300)],
    [new Uint8Array([1, 2]), Buffer.from([1, 2])],
    [null, null],
    ['', ''],
    [Infinity, Infinity],
  ]
  const different: [unknown, unknown][] = [
    [1, '1'],
    [1, true],
    [2 ** 53, 2n ** 53n + 1n],
    [1.5, 1],
    [null, 'null'],
    [false, null],
    [Number.NaN, Number.NaN],
    [Number.NaN, 'NaN'],
    ['ab', new Uint8Array([0x61, 0x62])],
    [new Uint8Array([1, 2]), new Uint8Array([1])],
  ]
  for (const match of ['all', 'any'] as const) {
    for (const [bound, sent] of [...equal, ...different]) {
      const matcher = makeMatcher<string>('headers')
      matcher.add({ key: '', headers: { h: bound } as Headers, match, target: 'q' })
      const expected = equal.some((pair) => pair[0] === bound && pair[1] === sent)
      t.equal(targets(matcher, '', { h: sent } as Headers).length === 1, expected, `${String(bound)} and ${String(sent)}, ${match}`)
    }
  }
})

t.test('headers - every name counts, reserved ones too', async (t) => {
  const matcher = makeMatcher<string>('headers')
  matcher.add({ key: '', headers: { 'x-match': 'all', constructor: 'c' }, target: 'q' })
  t.same(targets(matcher, '', { constructor: 'c' }), [])
  t.same(targets(matcher, '', { 'x-match': 'all', constructor: 'c' }), ['q'])
  const none: Headers = Object.create(null)
  t.same(targets(matcher, '', none), [])
})

t.test('headers - bindings that differ in key, match or headers are different, in the order of headers they are not', async (t) => {
  const matcher = makeMatcher<string>('headers')
  t.equal(matcher.add({ key: '', headers: { a: 1, b: Number.NaN }, target: 'q' }), true)
  t.equal(matcher.add({ key: '', headers: { b: Number.NaN, a: 1n }, match: 'all', target: 'q' }), false)
  t.equal(matcher.add({ key: 'k', headers: { a: 1, b: Number.NaN }, target: 'q' }), true)
  t.equal(matcher.add({ key: '', headers: { a: 1, b: Number.NaN }, match: 'any', target: 'q' }), true)
  t.equal(matcher.add({ key: '', headers: { a: 1 }, target: 'q' }), true)
  t.equal(matcher.countOf('q'), 4)
  t.equal(matcher.removeTarget('q'), 4)
  t.equal(matcher.size, 0)
  t.same(targets(matcher, '', { a: 1 }), [])
})

/** The same as a list, asked one by one. */
class Naive {
  readonly type: 'direct' | 'fanout' | 'topic' | 'headers'
  readonly list = new Map<string, Binding<string>>()

  constructor(type: 'direct' | 'fanout' | 'topic' | 'headers') {
    this.type = type
  }

  static textOf({ headers, match, key, target }: Binding<string>): string {
    return JSON.stringify([Object.entries(headers ?? {}).sort(), match ?? 'all', key, target])
  }

  to(target: string): Binding<string>[] {
    return [...this.list.values()].filter((binding) => binding.target === target)
  }

  match(key: string, headers: Headers): string[] {
    const takes = (binding: Binding<string>): boolean => {
      if (this.type === 'direct') return binding.key === key
      if (this.type === 'fanout') return true
      if (this.type === 'topic') return patterns[binding.key]!.test(key)
      const hits = Object.entries(binding.headers ?? {}).map(([name, value]) => headers[name] === value)
      return binding.match === 'any' ? hits.some(Boolean) : hits.every(Boolean)
    }
    return [...new Set([...this.list.values()].filter(takes).map((binding) => binding.target))].sort()
  }
}

const patterns: Readonly<Record<string, RegExp>> = {
  'a.*': /^a\.[^.]+$/,
  '#': /^.*$/,
  'a.b': /^a\.b$/,
  'b.a': /^b\.a$/,
  '*.b': /^[^.]+\.b$/,
}

function randomHeaders(random: Random): Headers {
  const headers: Record<string, string | number | boolean> = {}
  for (let i = random.below(4); i > 0; i--) headers[random.pick(['a', 'b', 'c', '__proto'])] = random.pick([1, 2, 'x', true])
  return headers
}

t.test('every type - random bindings and messages give what a list gives', async (t) => {
  for (const type of ['direct', 'fanout', 'topic', 'headers'] as const) {
    await forSeeds(t, 40, (random) => {
      const matcher = makeMatcher<string>(type)
      const naive = new Naive(type)
      const keys = type === 'topic' ? Object.keys(patterns) : ['a.b', 'b.a', 'c.c', '']
      for (let step = 0; step < 200; step++) {
        const headers = type === 'headers' ? { headers: randomHeaders(random), match: random.pick(['all', 'any'] as const) } : {}
        const binding: Binding<string> = { key: random.pick(keys), target: random.pick(['q1', 'q2', 'q3', 'q4']), ...headers }
        const text = Naive.textOf(binding)
        const kind = random.next()
        if (kind < 0.35) {
          assert.equal(matcher.add(binding), !naive.list.has(text))
          naive.list.set(text, binding)
        } else if (kind < 0.55) assert.equal(matcher.remove(binding), naive.list.delete(text))
        else if (kind < 0.6) {
          const gone = naive.to(binding.target)
          assert.equal(matcher.removeTarget(binding.target), gone.length)
          for (const each of gone) naive.list.delete(Naive.textOf(each))
        } else {
          const sent = randomHeaders(random)
          const key = random.pick(['a.b', 'b.a', 'c.c'])
          assert.equal(targets(matcher, key, sent).join(), naive.match(key, sent).join())
        }
        assert.equal(matcher.size, naive.list.size)
        assert.equal(matcher.countOf(binding.target), naive.to(binding.target).length)
      }
      const bindings = [...matcher.bindings()].map(Naive.textOf)
      assert.deepEqual(bindings.sort(), [...naive.list.keys()].sort())
    })
  }
})
