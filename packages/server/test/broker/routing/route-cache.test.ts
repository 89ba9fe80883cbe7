import assert from 'node:assert'
import t from 'tap'
import { RouteCache } from '../../../dist/broker/routing/route-cache.js'
import { forSeeds, Random } from '../../seeds.js'

/** A record with these names, `before` bytes into a buffer; everything else in it is noise. */
function record(exchange: string, key: string, before = 0): { bytes: Uint8Array; at: number } {
  const names = Buffer.from(exchange + key)
  const bytes = Buffer.alloc(before + 16 + names.length + 5, 0xee)
  bytes[before + 6] = Buffer.byteLength(exchange)
  bytes[before + 7] = Buffer.byteLength(key)
  names.copy(bytes, before + 16)
  return { bytes, at: before }
}

function setOn(cache: RouteCache<string>, exchange: string, key: string): void {
  const { bytes, at } = record(exchange, key)
  cache.set(bytes, at, `${exchange}|${key}`)
}

function getFrom(cache: RouteCache<string>, exchange: string, key: string, before = 0): string | undefined {
  const { bytes, at } = record(exchange, key, before)
  return cache.get(bytes, at)
}

t.test('route cache - gives a route for the very names, wherever the record lies', async (t) => {
  const cache = new RouteCache<string>()
  for (const [exchange, key] of [
    ['', ''],
    ['', 'q'],
    ['orders', ''],
    ['orders', 'order.eu.created'],
    ['ö'.repeat(127), 'k'.repeat(255)],
  ] as const) {
    t.equal(getFrom(cache, exchange, key), undefined)
    setOn(cache, exchange, key)
    for (const before of [0, 1, 2, 3, 61]) t.equal(getFrom(cache, exchange, key, before), `${exchange}|${key}`)
  }
  t.equal(cache.size, 5)
  cache.invariants()
})

t.test('route cache - names that only look alike are different', async (t) => {
  const cache = new RouteCache<string>()
  const alike = [
    ['a', 'bc'],
    ['ab', 'c'],
    ['abc', ''],
    ['', 'abc'],
    ['abc', '\0'],
    ['', 'abc\0'],
    ['', 'abc\0\0'],
    ['', 'abcd'],
    ['', 'abce'],
  ] as const
  for (const [exchange, key] of alike) setOn(cache, exchange, key)
  for (const [exchange, key] of alike) t.equal(getFrom(cache, exchange, key), `${exchange}|${key}`)
  t.equal(getFrom(cache, 'a', 'b'), undefined)
})

t.test('route cache - what is behind the names does not matter', async (t) => {
  const cache = new RouteCache<string>()
  setOn(cache, 'orders', 'new')
  const { bytes, at } = record('orders', 'new')
  bytes.fill(1, at + 16 + 9)
  bytes.fill(2, at + 8, at + 16)
  bytes.fill(3, at, at + 6)
  t.equal(cache.get(bytes, at), 'orders|new')
})

t.test('route cache - looking ahead finds what asking for each finds, and what it does not find is asked for', async (t) => {
  let foundCount = 0
  let knownCount = 0
  await forSeeds(t, 30, (random) => {
    const cache = new RouteCache<string>({ seed: random.below(1e9) })
    const name = (count: number) => 'k'.repeat(random.below(7)) + random.below(count)
    for (let round = 0; round < 20; round++) {
      for (let count = random.below(40); count > 0; count--) setOn(cache, name(3), name(20))
      const names = Array.from({ length: 1 + random.below(150) }, () => [name(3), name(20)] as const)
      const records = names.map(([exchange, key]) => record(exchange, key).bytes)
      const from = random.below(3)
      const sizes = Uint32Array.from([...new Array<number>(from).fill(0), ...records.map(({ length }) => length)])
      const bytes = Buffer.concat([Buffer.alloc(11), ...records])
      let next = 0
      for (let at = 11; at < bytes.length; ) {
        const count = cache.lookAhead(bytes, at, bytes.length, sizes, from + next)
        assert(count > 0)
        for (let i = 0; i < count; i++, next++) {
          const [exchange, key] = names[next]!
          const known = cache.get(bytes, at)
          const found = cache.ahead[i]
          if (known !== undefined) assert.equal(known, `${exchange}|${key}`)
          assert(found === undefined || found === known, `${found} was found for ${exchange}|${key}`)
          if (known !== undefined) knownCount++
          if (found !== undefined) foundCount++
          at += records[next]!.length
        }
      }
      assert.equal(next, names.length)
      if (random.chance(0.2)) cache.bump()
    }
  })
  t.ok(knownCount > 1_000 && foundCount === knownCount, `${foundCount} of ${knownCount} were found`)
})

