/** The vectors of spec/vectors: decoded, encoded, mirrored, and decoded again cut after every byte. [P-1 to P-6] */
import t from 'tap'
import {
  answerPreface,
  checkPreface,
  checkRecord,
  decodeResult,
  ErrorCode,
  Flag,
  foreignLine,
  frameKinds,
  frameKind,
  propertyTable,
  recordSize,
  type RequestName,
  wireName,
  preface,
  refusedPreface,
} from '@waybill/protocol'
import { describeFrame, describeRecord, encodeFrame, encodeRecord, type FrameNotation } from '@waybill/protocol/testing'
import { judge } from './judge.js'
import { type FrameVector, type InvalidVector, type PrefaceVector, type RecordVector, readVectors } from './spec.js'

t.test('preface - every vector is recognised, whatever way it is cut', async (t) => {
  for (const { name, hex, ended = false, version, foreign } of readVectors<PrefaceVector>('preface.json')) {
    const bytes = Buffer.from(hex, 'hex')
    const wanted = version ? { state: 'version', ...version } : foreign ? { state: 'foreign', foreign } : { state: 'need-more' }
    t.same(checkPreface(bytes, 0, bytes.length, ended), wanted, name)
    t.same(checkPreface(Buffer.concat([Buffer.alloc(3), bytes]), 3, 3 + bytes.length, ended), wanted, `${name}, at an offset`)
    let first = checkPreface(bytes, 0, 0)
    for (let size = 1; size <= bytes.length && first.state === 'need-more'; size++) first = checkPreface(bytes, 0, size)
    if (!ended) t.same(first, wanted, `${name}, a byte at a time`)
    if (foreign) t.match(foreignLine(foreign as 'text'), /^[\x20-\x7e]+\r\n$/, `${name} gets one line of text`)
  }
})

t.test('preface - ours is the one of the clause, and so are the answers', async (t) => {
  t.equal(Buffer.from(preface).toString('hex'), '5741594201000000')
  t.equal(Buffer.from(refusedPreface).toString('hex'), '5741594201000001')
  t.same(answerPreface(1, 0), { bytes: Buffer.from('5741594201000000', 'hex'), refused: false })
  t.same(answerPreface(1, 9), { bytes: Buffer.from('5741594201000000', 'hex'), refused: false }, 'the lower minor')
  t.same(answerPreface(2, 0), { bytes: Buffer.from('5741594201000001', 'hex'), refused: true })
  t.same(answerPreface(0, 0), { bytes: Buffer.from('5741594201000001', 'hex'), refused: true })
})

t.test('records - every vector says what is written beside it, and is written as it stands', async (t) => {
  for (const { name, hex, record, delivered = false, oneWay } of readVectors<RecordVector>('records.json')) {
    const bytes = Buffer.from(hex, 'hex')
    t.equal(recordSize(bytes, 0), bytes.length, `${name}: its size is its own`)
    t.equal(checkRecord(bytes, 0, bytes.length, true), 0, `${name}: good in a delivery`)
    t.equal(checkRecord(bytes, 0, bytes.length), delivered ? ErrorCode.messageMalformed.code : 0, `${name}: from a publisher`)
    const read = describeRecord(bytes, 0)
    t.equal(JSON.stringify(sorted(read)), JSON.stringify(sorted(record)), name)
    if (oneWay === undefined) t.equal(encodeRecord(record).toString('hex'), hex, `${name}: written`)
    t.equal(JSON.stringify(describeRecord(encodeRecord(read), 0)), JSON.stringify(read), `${name}: mirrored`)

    const moved = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(5, 0xff)])
    t.equal(checkRecord(moved, 7, moved.length, true), 0, `${name}: found between other bytes`)
    for (let end = 0; end < bytes.length; end += bytes.length > 1000 ? 97 : 1) {
      if (checkRecord(bytes, 0, end, true) !== ErrorCode.frameMalformed.code) t.fail(`${name}: cut at ${end}`)
    }
  }
})

t.test('frames - every vector says what is written beside it, and is written as it stands', async (t) => {
  for (const { name, from, hex, frame, oneWay } of readVectors<FrameVector>('frames.json')) {
    const bytes = Buffer.from(hex, 'hex')
    const { answers, ...wanted } = frame
    const verdict = judge(bytes, from)
    t.equal(verdict.error, undefined, `${name}: good`)
    t.equal(verdict.frames.length, 1, `${name}: one frame`)
    const read = describe(bytes)
    t.equal(JSON.stringify(sorted(read)), JSON.stringify(sorted(wanted)), name)
    if (oneWay === undefined) t.equal(encodeFrame(wanted).toString('hex'), hex, `${name}: written`)
    t.equal(JSON.stringify(describe(encodeFrame(read))), JSON.stringify(read), `${name}: mirrored`)
    if (answers !== undefined) {
      const request = frameKinds.find((kind) => wireName(kind.name) === answers)!.name as RequestName
      t.same(decodeResult(request, bytes, 12, bytes.length), { value: frame.json }, `${name}: the result of ${answers}`)
    }
    cutEverywhere(t, name, bytes, from)
  }
})

