import { Flag, FrameType } from '@waybill/protocol'
import t from 'tap'
import { Slabs } from '../../dist/broker/store/slabs.js'
import { Intake, type IntakeHome } from '../../dist/session/intake.js'
import { IntakeShare } from '../../dist/session/intake-share.js'
import { ReadGate } from '../../dist/session/read-gate.js'
import { forSeeds, type Random } from '../seeds.js'
import { PaperTransport } from '../stage/paper-transport.js'
import { rawPublish } from '../stage/records.js'
import { Stage } from '../stage/stage.js'

const KiB = 1 << 10
const MiB = 1 << 20

function frameOf(type: number, channel: number, body: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(4 + body.length)
  header[4] = type
  header.writeUInt16BE(channel, 6)
  return Buffer.concat([header, body])
}

/** Notes every frame by its bytes, and where a fault ends it. */
class Notes implements IntakeHome {
  isOpen = true
  isServed = false
  readonly gate = new ReadGate(new PaperTransport('paper:1', true))
  laterCount = 0
  readonly frames: string[] = []
  readonly slabs: number[] = []
  failure: string | undefined
  credit = Infinity
  intake!: Intake

  readLater(): void {
    this.laterCount++
  }

  creditLeft(): number {
    return this.credit
  }

  frame(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
    const body = Buffer.from(bytes.subarray(from, to))
    this.frames.push(`${type} ${flags} ${channel} ${correlation} ${body.length} ${body.subarray(0, 40).toString('hex')}`)
    this.slabs.push(this.intake.slabOf(bytes, from))
  }

  fail(name: string): void {
    this.failure ??= name
    this.intake.stop()
  }
}

function newIntake(slabs = new Slabs(), share = new IntakeShare(slabs, 2 ** 31)) {
  const notes = new Notes()
  const intake = new Intake(notes, share)
  notes.intake = intake
  intake.opened(17 * MiB)
  return { intake, notes, slabs, share }
}

/** A socket that reads into a shared place, or into the intake's own; the place of a read is settled after the one before. */
class Socket {
  readonly #intake: Intake
  readonly #shared: Buffer
  #place: { buffer: Uint8Array; from: number; to: number }

  constructor(intake: Intake) {
    this.#intake = intake
    this.#shared = Buffer.alloc(64 * KiB)
    this.#place = { buffer: this.#shared, from: 0, to: this.#shared.length }
  }

