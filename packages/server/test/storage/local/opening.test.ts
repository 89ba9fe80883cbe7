import t from 'tap'
import type { Log, LogReplay } from '../../../dist/ports/log.js'
import { SimDisk } from '../../../dist/sim/disk.js'
import { Random } from '../../../dist/sim/random.js'
import { type LocalLogOptions, openLocalLog } from '../../../dist/storage/local/index.js'
import { manifestName, segmentName, snapshotCopies, snapshotName } from '../../../dist/storage/local/names.js'
import { later } from '../../stage/later.js'
import { PaperDisk } from '../../stage/paper-disk.js'

const options: LocalLogOptions = {
  clock: { wall: () => 0 },
  entropy: { name: () => 'thisnewlog' },
  later,
  wake: () => undefined,
  segmentSize: 16 * 1024,
}

/** A directory with three segments of two appends each. */
async function made(): Promise<PaperDisk> {
  const disk = new PaperDisk(later)
  const log = await openLocalLog(disk, options)
  for (let i = 0; i < 6; i++) log.append([Buffer.alloc(7_000, i)], 'sync')
  await closed(log)
  return disk
}

function closed(log: Log): Promise<void> {
  return new Promise((resolve) => log.close(resolve))
}

async function replayed(log: Log): Promise<{ readonly found: number[]; readonly replay: LogReplay }> {
  const found: number[] = []
  const replay = await log.replay(0, (_, bytes) => found.push(bytes[0]))
  return { found, replay }
}

t.test('opening - data that a newer version wrote are refused, and nothing is changed', async (t) => {
  const disk = await made()
  const text = disk.files.get(manifestName)!.toString()
  disk.files.set(manifestName, signed(text.replace('"format":1', '"format":2')))
  const before = new Map(disk.files)
  await t.rejects(openLocalLog(disk, options), {
    code: 'DATA_FORMAT',
    message: 'waybill.json has format 2, and this version reads up to 1: open the data with the version that wrote them, or a newer one',
  })
  t.strictSame(disk.files, before)
})

t.test('opening - a newer version is known by its blocks and snapshots too, whatever waybill.json says', async (t) => {
  const disk = new PaperDisk(later)
  const log = await openLocalLog(disk, options)
  log.append([Buffer.alloc(7_000, 1)], 'sync')
  await new Promise((resolve) => log.saveSnapshot({ through: log.progress().written, parts: [Buffer.from('a part')] }, resolve))
  await closed(log)
  const snapshots = snapshotCopies.map((copy) => snapshotName(1, copy))
  for (const name of [segmentName(1), ...snapshots]) {
    const copy = disk.copy()
    // Blocks before a snapshot are not looked at.
    if (name === segmentName(1)) for (const snapshot of snapshots) copy.remove(snapshot)
    const bytes = Buffer.from(copy.files.get(name)!)
    const size = bytes.readUInt32BE(0) + (name === segmentName(1) ? 0 : 16)
    bytes[8] = 2
    bytes.writeUInt32BE(crc32(bytes.subarray(8, size)), 4)
    copy.files.set(name, bytes)
    const before = new Map(copy.files)
    const message = new RegExp(`of ${name} has format 2, and this version reads up to 1: open the data with the version that wrote them`)
    await t.rejects(openLocalLog(copy, options), { code: 'DATA_FORMAT', message }, name)
    t.strictSame(copy.files, before, 'nothing is changed')
  }
})

t.test('opening - older data are brought to the present format, a step that was cut is done again', async (t) => {
  const disk = await made()
  const text = disk.files.get(manifestName)!.toString()
  disk.files.set(manifestName, signed(text.replace('"format":1', '"format":0')))
  const moved = disk.files.get(segmentName(2))!
  disk.files.delete(segmentName(2))
  disk.files.set('old-name-of-2', moved)
  let runs = 0
  const step = {
    from: 0,
    async run() {
      runs++
      if (runs === 1) throw new Error('the power went')
      disk.rename('old-name-of-2', segmentName(2))
    },
  }
  await t.rejects(openLocalLog(disk, { ...options, migrations: [step] }), { message: 'the power went' })
  const log = await openLocalLog(disk, { ...options, migrations: [step] })
  t.strictSame((await replayed(log)).found, [0, 1, 2, 3, 4, 5])
  await closed(log)
  const again = await openLocalLog(disk, { ...options, migrations: [step] })
  t.equal(runs, 2, 'and then no more')
  await closed(again)
  await t.rejects(openLocalLog(withFormat(disk, 0), options), { code: 'DATA_FORMAT' }, 'where no step leads on')
})

