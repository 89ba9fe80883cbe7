/**
 * A million frames and more, most of them spoiled. The oracle: frames, "need more", or a named fault; never an exception; the
 * same at once, in random pieces and byte by byte; the same as the plain reading (plain.ts); and memory that does not grow.
 *
 *     WAYBILL_SEED=17 npm test -- packages/protocol/test/fuzz.test.ts        one seed again
 *     WAYBILL_FUZZ_FRAMES=100000000 npm test -- …                            for a night
 */
import t from 'tap'
import {
  checkRecord,
  checkRecordNames,
  checkRecordParts,
  decodeResult,
  deliverRecordsStart,
  ErrorCode,
  errorByCode,
  FrameReader,
  type FrameSink,
  FrameType,
  limits,
  publishHeaderSize,
  recordFault,
  recordSize,
  type RequestName,
} from '@waybill/protocol'
import { describeFrame, encodeFrame } from '@waybill/protocol/testing'
import { frameError } from './judge.js'
import { spoiledStream } from './mutate.js'
import { errorName, plainFrames, plainRecordError } from './plain.js'
import { Random, replayCommand, seeds } from './seeds.js'
import { type FrameVector, type InvalidVector, readVectors } from './spec.js'

const framesWanted = Number(process.env.WAYBILL_FUZZ_FRAMES ?? 1_000_000)
const framesOfSeed = 10_000
const frameSizeMax = limits.frameSizeMax.value

const vectors = [...readVectors<FrameVector>('frames.json'), ...readVectors<InvalidVector>('invalid.json')]
const corpusOf = (from: string) =>
  vectors
    .filter((vector) => vector.from === from)
    .map(({ hex }) => Buffer.from(hex, 'hex'))
    .filter((bytes) => bytes.length >= 8 && bytes.length <= 700)
const corpus = { client: corpusOf('client'), server: corpusOf('server') }

const names = new Set(Object.keys(ErrorCode))
const tally = new Map<string, number>()

function run(seed: number): number {
  const random = new Random(seed)
  let frames = 0
  for (let streams = 0; frames < framesOfSeed; streams++) {
    const from = random.chance(0.6) ? 'client' : 'server'
    // Now and then the frames are of the wrong side.
    const stream = spoiledStream(random, random.chance(0.9) ? corpus[from] : random.pick([corpus.client, corpus.server]))
    const whole = decode(stream, from, stream.length, () => stream.length)
    const pieces = decode(stream, from, stream.length, () => 1 + random.below(40))
    const bytes = decode(stream, undefined, stream.length, () => 1)
    for (const [how, other] of [
      ['in random pieces', pieces],
      ['byte by byte', bytes],
    ] as const) {
      const same = other.count === whole.count && other.digest === whole.digest && other.fault === whole.fault && other.rest === whole.rest
      if (!same || (other.verdicts !== '' && other.verdicts !== whole.verdicts)) {
        throw new Error(`stream ${streams} ${how} is ${JSON.stringify(other)}, at once ${JSON.stringify(whole)}: ${stream.toString('hex')}`)
      }
    }
    compareWithPlain(stream, whole)
    if (whole.fault !== undefined) tally.set(whole.fault, (tally.get(whole.fault) ?? 0) + 1)
    frames += Math.max(1, whole.count)
  }
  return frames
}

interface Outcome {
  readonly count: number
  readonly digest: number
  readonly fault: string | undefined
  readonly rest: number
  readonly verdicts: string
}

/** Reads the stream in pieces. Each lies between other bytes, so that reading beyond it is found out. `from` undefined: no verdicts. */
function decode(stream: Buffer, from: 'client' | 'server' | undefined, end: number, pieceSize: () => number): Outcome {
  const sink = new FuzzSink(from)
  const reader = new FrameReader(sink, frameSizeMax)
  for (let at = 0; at < end; ) {
    const size = Math.min(end - at, pieceSize())
    const piece = size > 1 ? Buffer.concat([rim, stream.subarray(at, at + size), rim]) : stream
    const start = size > 1 ? rim.length : at
    const good = reader.read(piece, start, start + size)
    // Nobody may hold on to a piece.
    if (size > 1) piece.fill(0xa5)
    if (!good) break
    at += size
    if (reader.partialSize > at) throw new Error(`${reader.partialSize} bytes are carried of ${at}`)
  }
  if (reader.fault !== undefined && !names.has(reader.fault.code))
    throw new Error(`a fault without a name: ${JSON.stringify(reader.fault)}`)
  return { count: sink.count, digest: sink.digest, fault: reader.fault?.code, rest: reader.partialSize, verdicts: sink.verdicts }
}

const resultNames: readonly RequestName[] = ['hello', 'open', 'list', 'declareQueue', 'checkQueue', 'bindQueue', 'get', 'settle']
const rim = Buffer.from([0xff, 0x80, 0x01])