t.test('frames - all of them, one behind the other, in pieces of every size', async (t) => {
  for (const from of ['client', 'server'] as const) {
    const vectors = readVectors<FrameVector>('frames.json').filter((vector) => vector.from === from && vector.hex.length < 4000)
    const bytes = Buffer.concat(vectors.map(({ hex }) => Buffer.from(hex, 'hex')))
    const whole = judge(bytes, from)
    t.equal(whole.frames.length, vectors.length)
    for (let size = 1; size < 400; size++)
      t.same(judge(bytes, from, { cuts: every(size, bytes.length) }), whole, `${from}, ${size} bytes a piece`)
  }
})

t.test('frames - there is a vector for every type, in every direction', async (t) => {
  const vectors = readVectors<FrameVector>('frames.json')
  for (const kind of frameKinds) {
    const sides = kind.from === 'both' ? ['client', 'server'] : [kind.from]
    for (const side of sides)
      t.ok(
        vectors.some(({ from, frame }) => from === side && frame.type === wireName(kind.name)),
        `${kind.name} from a ${side}`,
      )
    if (kind.from === 'client' && kind.correlated !== 'never') {
      t.ok(
        vectors.some(({ frame }) => frame.answers === wireName(kind.name)),
        `a result of ${kind.name}`,
      )
    }
  }
})

t.test('records - there is a vector for every property, and for every type of header', async (t) => {
  const vectors = readVectors<RecordVector>('records.json')
  const refused = readVectors<InvalidVector>('invalid.json')
  for (const { name, supported } of propertyTable) {
    if (supported)
      t.ok(
        vectors.some(({ record }) => name in record.properties),
        name,
      )
    else
      t.ok(
        refused.some(({ error, names }) => error === 'propertyUnsupported' && names === name),
        `${name} is refused by name`,
      )
  }
  const types = new Set(vectors.filter(({ name }) => name.startsWith('header ')).map(({ hex }) => Buffer.from(hex, 'hex')[18]))
  t.same([...types].sort(), [0, 1, 2, 3, 4, 5, 6])
})

t.test('invalid - every vector raises the error that is written beside it', async (t) => {
  for (const { name, from, hex, error, opening = false, names } of readVectors<InvalidVector>('invalid.json')) {
    const bytes = Buffer.from(hex, 'hex')
    const verdict = judge(bytes, from, { opening })
    t.equal(verdict.error?.code, error, name)
    t.equal(verdict.frames.length, 0, `${name}: nothing is handed on`)
    t.match(verdict.error?.message, names ?? /./, `${name}: in words`)
    cutEverywhere(t, name, bytes, from, opening)
  }
})

function describe(frame: Buffer): FrameNotation {
  const flags = frame[5]
  const correlated = (flags & Flag.correlated) !== 0
  return describeFrame(
    frame,
    frame[4],
    flags,
    frame.readUInt16BE(6),
    correlated ? frame.readUInt32BE(8) : 0,
    correlated ? 12 : 8,
    frame.length,
  )
}

/** The verdict is the same in two pieces, cut after every byte, and in pieces of one byte; a cut frame is needed more of. */
function cutEverywhere(t: Tap, name: string, bytes: Buffer, from: 'client' | 'server', opening = false): void {
  const whole = judge(bytes, from, { opening })
  const step = bytes.length > 1000 ? 211 : 1
  let different = 0
  for (let cut = 0; cut <= bytes.length; cut += step) {
    if (JSON.stringify(judge(bytes, from, { opening, cuts: [cut] })) !== JSON.stringify(whole)) different++
  }
  if (JSON.stringify(judge(bytes, from, { opening, cuts: every(1, bytes.length) })) !== JSON.stringify(whole)) different++
  t.equal(different, 0, `${name}: the same however it is cut`)
  if (whole.error !== undefined || frameKind(bytes[4]) === undefined) return
  const cut = judge(bytes.subarray(0, bytes.length - 1), from, { opening })
  t.same(cut, { frames: [], error: undefined, rest: bytes.length - 1 }, `${name}: without its last byte more is needed`)
}

type Tap = Pick<typeof t, 'equal' | 'same'>

function* every(size: number, end: number): Generator<number> {
  for (let at = size; at < end; at += size) yield at
}

/** With keys in order, so that two descriptions can be compared as text (−0, NaN and __proto__ survive that). */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  const result = Object.create(null)
  for (const [key, each] of entries) result[key] = sorted(each)
  return result
}