t.test('opening - a segment that is missing is told, and the others are read', async (t) => {
  const disk = await made()
  disk.files.delete(segmentName(2))
  const log = await openLocalLog(disk, options)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0, 1, 4, 5])
  t.strictSame(
    replay.damage.map(({ segment, where }) => ({ segment, where })),
    [{ segment: 2, where: 'before segment-00000003.log' }],
  )
  await closed(log)
})

/** What `made` makes, with a snapshot through its last append. */
async function madeWithSnapshot(): Promise<PaperDisk> {
  const disk = new PaperDisk(later)
  const log = await openLocalLog(disk, options)
  for (let i = 0; i < 6; i++) log.append([Buffer.alloc(7_000, i)], 'sync')
  await new Promise((resolve) => log.saveSnapshot({ through: log.progress().written, parts: [Buffer.from('a part')] }, resolve))
  await closed(log)
  return disk
}

for (const [what, harm] of [
  ['is missing', (disk: PaperDisk) => void disk.files.delete(segmentName(3))],
  ['is shorter than it was', (disk: PaperDisk) => void disk.files.set(segmentName(3), disk.files.get(segmentName(3))!.subarray(0, 5_000))],
] as const) {
  t.test(
    `opening - when the segment in which the snapshot ends ${what}, that is told, and what comes then is there at the next start`,
    async (t) => {
      const disk = await madeWithSnapshot()
      harm(disk)
      const expected: number[] = []
      for (let i = 10; i < 14; i++) {
        const log = await openLocalLog(disk, options)
        const snapshot = await log.loadSnapshot()
        const found: number[] = []
        const replay = await log.replay(snapshot!.through, (_, bytes) => found.push(bytes[0]))
        t.match(replay.damage, [{ segment: 3, where: new RegExp(segmentName(3)) }])
        t.equal(replay.damage.length, 1)
        t.strictSame(found, expected)
        log.append([Buffer.alloc(7_000, i)], 'sync')
        expected.push(i)
        // Not closed: a process that is killed closes nothing.
        await new Promise<void>((resolve) => {
          const look = () => (log.progress().synced === log.progress().written ? resolve() : setImmediate(look))
          look()
        })
      }
    },
  )
}

t.test('opening - a segment that was cut short is told', async (t) => {
  const disk = await made()
  disk.files.set(segmentName(1), disk.files.get(segmentName(1))!.subarray(0, 7_100))
  const log = await openLocalLog(disk, options)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0, 2, 3, 4, 5])
  t.match(replay.damage, [{ segment: 1, where: /^segment-00000001.log offset/ }])
  await closed(log)
})

t.test('opening - a last block that is bad is told as a tail that was cut, though it was the first of its segment', async (t) => {
  const disk = await made()
  const name = segmentName(3)
  disk.files.set(name, Buffer.from(disk.files.get(name)!.subarray(0, 7_100)))
  disk.flip(name, 3_000)
  const log = await openLocalLog(disk, options)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0, 1, 2, 3])
  t.strictSame(replay.damage, [])
  t.match(replay.torn, { segment: 3, where: `${name} offset 0` })
  await closed(log)
})

t.test('opening - 4 KiB that became zeros are told, wherever they are', async (t) => {
  const whole = await made()
  for (let at = 0; at < 14_000; at += 4096) {
    const disk = whole.copy()
    const bytes = Buffer.from(disk.files.get(segmentName(2))!)
    bytes.fill(0, at, Math.min(bytes.length, at + 4096))
    disk.files.set(segmentName(2), bytes)
    const log = await openLocalLog(disk, options)
    const { found, replay } = await replayed(log)
    t.ok(replay.damage.length > 0, `at ${at}`)
    t.ok(found.every((each) => [0, 1, 2, 3, 4, 5].includes(each)) && [0, 1, 4, 5].every((each) => found.includes(each)))
    await closed(log)
  }
})