t.test('route cache - bump forgets everything, the last one seen too', async (t) => {
  const cache = new RouteCache<string>()
  setOn(cache, 'orders', 'a')
  setOn(cache, 'orders', 'b')
  t.equal(getFrom(cache, 'orders', 'b'), 'orders|b')
  cache.bump()
  t.equal(getFrom(cache, 'orders', 'b'), undefined)
  t.equal(getFrom(cache, 'orders', 'a'), undefined)
  t.equal(cache.size, 0)
  setOn(cache, 'orders', 'b')
  t.equal(getFrom(cache, 'orders', 'b'), 'orders|b')
  t.equal(getFrom(cache, 'orders', 'a'), undefined)
})

t.test('route cache - a route can be set again', async (t) => {
  const cache = new RouteCache<string>()
  const { bytes, at } = record('x', 'y')
  cache.set(bytes, at, 'old')
  t.equal(cache.get(bytes, at), 'old')
  cache.set(bytes, at, 'new')
  t.equal(cache.get(bytes, at), 'new')
  t.equal(cache.size, 1)
})

t.test('route cache - a million distinct keys take no more memory than the limits say', async (t) => {
  const cache = new RouteCache<number>()
  const bytes = Buffer.alloc(64)
  bytes[7] = 20
  let most = 0
  for (let i = 0; i < 1_000_000; i++) {
    bytes.write(String(i).padStart(20, 'k'), 16, 'latin1')
    if (i % 3 === 0) cache.get(bytes, 0)
    cache.set(bytes, 0, i)
    if (cache.get(bytes, 0) !== i) t.fail(`key ${i} is not found`)
    most = Math.max(most, cache.size)
  }
  t.equal(most, 131_072)
  t.ok(cache.memorySize <= (8 << 20) + 131_072 * 24 + 1_024, `${cache.memorySize} bytes`)
  cache.invariants()
})

t.test('route cache - long names fill the room for names first', async (t) => {
  const cache = new RouteCache<number>({ namesSizeMax: 64 << 10 })
  for (let i = 0; i < 1_000; i++) {
    const { bytes, at } = record('e'.repeat(250), `${i}`.padStart(250, 'k'))
    cache.set(bytes, at, i)
    t.equal(cache.get(bytes, at), i)
    assert(cache.size <= 130)
  }
  cache.invariants()
  t.throws(() => new RouteCache({ namesSizeMax: 100 }), /longest names/)
})

t.test('route cache - names made to have the same hash are told apart, and the latest route is given or none', async (t) => {
  const seed = 7
  const cache = new RouteCache<number>({ seed, routeCountMax: 400 })
  const bytes = Buffer.alloc(32)
  bytes[7] = 8
  // Eight bytes are two words: whatever the first does to the hash, the second can undo.
  const writeName = (i: number) => {
    bytes.writeInt32LE(i, 16)
    const start = Math.imul(seed ^ (8 << 8), 0x9e3779b1)
    const hash = Math.imul(start ^ (start >>> 15) ^ i, 0x85ebca6b)
    bytes.writeInt32LE(hash ^ (hash >>> 15) ^ 0x12345678, 20)
  }
  const latest = new Map<number, number>()
  const random = new Random(1)
  let foundCount = 0
  let lostCount = 0
  for (let step = 0; step < 5_000; step++) {
    const i = random.below(20)
    writeName(i)
    if (random.chance(0.3)) {
      cache.set(bytes, 0, step)
      latest.set(i, step)
    } else if (latest.has(i)) {
      const route = cache.get(bytes, 0)
      if (route === undefined) lostCount++
      else {
        foundCount++
        assert.equal(route, latest.get(i))
      }
    }
    cache.invariants()
  }
  t.ok(foundCount > 0)
  t.ok(lostCount > 0)
})

t.test('route cache - random names, sets and bumps never give what a map does not have', async (t) => {
  await forSeeds(t, 40, (random) => {
    const routeCountMax = random.pick([1, 10, 700, 5_000])
    const cache = new RouteCache<string>({ routeCountMax, namesSizeMax: random.pick([4_096, 65_536]), seed: random.below(2 ** 31) })
    const model = new Map<string, string>()
    const name = () => String.fromCharCode(...Array.from({ length: random.below(random.pick([3, 20])) }, () => 97 + random.below(3)))
    let found = 0
    for (let step = 0; step < 3_000; step++) {
      const exchange = random.pick(['', 'e', 'orders'])
      const key = name()
      const { bytes, at } = record(exchange, key, random.below(9))
      const text = JSON.stringify([exchange, key])
      if (random.chance(0.3)) {
        const size = cache.size
        const known = cache.get(bytes, at)
        cache.set(bytes, at, `${step}`)
        if (cache.size <= size && known === undefined) model.clear()
        model.set(text, `${step}`)
        assert.equal(cache.get(bytes, at), `${step}`)
      } else if (random.chance(0.005)) {
        cache.bump()
        model.clear()
      } else {
        const route = cache.get(bytes, at)
        if (route !== undefined) {
          found++
          assert.equal(route, model.get(text))
        } else if (routeCountMax > 100) assert(!model.has(text), 'nothing is lost while there is room')
      }
    }
    cache.invariants()
    assert(found > 0)
  })
})
