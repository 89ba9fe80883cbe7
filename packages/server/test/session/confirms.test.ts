import { checkConfirm, ErrorCode, FrameReader, FrameType } from '@waybill/protocol'
import t from 'tap'
import { Confirms } from '../../dist/session/confirms.js'
import { forSeeds } from '../seeds.js'
import { framesOf, wire } from '../stage/wire.js'

interface Told {
  readonly through: number
  readonly runs: { firstSequence: number; firstMessageId: number; count: number; queueCount: number; level: string }[]
  readonly exceptions: { sequence: number; code: number; queueCount: number; detail: string }[]
}

function write(confirms: Confirms, synced = 0): Told[] {
  const { transport, output } = wire()
  output.begin(transport, [])
  confirms.write(output, 1, 1_000, 2_000, synced)
  output.end()
  const bytes = Buffer.concat(transport.arrived)
  const reader = new FrameReader(
    {
      frame(bytes, type, _flags, _channel, _correlation, from, to) {
        if (type !== FrameType.confirm || checkConfirm(bytes, from, to) !== 0) throw new Error('it is no good CONFIRM')
      },
    },
    2 ** 30,
  )
  reader.scan(bytes, 0, bytes.length)
  return framesOf(transport) as unknown as Told[]
}

t.test('confirms - neighbours with the same fate are one run', async (t) => {
  const confirms = new Confirms()
  for (let i = 1; i <= 5; i++) confirms.taken(i, 100 + i, 1, 1, 1, 0)
  confirms.taken(6, 106, 1, 2, 1, 0)
  confirms.taken(7, 108, 1, 2, 1, 0)
  confirms.refused(8, ErrorCode.unroutable.code, 'nowhere')
  confirms.taken(9, 109, 1, 2, 1, 0)
  t.match(write(confirms), [
    {
      type: 'CONFIRM',
      through: 9,
      creditSequence: 1_000,
      creditSize: 2_000,
      runs: [
        { firstSequence: 1, firstMessageId: 101, count: 5, queueCount: 1, level: 'received' },
        { firstSequence: 6, firstMessageId: 106, count: 1, queueCount: 2 },
        { firstSequence: 7, firstMessageId: 108, count: 1 },
        { firstSequence: 9, firstMessageId: 109, count: 1 },
      ],
      exceptions: [{ sequence: 8, code: 312, queueCount: 0, detail: 'nowhere' }],
    },
  ])
  t.notOk(confirms.pending)
  t.equal(confirms.takenCount, 8)
  t.equal(confirms.refusedCount, 1)
})

t.test('confirms - what waits for the disk holds up all that comes behind it, and nothing before it', async (t) => {
  const confirms = new Confirms()
  confirms.taken(1, 101, 1, 1, 1, 0)
  confirms.refused(2, ErrorCode.unroutable.code, 'first')
  confirms.taken(3, 102, 1, 1, 3, 7)
  confirms.taken(4, 103, 1, 1, 3, 7)
  confirms.refused(5, ErrorCode.unroutable.code, 'second')
  confirms.taken(6, 104, 1, 1, 1, 0)
  confirms.taken(7, 105, 1, 1, 3, 8)
  confirms.through = 8

  t.ok(confirms.isReady(0))
  t.match(write(confirms, 0), [{ through: 2, runs: [{ firstSequence: 1, count: 1 }], exceptions: [{ sequence: 2, detail: 'first' }] }])
  t.ok(confirms.pending)
  t.notOk(confirms.isReady(6))
  t.match(write(confirms, 7), [
    {
      through: 6,
      runs: [
        { firstSequence: 3, firstMessageId: 102, count: 2, level: 'synced' },
        { firstSequence: 6, count: 1, level: 'received' },
      ],
      exceptions: [{ sequence: 5, detail: 'second' }],
    },
  ])
  t.ok(confirms.isReady(8))
  t.match(write(confirms, 8), [{ through: 8, runs: [{ firstSequence: 7, count: 1, level: 'synced' }], exceptions: [] }])
  t.notOk(confirms.pending)
  t.equal(confirms.takenCount, 5)
})

