import t from 'tap'
import {
  checkRecord,
  checkRecordNames,
  checkRecordParts,
  ErrorCode,
  encodeMeta,
  encodeName,
  errorByCode,
  exchangeSize,
  exchangeStart,
  headersSize,
  headersStart,
  keySize,
  keyStart,
  propertiesStart,
  propertyMask,
  readHeaders,
  readProperties,
  readRecord,
  recordBodyStart,
  recordFault,
  recordFlags,
  recordSize,
  recordSizeOf,
  writeRecord,
} from '@waybill/protocol'
import { readVectors, type InvalidVector, type RecordVector } from './spec.js'

const orders = encodeName('orders')
const key = encodeName('order.eu')
const noName = encodeName('')

t.test('record - it is written where it is told, and its parts are found', async (t) => {
  const meta = encodeMeta({ contentType: 'text/plain', timestamp: 7 }, { n: 1 })
  const body = Buffer.from('xxhelloyy')
  const size = recordSizeOf(orders, key, meta, 5)
  const bytes = Buffer.alloc(size + 20, 0xee)
  const end = writeRecord(bytes, 9, orders, key, meta, true, body, 2, 7)
  t.equal(end, 9 + size)
  t.equal(bytes[8], 0xee)
  t.equal(bytes[end], 0xee)
  t.equal(checkRecord(bytes, 9, end), 0)
  t.equal(recordSize(bytes, 9), size)
  t.equal(recordFlags(bytes, 9), 1)
  t.equal(exchangeStart(9), 25)
  t.equal(exchangeSize(bytes, 9), 6)
  t.equal(keyStart(bytes, 9), 31)
  t.equal(keySize(bytes, 9), 8)
  t.equal(propertiesStart(bytes, 9), 39)
  t.equal(propertyMask(bytes, 9), 0b10000001)
  t.equal(headersStart(bytes, 9), 39 + 11 + 8)
  t.equal(headersSize(bytes, 9), 11)
  t.equal(recordBodyStart(bytes, 9), end - 5)
  t.same(readProperties(bytes, 9), { contentType: 'text/plain', timestamp: 7 })
  t.same(Object.entries(readHeaders(bytes, 9)), [['n', 1]])
  const content = readRecord(bytes, 9)
  t.match(content, { exchange: 'orders', routingKey: 'order.eu', persistent: true })
  t.equal(Buffer.from(content.body).toString(), 'hello')
})

t.test('record - bodies of every size come back, from the beginning and the middle of their buffer', async (t) => {
  for (const size of [0, 1, 15, 23, 24, 25, 100, 1024, 70_000]) {
    const source = Buffer.alloc(size + 3, 0x61)
    const target = Buffer.alloc(recordSizeOf(noName, key, undefined, size))
    t.equal(writeRecord(target, 0, noName, key, undefined, false, source, 3, 3 + size), target.length)
    t.equal(checkRecord(target, 0, target.length), 0)
    t.same(readRecord(target, 0).body, source.subarray(3))
  }
})

t.test('record - names above 255 bytes are refused before anything is written', async (t) => {
  const target = Buffer.alloc(1000, 0xee)
  const long = Buffer.alloc(256, 0x61)
  t.throws(() => writeRecord(target, 0, long, key, undefined, false, noName, 0, 0), { code: 'nameTooLong' })
  t.throws(() => writeRecord(target, 0, key, long, undefined, false, noName, 0, 0), { code: 'nameTooLong' })
  t.ok(target.every((byte) => byte === 0xee))
})

t.test('record - one that does not lie before the end is a fault of the frame', async (t) => {
  const bytes = Buffer.alloc(100)
  const end = writeRecord(bytes, 0, orders, key, undefined, false, orders, 0, 6)
  for (let cut = 0; cut < end; cut++) t.equal(errorByCode(checkRecord(bytes, 0, cut))?.name, 'frameMalformed', `cut at ${cut}`)
  t.equal(checkRecord(bytes, 0, end + 1), 0, 'what is behind it is not its affair')
  t.match(recordFault(bytes, 0, end - 1), { code: 'frameMalformed', message: /fill the frame/ })
})

t.test('record - what lies behind a record is not taken for a part of it', async (t) => {
  const header = Buffer.from('016800', 'hex')
  const whole = Buffer.concat([Buffer.from('0000000f01000000000000000000'.padEnd(32, '0'), 'hex'), header])
  whole.writeUInt16BE(3, 14)
  t.equal(checkRecord(whole, 0, whole.length), 0, 'a header of three bytes')
  whole.writeUInt32BE(14, 0)
  t.equal(errorByCode(checkRecord(whole, 0, whole.length))?.name, 'messageMalformed', 'its last byte is behind the record')
  const small = Buffer.alloc(32)
  small.set([0, 0, 0, 11, 1])
  t.equal(errorByCode(checkRecord(small, 0, 32))?.name, 'frameMalformed', 'a size of 11 has no room for the fixed part')
  small[3] = 12
  t.equal(checkRecord(small, 0, 32), 0)
})

t.test('record - the parts can be judged without the names, and the names without the parts', async (t) => {
  for (const { hex, name } of readVectors<RecordVector>('records.json')) {
    const bytes = Buffer.from(hex, 'hex')
    t.equal(checkRecordParts(bytes, 0, bytes.length, true), 0, name)
    t.equal(checkRecordNames(bytes, 0), 0, name)
  }
  let names = 0
  for (const { hex, from, error, name } of readVectors<InvalidVector>('invalid.json')) {
    const frame = Buffer.from(hex, 'hex')
    if (from !== 'client' || frame[4] !== 1 || (error !== 'messageMalformed' && error !== 'propertyUnsupported')) continue
    const parts = checkRecordParts(frame, 24, frame.length)
    const whole = checkRecord(frame, 24, frame.length)
    t.equal(errorByCode(whole)?.name, error, name)
    if (parts !== 0) t.equal(parts, whole, name)
    else {
      names++
      t.equal(checkRecordNames(frame, 24), ErrorCode.messageMalformed.code, name)
    }
  }
  t.ok(names >= 20, 'some are wrong in their names alone')
})

t.test('record - a fault is told in words that name the property or the limit', async (t) => {
  const words = new Map(
    readVectors<InvalidVector>('invalid.json')
      .filter(({ from, hex }) => from === 'client' && hex.slice(8, 10) === '01')
      .map(({ name, hex }) => {
        const frame = Buffer.from(hex, 'hex')
        return [name, recordFault(frame, 24, frame.length)?.message] as const
      }),
  )
  t.match(words.get('property priority'), "property 'priority' is not carried out by this version")
  t.match(words.get('property bit 31'), 'property bit 31 is not defined')
  t.match(words.get('a timestamp of 2^53'), "property 'timestamp' is malformed")
  t.match(words.get('more properties than the mask says'), 'more bytes of properties than the mask says')
  t.match(words.get('65 headers'), 'headerCountMax (64)')
  t.match(words.get('headers of 8,193 bytes'), 'headersSizeMax (8192)')
  t.match(words.get('a header twice'), 'the same name')
  t.match(words.get('record format 2'), 'record format 2')
  t.match(words.get('record flag 0x02 from a publisher'), 'flags 0x02')
  t.match(words.get('an exchange with byte FF'), 'the exchange is not UTF-8')
  t.match(words.get('a key with byte FF'), 'the routing key is not UTF-8')
})
