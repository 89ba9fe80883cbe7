/**
 * Every limit that this package holds, at the limit and one beyond it. Those of a broker's state (counts, times, credit, the
 * outbox) are tested where that state is, under the same name: `limit <name>`. [P-9]
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  checkRecord,
  checkSettle,
  type ControlName,
  decodeControl,
  ErrorCode,
  encodeHeaders,
  encodeMeta,
  encodeName,
  errorByCode,
  FrameReader,
  headersFromJson,
  type Limit,
  type LimitName,
  limits,
  noDelay,
  Outcome,
  settleEntrySize,
  writeSettleEntry,
  writeU16,
} from '@waybill/protocol'
import { encodeRecord, type RecordNotation } from '@waybill/protocol/testing'
import { readSpec, readSpecJson } from './spec.js'

const table = readSpecJson<{ limits: (Omit<Limit, 'reason'> & { name: string; why: string; tests: string })[] }>('limits.json').limits

t.test('limits - the table is that of spec/limits.json', async (t) => {
  const ofCode = Object.entries(limits).map(([name, { value, unit, error, clause, wire, reason }]) => {
    return { name, value, unit, error, clause, wire, why: reason }
  })
  t.same(
    ofCode,
    table.map(({ tests: _, ...row }) => row),
  )
  for (const { error, name } of table) t.ok(error in ErrorCode, `${name}: ${error} is an error`)
})

t.test('limits - the table is that of clause 9.1', async (t) => {
  const rows = [
    ...readSpec('protocol.md').matchAll(
      /^\| `(\w+)` \| ([\d,]+) \| (bytes|count|ms) \| `(\w+)` \| ([\d.]+) \| (yes|no) \| (.+) \| (protocol|server) \|$/gm,
    ),
  ]
  const ofDocument = rows.map(([, name, value, unit, error, clause, wire, why, tests]) => {
    return { name, value: Number(value.replaceAll(',', '')), unit, error, clause, wire: wire === 'yes', why, tests }
  })
  t.same(ofDocument, table)
})

t.test('limits - those that this package holds are tried here, at the limit and beyond', async (t) => {
  const source = readFileSync(new URL('../test/limits.test.ts', import.meta.url), 'utf8')
  for (const { name, tests } of table) {
    if (tests === 'protocol') t.match(source, new RegExp(`limit ${name} |'${name}'`), name)
  }
})

t.test('limits - those that are related hold against one another', async (t) => {
  const of = (name: LimitName) => limits[name].value
  t.ok(of('frameSizeMax') >= of('messageSizeMax') + 4 + 16, 'the largest message fits in a frame of its own')
  t.ok(
    of('messageSizeMax') > 16 + 2 * of('nameSizeMax') + of('headersSizeMax') + 16 * (of('propertySizeMax') + 1),
    'what is beside a body leaves room for it',
  )
  t.ok(of('openingFrameSizeMax') <= of('openingSizeMax'), 'one early frame is not more than all of them')
  t.ok(of('controlSizeMax') <= of('otherFrameSizeMax'), 'a request fits in its frame')
  t.ok(of('headersSizeMax') * 2 < of('controlSizeMax'), 'the headers of a binding fit in a request')
  t.ok(of('openingFrameSizeMax') < of('frameSizeMax'))
  t.ok(of('uncreditedFrameSizeMax') < of('frameSizeMax'))
  t.ok(of('heartbeatMsMin') <= of('heartbeatMs') && of('heartbeatMs') <= of('heartbeatMsMax'))
  t.ok(of('channelCountMax') <= 0xffff, 'a channel is a u16')
  t.ok(of('reasonSizeMax') + 20 + 8 <= of('otherFrameSizeMax'), 'a reason fits in a SETTLE')
  t.ok(of('prefetchSize') <= of('outboxSizeMax'), 'one window of the default size does not hold its connection')
})

for (const name of ['openingFrameSizeMax', 'frameSizeMax'] as const) {
  t.test(`limit ${name} - a frame of that size begins, one byte more is frameTooLarge`, async (t) => {
    const reader = () => new FrameReader({ frame: () => undefined }, limits[name].value)
    const size = Buffer.alloc(4)
    size.writeUInt32BE(limits[name].value)
    const good = reader()
    t.ok(good.read(size, 0, 4))
    t.equal(good.expectedSize, limits[name].value + 4)
    size.writeUInt32BE(limits[name].value + 1)
    const bad = reader()
    t.notOk(bad.read(size, 0, 4))
    t.equal(bad.fault?.code, limits[name].error)
  })
}

t.test('limit controlSizeMax - a request of that size is read, one byte more is requestInvalid', async (t) => {
  const padded = (size: number) => Buffer.from('{}'.padEnd(size))
  t.same(decode('open', padded(65_536)), { value: {} })
  t.match(decode('open', padded(65_537)), { problem: { code: 'requestInvalid', details: { limit: 'controlSizeMax' } } })
})

t.test('limit nameSizeMax - names of 255 bytes are read everywhere, of 256 bytes nowhere', async (t) => {
  const fields: readonly (readonly [ControlName, string, object])[] = [
    ['checkQueue', 'queue', {}],
    ['declareQueue', 'queue', {}],
    ['declareExchange', 'exchange', { type: 'topic' }],
    ['declareExchange', 'alternate', { exchange: 'x', type: 'topic' }],
    ['bindQueue', 'queue', { exchange: 'x' }],
    ['bindQueue', 'exchange', { queue: 'q' }],
    ['unbindQueue', 'key', { queue: 'q', exchange: 'x' }],
    ['bindExchange', 'source', { target: 'x' }],
    ['unbindExchange', 'target', { source: 'x' }],
    ['consume', 'queue', { consumer: 1 }],
    ['get', 'queue', { consumer: 1 }],
    ['list', 'prefix', { kind: 'queues' }],
    ['hello', 'vhost', { client: { product: 'p', version: '1' } }],
    ['hello', 'user', { client: { product: 'p', version: '1' } }],
  ]
  for (const [control, field, rest] of fields) {
    for (const good of ['n'.repeat(255), `${'é'.repeat(127)}n`])
      t.ok(decodeJson(control, { ...rest, [field]: good }).value, `${control}.${field}`)
    for (const bad of ['n'.repeat(256), 'é'.repeat(128), '😀'.repeat(64)]) {
      const { problem } = decodeJson(control, { ...rest, [field]: bad })
      t.match(problem, { code: 'nameTooLong', details: { field, size: 256, limit: 'nameSizeMax' } }, `${control}.${field}`)
    }
  }
  t.equal(encodeName('n'.repeat(255)).length, 255)
  t.throws(() => encodeName('n'.repeat(256)), { code: 'nameTooLong' })
})

t.test('limit propertySizeMax - a property of 255 bytes is written, of 256 bytes refused', async (t) => {
  t.equal(encodeMeta({ type: 't'.repeat(255) }, undefined).properties.length, 256)
  t.throws(() => encodeMeta({ type: 't'.repeat(256) }, undefined), { code: 'messageMalformed', details: { limit: 'propertySizeMax' } })
})

t.test('limit headerCountMax - 64 headers are written and read, 65 are neither', async (t) => {
  const headers = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, i]))
  t.equal(errorOf(plainRecord({ headers: headers(64) })), undefined)
  t.ok(decodeJson('bindQueue', { queue: 'q', exchange: 'x', headers: headers(64) }).value)
  t.throws(() => encodeHeaders(headers(65)), { code: 'messageMalformed', details: { limit: 'headerCountMax' } })
  t.match(decodeJson('bindQueue', { queue: 'q', exchange: 'x', headers: headers(65) }).problem, { code: 'requestInvalid' })

  const sixtyFour = encodeHeaders(headers(64))
  t.equal(errorOf(recordWithHeaders(Buffer.concat([sixtyFour, Buffer.from('016100', 'hex')]))), 'messageMalformed')
})

t.test('limit headersSizeMax - headers of 8,192 bytes are written and read, of 8,193 neither', async (t) => {
  const bytes = (size: number) => ({ h: { bytes: Buffer.alloc(size - 5).toString('base64') } })
  t.equal(encodeHeaders(headersFromJson(bytes(8192))).length, 8192)
  t.equal(errorOf(plainRecord({ headers: bytes(8192) })), undefined)
  t.throws(() => encodeHeaders(headersFromJson(bytes(8193))), { code: 'messageMalformed', details: { limit: 'headersSizeMax' } })
  t.ok(decodeJson('bindQueue', { queue: 'q', exchange: 'x', headers: bytes(8192) }).value)
  t.match(decodeJson('bindQueue', { queue: 'q', exchange: 'x', headers: bytes(8193) }).problem, {
    code: 'requestInvalid',
    details: { field: 'headers', limit: 'headersSizeMax' },
  })

  const grown = Buffer.concat([Buffer.from('016806', 'hex'), Buffer.alloc(2 + 8193 - 5)])
  writeU16(grown, 3, 8193 - 5)
  t.equal(errorOf(recordWithHeaders(grown)), 'messageMalformed')
})

t.test('limit reasonSizeMax - a reason of 65,535 bytes fills its field', async (t) => {
  const entry = Buffer.alloc(settleEntrySize + 65_536, 0x72)
  const end = writeSettleEntry(entry, 0, 1, 1, Outcome.reject, noDelay, Buffer.alloc(65_535, 0x72))
  t.equal(checkSettle(entry, 0, end), 0)
  t.equal(checkSettle(entry, 0, end + 1), ErrorCode.frameMalformed.code, 'one byte more belongs to nobody')
})

for (const [name, control, field, rest] of [
  ['listCountMax', 'list', 'limit', { kind: 'queues' }],
  ['waitMsMax', 'get', 'waitMs', { consumer: 1, queue: 'q' }],
  ['expiresMsMax', 'declareQueue', 'expiresMs', {}],
  ['heartbeatMsMax', 'hello', 'heartbeatMs', { client: { product: 'p', version: '1' } }],
] as const) {
  t.test(`limit ${name} - ${control}.${field} may be that much, and not one more`, async (t) => {
    t.ok(decodeJson(control, { ...rest, [field]: limits[name].value }).value)
    t.match(decodeJson(control, { ...rest, [field]: limits[name].value + 1 }).problem, { code: limits[name].error, details: { field } })
  })
}

t.test('limit heartbeatMsMin - 5,000 ms and off are good, 4,999 is not', async (t) => {
  const hello = (heartbeatMs: number) => decodeJson('hello', { client: { product: 'p', version: '1' }, heartbeatMs })
  t.ok(hello(limits.heartbeatMsMin.value).value)
  t.ok(hello(0).value)
  t.match(hello(limits.heartbeatMsMin.value - 1).problem, { code: 'requestInvalid', details: { field: 'heartbeatMs' } })
})

t.test('limit passwordSizeMax - 1,024 characters are read, 1,025 are not', async (t) => {
  const hello = (size: number) => decodeJson('hello', { client: { product: 'p', version: '1' }, password: 'ü'.repeat(size) })
  t.ok(hello(1024).value)
  t.match(hello(1025).problem, { code: 'requestInvalid', details: { field: 'password' } })
})

for (const name of ['prefetch', 'prefetchSize'] as const) {
  t.test(`limit ${name} - a window is a u32`, async (t) => {
    t.ok(decodeJson('consume', { consumer: 1, queue: 'q', [name]: 0xffff_ffff }).value)
    t.match(decodeJson('consume', { consumer: 1, queue: 'q', [name]: 0x1_0000_0000 }).problem, {
      code: 'requestInvalid',
      details: { field: name },
    })
  })
}

function decode(name: ControlName, bytes: Buffer): ReturnType<typeof decodeControl> {
  return decodeControl(name, bytes, 0, bytes.length)
}

function decodeJson(name: ControlName, value: object): ReturnType<typeof decodeControl> {
  return decode(name, Buffer.from(JSON.stringify(value)))
}

function plainRecord(parts: Partial<RecordNotation>): Buffer {
  return encodeRecord({ exchange: '', routingKey: 'q', persistent: false, properties: {}, headers: {}, body: '', ...parts })
}

/** A record with these bytes as its headers, whatever they are. */
function recordWithHeaders(headers: Buffer): Buffer {
  const record = Buffer.concat([plainRecord({}), headers])
  record.writeUInt32BE(record.length - 4, 0)
  record.writeUInt16BE(headers.length, 14)
  return record
}

function errorOf(record: Buffer): string | undefined {
  return errorByCode(checkRecord(record, 0, record.length))?.name
}