t.test('confirms - what waits for a batch that is lost is refused in its place; what waits for later ones goes on waiting', async (t) => {
  const confirms = new Confirms()
  confirms.taken(1, 101, 1, 1, 1, 0)
  confirms.taken(2, 102, 1, 1, 3, 7)
  confirms.refused(3, ErrorCode.unroutable.code, 'nowhere')
  confirms.taken(4, 103, 1, 1, 3, 8)
  confirms.taken(5, 104, 1, 1, 3, 8)
  confirms.taken(6, 105, 1, 1, 1, 0)
  confirms.taken(7, 106, 1, 1, 2, 9)
  confirms.taken(8, 107, 1, 1, 3, 10)
  t.ok(confirms.hasLost(6, 9))
  t.notOk(confirms.hasLost(9, 9))
  t.notOk(confirms.hasLost(0, 6))
  const withdrawn: number[][] = []
  confirms.refuseLost(7, 9, ErrorCode.storageFailed.code, 'the disk', (firstId, count) => withdrawn.push([firstId, count]))
  t.same(withdrawn, [
    [103, 2],
    [106, 1],
  ])
  t.match(write(confirms, 7), [
    {
      through: 7,
      runs: [
        { firstSequence: 1, count: 1 },
        { firstSequence: 2, count: 1 },
        { firstSequence: 6, count: 1 },
      ],
      exceptions: [
        { sequence: 3, code: 312, detail: 'nowhere' },
        { sequence: 4, code: 507, detail: 'the disk' },
        { sequence: 5, code: 507 },
        { sequence: 7, code: 507 },
      ],
    },
  ])
  t.ok(confirms.pending)
  t.match(write(confirms, 10), [{ through: 8, runs: [{ firstSequence: 8, count: 1 }], exceptions: [] }])
  t.notOk(confirms.pending)
  t.equal(confirms.refusedCount, 4)
  t.equal(confirms.takenCount, 4)
})

t.test('confirms - more queues than the field can say are told as 65,535', async (t) => {
  const confirms = new Confirms()
  confirms.taken(1, 1, 1, 70_000, 1, 0)
  t.equal(write(confirms)[0]!.runs[0]!.queueCount, 65_535)
})

t.test('confirms - what does not fit into a frame is told in several, each complete up to its `through`', async (t) => {
  const confirms = new Confirms()
  for (let i = 1; i <= 40_000; i++) {
    if (i % 2 === 0) confirms.taken(i, 2 * i, 1, 1, 1, 0)
    else confirms.refused(i, 423, 'wrong')
  }
  const frames = write(confirms)
  t.ok(frames.length > 3)
  let told = 0
  for (const { through, runs, exceptions } of frames) {
    const sequences = [...runs.map(({ firstSequence }) => firstSequence), ...exceptions.map(({ sequence }) => sequence)]
    t.equal(Math.min(...sequences), told + 1)
    t.equal(Math.max(...sequences), through)
    t.equal(sequences.length, through - told)
    told = through
  }
  t.equal(told, 40_000)
})

t.test('confirms - words are told for the first exceptions only: 64 KiB of them, and 1 KiB each, cut between characters', async (t) => {
  const confirms = new Confirms()
  const detail = 'é'.repeat(1_000)
  for (let i = 1; i <= 100_000; i++) confirms.refused(i, 423, `${i}${detail}`)
  t.notOk(confirms.hasRoomForDetail)
  const exceptions = write(confirms).flatMap(({ exceptions }) => exceptions)
  t.equal(exceptions.length, 100_000)
  const worded = exceptions.filter(({ detail }) => detail !== '')
  t.equal(worded.length, 65)
  t.ok(worded.every(({ detail }, i) => detail === `${i + 1}${'é'.repeat(511)}` || Buffer.byteLength(detail) <= 1_024))
  t.ok(confirms.hasRoomForDetail, 'and again in the next turn')
})

t.test('confirms - everything that was decided is told, once, in order', (t) =>
  forSeeds(t, 40, (random) => {
    const confirms = new Confirms()
    const fates = new Map<number, string>()
    const told = new Map<number, string>()
    let sequence = 0
    let id = 0
    for (let turn = 0; turn < 20; turn++) {
      for (let count = random.below(random.chance(0.05) ? 9_000 : 40); count > 0; count--) {
        sequence++
        if (random.chance(0.3)) {
          const code = random.pick([312, 403, 423])
          confirms.refused(sequence, code, random.chance(0.5) ? '' : `code ${code}`)
          fates.set(sequence, `refused ${code}`)
        } else {
          id += random.chance(0.1) ? 2 : 1
          const queueCount = random.below(3)
          if (random.chance(0.9)) {
            confirms.taken(sequence, id, 1, queueCount, 1, 0)
            fates.set(sequence, `taken ${id} ${queueCount}`)
          }
        }
      }
      confirms.through = sequence
      let through = 0
      for (const frame of write(confirms)) {
        for (const run of frame.runs) {
          if (run.firstSequence <= through) throw new Error('a run comes late')
          for (let i = 0; i < run.count; i++) told.set(run.firstSequence + i, `taken ${run.firstMessageId + i} ${run.queueCount}`)
        }
        for (const { sequence, code } of frame.exceptions) {
          if (sequence <= through) throw new Error('an exception comes late')
          told.set(sequence, `refused ${code}`)
        }
        if (frame.through < through) throw new Error('through went down')
        through = frame.through
      }
      if (through !== sequence) throw new Error(`through ${through}, not ${sequence}`)
      if (told.size !== fates.size) throw new Error(`${told.size} were told of, not ${fates.size}`)
    }
    for (const [sequence, fate] of fates)
      if (told.get(sequence) !== fate) throw new Error(`${sequence}: ${told.get(sequence)}, not ${fate}`)
  }),
)
