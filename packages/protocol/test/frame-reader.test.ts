import t from 'tap'
import { FrameReader, type FrameSink, FrameType, Flag, frameHeaderSize, writeCorrelatedHeader, writeFrameHeader } from '@waybill/protocol'
import { Random, seeds } from './seeds.js'

interface Seen {
  readonly type: number
  readonly flags: number
  readonly channel: number
  readonly correlation: number
  readonly body: string
  readonly inPlace: boolean
}

class Sink implements FrameSink {
  readonly seen: Seen[] = []
  piece: Uint8Array | undefined
  during: (() => void) | undefined

  frame(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
    const body = Buffer.from(bytes.subarray(from, to)).toString('hex')
    this.seen.push({ type, flags, channel, correlation, body, inPlace: bytes === this.piece })
    this.during?.()
  }

  read(reader: FrameReader, bytes: Uint8Array): boolean {
    this.piece = bytes
    return reader.read(bytes, 0, bytes.length)
  }
}

function frame(body: number | Buffer, correlation = 0, type: number = FrameType.publish, channel = 1): Buffer {
  const content = typeof body === 'number' ? Buffer.alloc(body, 0x62) : body
  const bytes = Buffer.alloc(12 + content.length)
  const at =
    correlation === 0
      ? writeFrameHeader(bytes, 0, type, 0, channel, content.length)
      : writeCorrelatedHeader(bytes, 0, type, 0, channel, correlation, content.length)
  content.copy(bytes, at)
  return bytes.subarray(0, at + content.length)
}

t.test('reader - whole frames are handed on where they lie', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 1000)
  const bytes = Buffer.concat([frame(3), frame(0, 7, FrameType.open, 0xffff), frame(0)])
  t.ok(sink.read(reader, bytes))
  t.same(sink.seen, [
    { type: FrameType.publish, flags: 0, channel: 1, correlation: 0, body: '626262', inPlace: true },
    { type: FrameType.open, flags: Flag.correlated, channel: 0xffff, correlation: 7, body: '', inPlace: true },
    { type: FrameType.publish, flags: 0, channel: 1, correlation: 0, body: '', inPlace: true },
  ])
  t.equal(reader.partialSize, 0)
  t.equal(reader.expectedSize, 0)
})

t.test('reader - a range in the middle of a larger buffer is read and nothing beside it', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 1000)
  const bytes = Buffer.concat([Buffer.alloc(5, 0xff), frame(2), Buffer.alloc(5, 0xff)])
  t.ok(reader.read(bytes, 5, bytes.length - 5))
  t.equal(sink.seen.length, 1)
  t.equal(reader.partialSize, 0)
})

t.test('reader - only the frame that is split is copied', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 1000)
  const bytes = Buffer.concat([frame(1), frame(40), frame(1), frame(1)])
  sink.read(reader, bytes.subarray(0, 30))
  t.equal(reader.partialSize, 30 - 9)
  t.equal(reader.expectedSize, 48)
  t.equal(reader.expectedType, FrameType.publish)
  t.equal(reader.expectedChannel, 1)
  sink.read(reader, bytes.subarray(30))
  t.same(
    sink.seen.map(({ inPlace }) => inPlace),
    [true, false, true, true],
  )
  t.equal(reader.partialSize, 0)
})

t.test('reader - what is known of a split frame is told as soon as it is known', async (t) => {
  const reader = new FrameReader(new Sink(), 1000)
  const bytes = frame(100, 5, FrameType.list, 0x0203)
  const seen = []
  for (let at = 0; at < 9; at++) {
    reader.read(bytes, at, at + 1)
    seen.push([reader.partialSize, reader.expectedSize, reader.expectedType, reader.expectedChannel])
  }
  t.same(seen, [
    [1, 0, 0, 0],
    [2, 0, 0, 0],
    [3, 0, 0, 0],
    [4, 112, 0, 0],
    [5, 112, 0, 0],
    [6, 112, 0, 0],
    [7, 112, 0, 0],
    [8, 112, FrameType.list, 0x0203],
    [9, 112, FrameType.list, 0x0203],
  ])
})

t.test('reader - a size is judged when its four bytes are there', async (t) => {
  for (const [hex, code] of [
    ['00000003', 'frameMalformed'],
    ['000003e9', 'frameTooLarge'],
    ['ffffffff', 'frameTooLarge'],
    ['80000000', 'frameTooLarge'],
  ]) {
    for (const pieces of [[hex], hex.match(/../g)!]) {
      const reader = new FrameReader(new Sink(), 1000)
      const results = pieces.map((piece) => reader.read(Buffer.from(piece, 'hex'), 0, piece.length / 2))
      t.equal(results.at(-1), false, hex)
      t.equal(reader.fault?.code, code, hex)
      t.equal(reader.partialSize, 0, 'nothing is kept')
    }
  }
})

t.test('reader - limit frameSizeMax: a frame of that size is read, one byte more is not', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 1000)
  t.ok(sink.read(reader, frame(996)))
  t.equal(sink.seen.length, 1)
  t.notOk(sink.read(reader, frame(997)))
  t.match(reader.fault, { code: 'frameTooLarge', message: /1001 bytes is larger than frameSizeMax \(1000\)/ })
  t.notOk(sink.read(reader, frame(1)), 'once faulted, nothing more is read')
  t.equal(sink.seen.length, 1)
})

t.test('reader - frames before a fault are handed on, frames behind it are not', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 1000)
  t.notOk(sink.read(reader, Buffer.concat([frame(1), frame(2), Buffer.from([0, 0, 0, 1]), frame(3)])))
  t.equal(sink.seen.length, 2)
  t.equal(reader.fault?.code, 'frameMalformed')
})