t.test('opening - without its waybill.json a log has the name that its snapshot says', async (t) => {
  const disk = await made()
  const first = await openLocalLog(disk, { ...options, entropy: { name: () => 'anothername' } })
  t.equal(first.identity, 'thisnewlog')
  const through = first.progress().written
  await new Promise((resolve) => first.saveSnapshot({ through, parts: [] }, resolve))
  const { epoch } = first
  await closed(first)
  disk.files.delete(manifestName)
  const log = await openLocalLog(disk, { ...options, entropy: { name: () => 'anothername' } })
  t.equal(log.identity, 'thisnewlog')
  t.ok(log.epoch > epoch)
  t.match((await replayed(log)).replay.damage, [{ where: manifestName }])
  await closed(log)
})

t.test('opening - without any whole snapshot the log is read from its first segment, and that is told', async (t) => {
  const disk = await made()
  const first = await openLocalLog(disk, options)
  await new Promise((resolve) => first.saveSnapshot({ through: first.progress().written, parts: [Buffer.alloc(50)] }, resolve))
  await closed(first)
  for (const copy of ['a', 'b']) disk.flip(`snapshot-00000001.${copy}.wbs`, 40)
  const log = await openLocalLog(disk, options)
  t.equal(await log.loadSnapshot(), undefined)
  const { found, replay } = await replayed(log)
  t.strictSame(found, [0, 1, 2, 3, 4, 5])
  t.match(replay.damage, [{ where: 'snapshot-00000001.a.wbs' }, { where: 'snapshot-00000001.b.wbs' }])
  await closed(log)
})

t.test('opening - what is no file of a log is left alone', async (t) => {
  const disk = await made()
  disk.files.set('notes.txt', Buffer.from('mine'))
  disk.files.set('snapshot-00000009.a.wbs.new', Buffer.from('begun'))
  const log = await openLocalLog(disk, options)
  t.ok(disk.files.has('notes.txt'))
  t.notOk(disk.files.has('snapshot-00000009.a.wbs.new'), 'what was not ended goes')
  await closed(log)
})

t.test('opening - on a full disk what is there can be read, and it goes on when there is space', async (t) => {
  const spareless = { ...options, spareCount: 0 }
  const disk = new SimDisk({ random: new Random(3), later, capacity: 1 << 20, syncMs: { least: 0, most: 1 } })
  const first = await openLocalLog(disk, spareless)
  for (let i = 0; i < 6; i++) first.append([Buffer.alloc(7_000, i)], 'sync')
  await closed(first)
  const next = disk.kill()
  next.capacity = next.usedSize
  const log = await openLocalLog(next, spareless)
  t.equal(log.progress().failed, 'full')
  t.strictSame((await replayed(log)).found, [0, 1, 2, 3, 4, 5])
  t.equal(log.recover(), false)
  next.capacity = 1 << 20
  t.equal(log.recover(), true)
  log.append([Buffer.alloc(7_000, 6)], 'sync')
  await closed(log)
  const last = await openLocalLog(next.kill(), options)
  const { found, replay } = await replayed(last)
  t.strictSame([found, replay.damage], [[0, 1, 2, 3, 4, 5, 6], []])
  await closed(last)
})

function withFormat(disk: PaperDisk, format: number): PaperDisk {
  const copy = disk.copy()
  copy.files.set(manifestName, signed(copy.files.get(manifestName)!.toString().replace('"format":1', `"format":${format}`)))
  return copy
}

/** With the checksum that belongs to it. */
function signed(text: string): Buffer {
  const plain = `${text.slice(0, text.indexOf(',"check"'))}}`
  return Buffer.from(`${plain.slice(0, -1)},"check":"${crc32(Buffer.from(plain)).toString(16).padStart(8, '0')}"}\n`)
}

/** Bit by bit, so that it is not ours that says what is right. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffff_ffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (0xedb8_8320 & -(sum & 1))
  }
  return (sum ^ 0xffff_ffff) >>> 0
}