  /** Reads as much as the place takes; returns how many bytes that were. */
  read(bytes: Buffer): number {
    const { buffer, from, to } = this.#place
    const size = Math.min(bytes.length, to - from)
    buffer.set(bytes.subarray(0, size), from)
    this.#intake.read(buffer, from, from + size, 0)
    const own = this.#intake.landing()
    this.#place =
      own === undefined ? { buffer: this.#shared, from: 0, to: this.#shared.length } : { buffer: own.buffer, from: own.from, to: own.to }
    return size
  }

  readAll(bytes: Buffer, pieceSize: () => number): void {
    for (let at = 0; at < bytes.length; ) at += this.read(bytes.subarray(at, at + pieceSize()))
  }
}

function randomFrames(random: Random): Buffer {
  const frames: Buffer[] = []
  for (let i = 0; i < 300; i++) {
    const size = random.chance(0.03) ? random.below(900 * KiB) : random.chance(0.3) ? random.below(60_000) : random.below(2_000)
    const body = Buffer.alloc(size, i)
    const frame = frameOf(random.pick([FrameType.publish, FrameType.settle, 0x55]), 1 + random.below(9), body)
    if (random.chance(0.1) && body.length >= 4) {
      frame[5] = Flag.correlated
      frame.writeUInt32BE(1 + i, 8)
    }
    frames.push(frame)
  }
  return Buffer.concat(frames)
}

t.test('intake - the same frames wherever the bytes land, and however they come', (t) =>
  forSeeds(t, 30, (random) => {
    const bytes = randomFrames(random)
    const plain = newIntake()
    plain.intake.read(bytes, 0, bytes.length, 0)
    const { intake, notes, slabs } = newIntake()
    const socket = new Socket(intake)
    const large = random.chance(0.7)
    socket.readAll(bytes, () => (large || random.chance(0.9) ? 256 * KiB : 1 + random.below(20_000)))
    if (notes.frames.join('\n') !== plain.notes.frames.join('\n'))
      throw new Error(`${notes.frames.length} frames came, ${plain.notes.frames.length} were sent`)
    if (large && !notes.slabs.some((slab) => slab >= 0)) throw new Error('a bulk publisher gets a slab')
    intake.close()
    slabs.invariants()
    if (slabs.usedSize !== 0) throw new Error('and gives it back')
  }),
)

t.test('intake - a slab that a socket reads into is not given to others while it does', async (t) => {
  const { intake, slabs } = newIntake()
  const socket = new Socket(intake)
  const bytes = Buffer.concat(new Array(40).fill(frameOf(FrameType.settle, 1, Buffer.alloc(20_000, 1))))
  socket.readAll(bytes, () => 64 * KiB)
  t.ok(intake.landing(), 'it has one')
  // The connection ends for a reason of its own, outside of a read; the socket's next read lands where it was told.
  intake.stop()
  const size = 200 * KiB
  slabs.append(Buffer.alloc(size, 7), 0, size)
  slabs.retain(slabs.slab, size)
  const { slab, offset } = slabs
  socket.read(Buffer.alloc(64 * KiB, 9))
  t.ok(
    slabs
      .buffer(slab)
      .subarray(offset, offset + size)
      .equals(Buffer.alloc(size, 7)),
    'what others keep is as it was',
  )
  t.equal(intake.landing(), undefined, 'from then on it is free')
  slabs.release(slab, size)
  slabs.invariants()
})

t.test('intake - a bulk publisher that falls quiet, or a transport that does not ask, does without a slab', async (t) => {
  const { intake } = newIntake()
  const socket = new Socket(intake)
  const frame = frameOf(FrameType.settle, 1, Buffer.alloc(1_000))
  socket.readAll(Buffer.concat(new Array(400).fill(frame)), () => 64 * KiB)
  t.ok(intake.landing())
  for (let i = 0; i < 64; i++) socket.read(frame)
  t.equal(intake.landing(), undefined)

  const other = newIntake()
  for (let i = 0; i < 10; i++) other.intake.read(Buffer.concat(new Array(60).fill(frame)), 0, 60_480, 0)
  t.equal(other.slabs.usedSize, 0)
})

t.test('intake - so many connections have slabs of their own, and no more', async (t) => {
  const slabs = new Slabs()
  const share = new IntakeShare(slabs, 2 ** 31)
  const bytes = Buffer.concat(new Array(400).fill(frameOf(FrameType.settle, 1, Buffer.alloc(1_000))))
  const intakes = Array.from({ length: 70 }, () => newIntake(slabs, share).intake)
  for (const intake of intakes) new Socket(intake).readAll(bytes, () => 64 * KiB)
  t.equal(intakes.filter((intake) => intake.landing() !== undefined).length, 64)
  for (const intake of intakes) intake.close()
  t.equal(slabs.usedSize, 0)
  t.ok(share.admitBulk())

  const poor = new IntakeShare(slabs, 64 * MiB)
  t.same(
    Array.from({ length: 6 }, () => poor.admitBulk()),
    [true, true, true, true, false, false],
    'a sixteenth of the memory at most',
  )
})

t.test('intake - the same frames, in order, when a connection has had its share at any point', (t) =>
  forSeeds(t, 30, (random) => {
    const bytes = randomFrames(random)
    const plain = newIntake()
    plain.intake.read(bytes, 0, bytes.length, 0)
    const { intake, notes } = newIntake()
    const { frame } = notes
    notes.frame = (...args) => {
      frame.apply(notes, args)
      if (random.chance(0.1)) notes.isServed = true
    }
    const socket = new Socket(intake)
    for (let at = 0; at < bytes.length; ) {
      if (notes.gate.isClosed || random.chance(0.3)) {
        notes.isServed = false
        intake.goOn(0)
      } else at += socket.read(bytes.subarray(at, at + 1 + random.below(60_000)))
      if (notes.gate.isClosed !== intake.isBehind) throw new Error('it is not read as long as it is behind')
    }
    while (intake.isBehind) {
      notes.isServed = false
      intake.goOn(0)
    }
    if (notes.frames.join('\n') !== plain.notes.frames.join('\n')) throw new Error('frames are missing')
  }),
)

t.test('limit otherFrameSizeMax - 1 MiB of anything but PUBLISH is read, one byte more is refused by its size alone', async (t) => {
  for (const land of [false, true]) {
    const good = newIntake()
    const bytes = frameOf(FrameType.settle, 1, Buffer.alloc(MiB - 4))
    if (land) new Socket(good.intake).readAll(bytes, () => 64 * KiB)
    else good.intake.read(bytes, 0, bytes.length, 0)
    t.equal(good.notes.frames.length, 1)
    const large = newIntake()
    const header = frameOf(FrameType.settle, 1, Buffer.alloc(MiB - 3)).subarray(0, 8)
    large.intake.read(header, 0, 8, 0)
    t.equal(large.notes.failure, 'frameTooLarge')
  }
})

t.test('intake - a PUBLISH above 64 KiB and above the credit of its channel is refused by its header', async (t) => {
  for (const [credit, isGood] of [
    [100_000, true],
    [99_999, false],
  ] as const) {
    const { intake, notes } = newIntake()
    notes.credit = credit
    const bytes = frameOf(FrameType.publish, 1, Buffer.alloc(100_016))
    intake.read(bytes, 0, 8, 0)
    t.equal(notes.failure, isGood ? undefined : 'frameTooLarge')
  }
})

t.test('limit frameSizeMax - a frame of that size is read, one byte more is refused by its size alone', async (t) => {
  const { intake, notes } = newIntake()
  intake.opened(100_000)
  const bytes = frameOf(FrameType.publish, 1, Buffer.alloc(99_996))
  intake.read(bytes, 0, bytes.length, 0)
  t.equal(notes.frames.length, 1)
  const large = frameOf(FrameType.publish, 1, Buffer.alloc(99_997))
  intake.read(large, 0, 4, 0)
  t.equal(notes.failure, 'frameTooLarge')
})

t.test('intake - frames that are begun and not ended share one pot; small ones and those within credit do not', async (t) => {
  const share = new IntakeShare(new Slabs(), 2 ** 31)
  const half = frameOf(FrameType.settle, 1, Buffer.alloc(900 * KiB)).subarray(0, 450 * KiB)
  const begun: ReturnType<typeof newIntake>[] = []
  for (let i = 0; i < 100; i++) {
    const each = newIntake(share.slabs, share)
    begun.push(each)
    for (let at = 0; at < half.length; at += 50 * KiB) each.intake.read(half, at, Math.min(half.length, at + 50 * KiB), 0)
  }
  const failed = begun.filter(({ notes }) => notes.failure === 'resourceExhausted')
  t.ok(failed.length >= 80)
  t.ok(share.partialSize <= 2 * MiB)

  const small = newIntake(share.slabs, share)
  small.intake.read(half, 0, 8 * KiB, 0)
  t.equal(small.notes.failure, undefined)
  const credited = newIntake(share.slabs, share)
  const publish = frameOf(FrameType.publish, 1, Buffer.alloc(900 * KiB))
  credited.intake.read(publish, 0, 450 * KiB, 0)
  t.equal(credited.notes.failure, undefined)

  for (const { intake } of begun) intake.close()
  t.equal(share.partialSize, 0)
})

t.test('intake - what a session is charged for a half frame is given back when it is whole, and when it is cut', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const settle = frameOf(FrameType.settle, 9, Buffer.alloc(30_000))
  peer.send(settle.subarray(0, 20_000))
  t.equal(stage.turn.intakes.partialSize, 20_000)
  peer.send(settle.subarray(20_000))
  t.equal(stage.turn.intakes.partialSize, 0)
  const other = stage.connect().open()
  other.send(settle.subarray(0, 20_000))
  other.cut()
  t.equal(stage.turn.intakes.partialSize, 0)
  const publisher = stage.connect().open()
  publisher.send(rawPublish(1, 1, [{ body: Buffer.alloc(40_000) }]).subarray(0, 30_000))
  t.equal(stage.turn.intakes.partialSize, 0, 'that is covered by credit')
})