t.test('reader - a correlation id has room and is not 0', async (t) => {
  for (const hex of ['00000007100100000000', '000000081001000000000000', '0000000410010000']) {
    const reader = new FrameReader(new Sink(), 1000)
    t.notOk(reader.read(Buffer.from(hex, 'hex'), 0, hex.length / 2), hex)
    t.equal(reader.fault?.code, 'frameMalformed')
  }
})

t.test('reader - the sink may raise frameSizeMax, and it holds for the next frame', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 10)
  sink.during = () => {
    reader.frameSizeMax = 1000
  }
  t.ok(sink.read(reader, Buffer.concat([frame(1), frame(500)])))
  t.equal(sink.seen.length, 2)
})

t.test('reader - after stop the sink gets nothing more, from the same bytes or others', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 1000)
  sink.during = () => reader.stop()
  t.notOk(sink.read(reader, Buffer.concat([frame(1), frame(1), frame(500).subarray(0, 20)])))
  t.equal(sink.seen.length, 1)
  t.ok(reader.stopped)
  t.equal(reader.fault, undefined)
  t.notOk(sink.read(reader, frame(1)))
  t.equal(reader.scan(frame(1), 0, 9), -1)
  t.equal(sink.seen.length, 2, 'scan is the primitive: it hands on until it is told to stop')
  t.equal(reader.partialSize, 0)
})

t.test('reader - scan says where the partial frame begins', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 1000)
  const bytes = Buffer.concat([frame(3), frame(5)])
  t.equal(reader.scan(bytes, 0, bytes.length), bytes.length)
  t.equal(reader.scan(bytes, 0, bytes.length - 1), 11)
  t.equal(reader.scan(bytes, 0, 3), 0)
  t.equal(reader.partialSize, 0, 'it keeps nothing')
})

t.test('reader - memory follows what has come, never what a size claims', async (t) => {
  const reader = new FrameReader(new Sink(), 16 * 1024 * 1024)
  reader.read(Buffer.from('00ffffff01000001', 'hex'), 0, 8)
  t.equal(reader.expectedSize, 0x1000003)
  t.ok(reader.carrySize <= 256, `a claim of 16 MiB holds ${reader.carrySize} bytes`)
  const piece = Buffer.alloc(1000)
  while (reader.partialSize < 1_000_000) {
    reader.read(piece, 0, piece.length)
    if (reader.carrySize > 2 * reader.partialSize) t.fail(`${reader.carrySize} bytes for ${reader.partialSize}`)
  }
  t.ok(reader.carrySize >= reader.partialSize)
})

t.test('reader - the carry does not grow beyond its frame', async (t) => {
  const reader = new FrameReader(new Sink(), 1000)
  const bytes = frame(600)
  reader.read(bytes, 0, 400)
  t.ok(reader.carrySize <= 608)
  reader.read(bytes, 400, 500)
  t.equal(reader.carrySize, 608)
})

t.test('reader - a large carry is let go when it is empty, a small one is kept for the next', async (t) => {
  const sink = new Sink()
  const reader = new FrameReader(sink, 16 * 1024 * 1024)
  for (const [size, kept] of [
    [100, 256],
    [4096, 4096],
    [10_000, 0],
    [100_000, 0],
  ]) {
    const bytes = frame(size - frameHeaderSize)
    reader.read(bytes, 0, size - 1)
    t.ok(reader.carrySize >= size - 1)
    reader.read(bytes, size - 1, size)
    t.equal(reader.partialSize, 0)
    t.equal(reader.carrySize, kept, `${size} bytes`)
  }
  const two = Buffer.concat([frame(10_000), frame(10_000)])
  reader.read(two, 0, 5000)
  reader.read(two, 5000, 15_000)
  const busy = reader.carrySize
  t.ok(busy > 4096, 'in the middle of a busy stream it stays')
  const large = Buffer.concat([frame(100_000), frame(10)])
  reader.read(two, 15_000, two.length)
  reader.read(large, 0, 50_000)
  reader.read(large, 50_000, large.length - 2)
  t.ok(reader.carrySize <= 256, 'a very large one does not')
  t.equal(sink.seen.length, 4 + 2 + 1)
  reader.stop()
  t.equal(reader.carrySize, 0)
})

t.test('reader - however bytes are cut, the same frames come out and the same fault', async (t) => {
  for (const seed of seeds(300)) {
    const random = new Random(seed)
    const parts: Buffer[] = []
    for (let i = random.below(12); i >= 0; i--)
      parts.push(frame(random.below(600), random.chance(0.3) ? 1 + random.below(1e9) : 0, random.below(256)))
    if (random.chance(0.3)) parts.push(Buffer.from([0, 0, 0, random.below(4), random.below(256)]))
    if (random.chance(0.3)) parts.push(frame(600).subarray(0, random.below(600)))
    const bytes = Buffer.concat(parts)
    const whole = run(bytes, () => bytes.length)
    t.same(
      run(bytes, () => 1),
      whole,
      `seed ${seed}, a byte at a time`,
    )
    t.same(
      run(bytes, () => 1 + random.below(300)),
      whole,
      `seed ${seed}`,
    )
  }
})

function run(bytes: Buffer, size: () => number): object {
  const sink = new Sink()
  const reader = new FrameReader(sink, 800)
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + size())
    if (!sink.read(reader, bytes.subarray(at, end))) break
    at = end
  }
  const frames = sink.seen.map(({ inPlace: _, ...rest }) => rest)
  return { frames, fault: reader.fault, rest: reader.partialSize, expected: reader.expectedSize, headerSize: frameHeaderSize }
}
