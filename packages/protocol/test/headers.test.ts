import t from 'tap'
import { decodeHeaders, encodeHeaders, HeaderProblem, headerProblem, type Headers, headersFromJson, headersToJson } from '@waybill/protocol'
import { Random, seeds } from './seeds.js'

t.test('headers - every value comes back as it went, bigints only where numbers would lose', async (t) => {
  const headers = {
    none: null,
    no: false,
    yes: true,
    zero: 0,
    minus: -0,
    one: 1,
    safe: Number.MAX_SAFE_INTEGER,
    unsafe: 2 ** 53,
    half: 0.5,
    nan: Number.NaN,
    inf: Number.NEGATIVE_INFINITY,
    big: 2n ** 62n,
    low: -(2n ** 63n),
    text: 'grün',
    empty: '',
    bytes: Buffer.from([0, 255]),
  }
  const bytes = encodeHeaders(headers)
  t.equal(headerProblem(bytes, 0, bytes.length), 0)
  const read = decodeHeaders(bytes, 0, bytes.length)
  t.same(Object.entries(read), Object.entries(headers))
  t.ok(Object.is(read.minus, -0))
  t.same(
    decodeHeaders(encodeHeaders({ a: 5n }), 0, 11),
    Object.assign(Object.create(null), { a: 5 }),
    'a bigint that a number can hold is a number',
  )
})

t.test('headers - names that mean something elsewhere are names like any other', async (t) => {
  const headers = Object.fromEntries(
    ['__proto__', 'constructor', 'hasOwnProperty', 'toString', ''].filter(Boolean).map((name) => [name, name]),
  )
  const bytes = encodeHeaders(headers)
  const read = decodeHeaders(bytes, 0, bytes.length)
  t.equal(Object.getPrototypeOf(read), null)
  t.same(Object.entries(read), Object.entries(headers))
  t.equal(({} as Record<string, unknown>).polluted, undefined)
  const json = JSON.parse('{"__proto__": {"i64": "9007199254740993"}, "constructor": {"f64": "-0"}}')
  const fromJson = headersFromJson(json)
  t.equal(Object.getPrototypeOf(fromJson), null)
  t.same(Object.entries(fromJson), [
    ['__proto__', 9007199254740993n],
    ['constructor', -0],
  ])
  t.equal(JSON.stringify(headersToJson(fromJson)), JSON.stringify(json))
})

t.test('headers - bytes that are read are copies', async (t) => {
  const bytes = encodeHeaders({ b: Buffer.from('keep') })
  const read = decodeHeaders(bytes, 0, bytes.length)
  bytes.fill(0)
  t.same(read.b, Buffer.from('keep'))
})

t.test('headers - what cannot be said is refused by name', async (t) => {
  for (const [name, value] of [
    ['list', []],
    ['object', {}],
    ['nothing', undefined],
    ['function', () => 1],
    ['symbol', Symbol('s')],
    ['date', new Date(0)],
    ['large', 2n ** 63n],
    ['small', -(2n ** 63n) - 1n],
    ['text', '\ud800'],
  ] as const) {
    t.throws(() => encodeHeaders({ [name]: value } as unknown as Headers), { code: 'messageMalformed', message: new RegExp(`'${name}'`) })
  }
  t.throws(() => encodeHeaders({ '': 1 }), { code: 'messageMalformed' })
  t.throws(() => encodeHeaders({ ['n'.repeat(256)]: 1 }), { code: 'messageMalformed', details: { limit: 'nameSizeMax' } })
  t.throws(() => encodeHeaders({ '\udfff': 1 }), { code: 'messageMalformed' })
  t.throws(() => encodeHeaders({ b: Buffer.alloc(8193) }), { code: 'messageMalformed', details: { limit: 'headersSizeMax' } })
})

t.test('headers - the same name twice is found, few or many, first or last', async (t) => {
  for (const count of [2, 8, 9, 20, 64]) {
    const parts = Array.from({ length: count }, (_, i) => Buffer.from([2, 0x61 + (i >> 5), 0x41 + (i & 31), 0]))
    const good = Buffer.concat(parts)
    t.equal(headerProblem(good, 0, good.length), HeaderProblem.none, `${count} different`)
    for (const [left, right] of [
      [0, 1],
      [0, count - 1],
      [count - 2, count - 1],
    ]) {
      const twice = Buffer.concat(parts.map((part, i) => (i === right ? parts[left] : part)))
      t.equal(headerProblem(twice, 0, twice.length), HeaderProblem.twice, `${left} and ${right} of ${count}`)
    }
  }
  const longer = Buffer.from('026162000361626300016100', 'hex')
  t.equal(headerProblem(longer, 0, longer.length), HeaderProblem.none, 'one name may begin another')
})

t.test('headers - checking takes a time that grows with the size and not with its square', async (t) => {
  // Names that differ in their last bytes only: the worst that 8 KiB allow.
  const names = Array.from({ length: 64 }, (_, i) =>
    Buffer.concat([Buffer.from([125]), Buffer.alloc(123, 0x61), Buffer.from([0x61 + (i >> 3), 0x61 + (i & 7)]), Buffer.from([0])]),
  )
  const bytes = Buffer.concat(names)
  t.ok(bytes.length <= 8192)
  const time = (size: number): number => {
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 20; round++) {
      const start = performance.now()
      for (let i = 0; i < 20; i++) headerProblem(bytes, 0, size)
      best = Math.min(best, performance.now() - start)
    }
    return best
  }
  t.equal(headerProblem(bytes, 0, bytes.length), HeaderProblem.none)
  time(127 * 16)
  const quarter = time(127 * 16)
  const whole = time(bytes.length)
  t.ok(whole < quarter * 10, `16 headers ${quarter.toFixed(2)} ms, 64 headers ${whole.toFixed(2)} ms`)
})

t.test('headers - random ones come back as they went', async (t) => {
  for (const seed of seeds(500)) {
    const random = new Random(seed)
    const headers: Record<string, Headers[string]> = Object.create(null)
    for (let i = random.below(20); i > 0; i--) {
      headers[`${random.pick(['é', 'h', '__proto__', '😀'])}${random.below(30)}`] = random.pick([
        null,
        true,
        false,
        random.bits(),
        -random.bits(),
        random.bits() / 7,
        BigInt(random.bits()) << 31n,
        'text'.repeat(random.below(9)),
        Buffer.alloc(random.below(30), seed),
      ])
    }
    const bytes = encodeHeaders(headers)
    t.equal(headerProblem(bytes, 0, bytes.length), 0, `seed ${seed}`)
    const read = decodeHeaders(bytes, 0, bytes.length)
    t.same(Object.entries(read).map(plain), Object.entries(headers).map(plain), `seed ${seed}`)
    t.same(
      Object.entries(headersFromJson(JSON.parse(JSON.stringify(headersToJson(headers))))).map(plain),
      Object.entries(headers).map(plain),
      `seed ${seed}, as JSON`,
    )
  }
})

/** A bigint that a number can hold is read as a number. */
function plain([name, value]: [string, Headers[string]]): unknown[] {
  return [name, typeof value === 'bigint' && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value]
}
