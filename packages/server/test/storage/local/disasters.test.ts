/** One test for each way in which a disk can lie about a log. */
import t from 'tap'
import { DiskError, type DiskFile } from '../../../dist/ports/disk.js'
import type { Log, LogReading, LogReplay, Position } from '../../../dist/ports/log.js'
import { blockSizeAt, blockSizeOf } from '../../../dist/storage/local/block.js'
import { type LocalLogOptions, openLocalLog } from '../../../dist/storage/local/index.js'
import { segmentName, spareOfName } from '../../../dist/storage/local/names.js'
import { offsetOf } from '../../../dist/storage/local/segment.js'
import { later } from '../../stage/later.js'
import { PaperDisk } from '../../stage/paper-disk.js'

const KiB = 1024
const waiting: (() => void)[] = []
const options: LocalLogOptions = {
  clock: { wall: () => 0 },
  entropy: { name: () => 'disasters' },
  later,
  wake: () => {
    for (const look of waiting) look()
  },
  segmentSize: 16 * KiB,
}

function synced(log: Log, position: Position): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (log.progress().synced < position) return
      waiting.splice(waiting.indexOf(look), 1)
      resolve()
    }
    waiting.push(look)
    look()
  })
}

function saved(log: Log): Promise<void> {
  const { written } = log.progress()
  return new Promise((resolve) => log.saveSnapshot({ through: written, parts: [] }, () => resolve()))
}

function closed(log: Log): Promise<void> {
  return new Promise((resolve) => log.close(resolve))
}

async function replayed(log: Log, from: Position = 0): Promise<{ readonly found: number[]; readonly replay: LogReplay }> {
  const found: number[] = []
  const replay = await log.replay(from, (_, bytes) => found.push(bytes[0]))
  return { found, replay }
}

/** A log with these appends, each synced before the next, left as it is: no marker stands behind them. */
async function left(sizes: readonly number[], disk = new PaperDisk(later)): Promise<{ disk: PaperDisk; positions: Position[] }> {
  const log = await openLocalLog(disk, options)
  const positions: Position[] = []
  for (const [i, size] of sizes.entries()) {
    positions.push(log.append([Buffer.alloc(size, i)], 'sync'))
    await synced(log, positions[i])
  }
  const copy = disk.copy()
  await closed(log)
  return { disk: copy, positions }
}

/*
 *     segment 5, once segment 1   │ new │ new │ end │         as written
 *                                 │ new │ new │ old ····      the end mark was lost: a block of segment 1, whole, stands at just its place
 */
t.test('disasters - a block of an earlier use of the file, whole and in the right place, is not taken for one of the log', async (t) => {
  const disk = new PaperDisk(later)
  const log = await openLocalLog(disk, options)
  for (let i = 0; i < 5; i++) log.append([Buffer.alloc(5_000, i)], 'sync')
  const old = Buffer.from(disk.files.get(segmentName(1))!)
  await saved(log)
  log.drop(1)
  await synced(log, log.append([Buffer.alloc(10, 5)], 'sync'))
  t.ok(
    disk.list().some((name) => spareOfName(name) !== undefined),
    'the file of the segment is kept for another one',
  )
  log.seal()
  const position = log.append([Buffer.alloc(5_000, 6)], 'sync')
  await synced(log, position)
  const copy = disk.copy()
  await closed(log)
  const name = segmentName(log.segmentOf(position))
  const bytes = Buffer.from(copy.files.get(name)!)
  const end = offsetOf(position) + blockSizeOf(5_000)
  const stale = old.indexOf(Buffer.alloc(5_000, 1)) - 48
  old.copy(bytes, end, stale, stale + blockSizeAt(old, stale))
  copy.files.set(name, bytes)
  const again = await openLocalLog(copy, options)
  const { found, replay } = await replayed(again)
  t.strictSame(found, [3, 4, 5, 6])
  t.strictSame(replay.damage, [])
  await closed(again)
})

/*
 *     │ 0 │ 1 │ 2 a │ 2 b │▒▒▒▒▒│                              the third block of an append never came to the disk
 */
t.test('disasters - an append of which the last block is not there is not there at all', async (t) => {
  const { disk, positions } = await left([100, 2_500 * KiB])
  const name = segmentName(2)
  const bytes = Buffer.from(disk.files.get(name)!)
  bytes.fill(0, 2_100 * KiB)
  disk.files.set(name, bytes)
  const log = await openLocalLog(disk, options)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0])
  t.strictSame(replay.damage, [])
  t.equal(replay.torn?.segment, 2)
  t.equal(log.progress().written, positions[0])
  const next = log.append([Buffer.alloc(100, 7)], 'sync')
  await synced(log, next)
  await closed(log)
  const again = await openLocalLog(disk, options)
  t.strictSame((await replayed(again)).found, [0, 7], 'and nothing of it comes back')
  await closed(again)
})

/*
 *     │ 0 │ 1 │ 2 │▒▒▒│ 4 │        4 came to the disk, 3 did not, and nothing says that 3 was synced
 */