class FuzzSink implements FrameSink {
  count = 0
  digest = 0x811c9dc5
  verdicts = ''
  readonly #from: 'client' | 'server' | undefined

  constructor(from: 'client' | 'server' | undefined) {
    this.#from = from
  }

  frame(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
    this.count++
    let digest = Math.imul(this.digest ^ type ^ (flags << 8) ^ (channel << 16), 0x01000193) ^ correlation ^ (to - from)
    for (let at = from; at < to; at++) digest = Math.imul(digest ^ bytes[at], 0x01000193)
    this.digest = digest >>> 0
    if (this.#from === undefined) return
    const error = frameError(bytes, type, flags, channel, from, to, this.#from)
    if (type === FrameType.result) decodeResult(resultNames[this.count % resultNames.length], bytes, from, to)
    const verdict = error === undefined ? 'good' : error.code
    if (error !== undefined && (!names.has(error.code) || error.message === ''))
      throw new Error(`a fault without a name: ${JSON.stringify(error)}`)
    this.verdicts += `${verdict} `
    tally.set(verdict, (tally.get(verdict) ?? 0) + 1)
    if (error === undefined && this.count % 8 === 0) mirror(bytes, type, flags, channel, correlation, from, to)
  }
}

/** A frame that was found good can be described, and what is written from the description says the same. */
function mirror(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
  const said = describeFrame(bytes, type, flags, channel, correlation, from, to)
  const written = encodeFrame(said)
  const start = correlation === 0 ? 8 : 12
  const again = describeFrame(written, written[4], written[5], written.readUInt16BE(6), correlation, start, written.length)
  if (JSON.stringify(said) !== JSON.stringify(again)) throw new Error(`${JSON.stringify(said)} was written as ${JSON.stringify(again)}`)
}

function compareWithPlain(stream: Buffer, whole: Outcome): void {
  const plain = plainFrames(stream, frameSizeMax)
  if (plain.frames.length !== whole.count || plain.fault !== whole.fault || plain.rest !== whole.rest) {
    const { frames, ...rest } = plain
    throw new Error(`plainly ${frames.length} frames, ${JSON.stringify(rest)}, not ${JSON.stringify(whole)}: ${stream.toString('hex')}`)
  }
  for (const { type, flags, body } of plain.frames) {
    if (type === FrameType.publish) compareRecords(body, publishHeaderSize)
    if (type === FrameType.deliver) compareRecords(body, deliverRecordsStart(flags, 0))
  }
}

function compareRecords(body: Buffer, start: number): void {
  for (let at = start; at < body.length; ) {
    for (const delivered of [false, true]) {
      const code = checkRecord(body, at, body.length, delivered)
      const plain = plainRecordError(body.subarray(at), delivered)
      const said = recordFault(body, at, body.length, delivered)?.code
      if (errorName(code) !== plain || said !== plain)
        throw new Error(`record ${code} ${said}, plainly ${plain}: ${body.toString('hex', at)}`)
      const parts = checkRecordParts(body, at, body.length, delivered)
      const apart = parts !== 0 ? parts : checkRecordNames(body, at)
      if (apart !== code) throw new Error(`record ${code}, in two steps ${apart}: ${body.toString('hex', at)}`)
    }
    if (errorByCode(checkRecord(body, at, body.length, true))?.name === 'frameMalformed') return
    at += recordSize(body, at)
  }
}

t.test('fuzz - any bytes give frames, a wish for more, or a named fault', { timeout: 290_000 }, async (t) => {
  Error.stackTraceLimit = 0
  const chosen = seeds(Math.ceil(framesWanted / framesOfSeed))
  const memory = process.memoryUsage()
  let frames = 0
  for (const seed of chosen) {
    try {
      frames += run(seed)
    } catch (error) {
      Error.stackTraceLimit = 20
      t.comment(`seed ${seed}; run it again: ${replayCommand(seed, 'fuzz.test.ts')}`)
      t.fail(`seed ${seed}: ${(error as Error).message}; again: ${replayCommand(seed, 'fuzz.test.ts')}`)
      return
    }
  }
  const now = process.memoryUsage()
  t.comment(`${frames} frames of ${chosen.length} seeds: ${[...tally].map(([name, count]) => `${name} ${count}`).join(', ')}`)
  t.ok(frames >= chosen.length * framesOfSeed, `${frames} frames`)
  t.ok(now.arrayBuffers - memory.arrayBuffers < 48 * 1024 * 1024, `buffers grew by ${now.arrayBuffers - memory.arrayBuffers} bytes`)
  if (chosen.length < 50) return
  for (const name of [
    'good',
    'frameMalformed',
    'frameTooLarge',
    'frameUnexpected',
    'messageMalformed',
    'propertyUnsupported',
    'requestInvalid',
    'optionUnsupported',
    'unsupported',
  ]) {
    t.ok((tally.get(name) ?? 0) > chosen.length, `${name} was met ${tally.get(name)} times`)
  }
})