t.test('disasters - what was written behind something that did not arrive is cut with it', async (t) => {
  const disk = new PaperDisk(later)
  const first = await openLocalLog(disk, options)
  const positions = [0, 1, 2].map((i) => first.append([Buffer.alloc(100, i)], 'sync'))
  await synced(first, positions[2])
  positions.push(first.append([Buffer.alloc(100, 3)], 'lazy'), first.append([Buffer.alloc(100, 4)], 'lazy'))
  const copy = disk.copy()
  await closed(first)
  copy.flip(segmentName(1), offsetOf(positions[3]) + 60)
  const log = await openLocalLog(copy, options)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0, 1, 2])
  t.strictSame([replay.damage, replay.torn?.where], [[], `segment-00000001.log offset ${offsetOf(positions[3])}`])
  log.append([Buffer.alloc(20, 5)], 'sync')
  await closed(log)
  const again = await openLocalLog(copy, options)
  const second = await replayed(again)
  t.strictSame([second.found, second.replay.damage, second.replay.torn], [[0, 1, 2, 5], [], undefined])
  await closed(again)
})

/*
 *     │ 0 │ 1 │▒▒▒│ 3 │ 4 │        the same bytes, but 4 was written when 2 had been synced
 */
t.test('disasters - what was synced and is bad is damage, and what stands behind it is read', async (t) => {
  const disk = new PaperDisk(later)
  const first = await openLocalLog(disk, options)
  const positions: Position[] = []
  for (let i = 0; i < 5; i++) {
    positions.push(first.append([Buffer.alloc(100, i)], 'sync'))
    await synced(first, positions[i])
  }
  const copy = disk.copy()
  await closed(first)
  copy.flip(segmentName(1), offsetOf(positions[2]) + 60)
  const log = await openLocalLog(copy, options)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0, 1, 3, 4])
  t.strictSame(replay.torn, undefined)
  t.strictSame(
    replay.damage.map(({ where }) => where),
    [`segment-00000001.log offset ${offsetOf(positions[2])}`],
  )
  await closed(log)
})

/*
 *     │ 0 │ 1 a │▒▒▒│ 1 c │ 2 │      the append is lost, and its end is not taken for a beginning
 */
t.test('disasters - an append with a bad block in its middle is lost as a whole, and nothing else', async (t) => {
  const { disk } = await left([100, 2_500 * KiB, 50, 60])
  disk.flip(segmentName(2), 1_500 * KiB)
  const log = await openLocalLog(disk, options)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0, 2, 3])
  t.match(replay.damage, [{ segment: 2, where: `segment-00000002.log offset ${1024 * KiB}` }])
  t.equal(replay.torn, undefined)
  await closed(log)
})

class BadSectors extends PaperDisk {
  bad: { readonly name: string; readonly at: number } | undefined

  override open(name: string): DiskFile {
    const file = super.open(name)
    const check = (size: number, at: number): void => {
      const { bad } = this
      if (bad !== undefined && bad.name === name && bad.at >= at && bad.at < at + size) throw new DiskError('broken', 'EIO')
    }
    const { read } = file
    file.read = (into, at) => {
      check(into.length, at)
      return read.call(file, into, at)
    }
    file.readLater = (into, at, done) =>
      later(0, () => {
        try {
          done(undefined, file.read(into, at))
        } catch (error) {
          done(error as DiskError, 0)
        }
      })
    return file
  }
}

t.test('disasters - a sector that the disk does not give any more is damage in its place, to opening and to reading', async (t) => {
  const disk = new BadSectors(later)
  const first = await openLocalLog(disk, options)
  const positions: Position[] = []
  for (let i = 0; i < 12; i++) {
    positions.push(first.append([Buffer.alloc(3_000, i)], 'sync'))
    await synced(first, positions[i])
  }
  disk.bad = { name: segmentName(2), at: offsetOf(positions[6]) + 2_000 }
  const others = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
  const read = async (log: Log): Promise<{ readonly found: number[]; readonly damaged: string[] }> => {
    const found: number[] = []
    const damaged: string[] = []
    for (let at: Position | undefined = 0; at !== undefined; ) {
      const from: Position = at
      const reading = await new Promise<LogReading>((resolve) => log.read(from, 100 * KiB, resolve))
      for (const { bytes } of reading.blocks) found.push(bytes[0])
      for (const { where } of reading.damage) damaged.push(where)
      at = reading.next
    }
    return { found, damaged }
  }
  // Pages of 4 KiB are read whole: the neighbour in the same page may be lost with it.
  const { found, damaged } = await read(first)
  t.ok(!found.includes(6) && found.length >= others.length - 2)
  t.ok(damaged.length > 0 && damaged.every((where) => where.startsWith(segmentName(2))))
  await closed(first)

  const log = await openLocalLog(disk, options)
  const opened = await replayed(log)
  t.ok(!opened.found.includes(6) && opened.found.length >= others.length - 2)
  t.match(opened.replay.damage, [{ segment: 2, where: /^segment-00000002.log offset/ }])
  await closed(log)
})

/*
 *     opened:  │ 0 │ 1 │ 2 │ 3 │           replayed a moment later:  │ 0 │ 1 │▒▒▒│ 3 │
 */
t.test(
  'disasters - a block that was whole when the log was opened and is not when it is replayed is damage, and the others are there',
  async (t) => {
    const { disk, positions } = await left([100, 100, 100, 100])
    const log = await openLocalLog(disk, options)
    const bytes = disk.files.get(segmentName(1))!
    bytes[offsetOf(positions[2]!) + 60]! ^= 1
    const { found, replay } = await replayed(log)
    t.strictSame(found, [0, 1, 3])
    t.match(replay.damage, [{ segment: 1, where: `${segmentName(1)} offset ${offsetOf(positions[2]!)}` }])
    await closed(log)
  },
)
