/**
 * One bad byte, anywhere in a data directory: it is told by its place, or it does no harm, or it is in the last block that nothing stands behind, which is
 * then a tail that was cut. Never is anything else told than what was appended, and whatever is thrown has a message for people.
 */
import t from 'tap'
import type { Log, LogDamage, LogReading, Position } from '../../../dist/ports/log.js'
import { blockHeaderSize, blockSizeAt } from '../../../dist/storage/local/block.js'
import { openLocalLog } from '../../../dist/storage/local/index.js'
import { manifestName, segmentOfName, snapshotOfName } from '../../../dist/storage/local/names.js'
import { PaperDisk } from '../../stage/paper-disk.js'
import { PaperTime } from './paper-time.js'

const KiB = 1024
const time = new PaperTime()

function options(wake = () => {}) {
  const clock = { wall: () => 1_700_000_000_000 }
  const entropy = { name: (size: number) => 'corruption'.slice(0, size) }
  return { clock, entropy, later: time.later, wake, segmentSize: 48 * KiB }
}

interface Sample {
  readonly disk: PaperDisk
  /** All that was appended and not dropped. */
  readonly appended: ReadonlyMap<Position, Buffer>
  readonly through: Position
  /** Behind it nothing says that it is durable. */
  readonly last: Position
}

/** How a directory was left: closed; closed, with an append of several blocks; in the middle of its life. */
const kinds = ['closed', 'closed with a large append', 'left in the middle of its life'] as const
type Kind = (typeof kinds)[number]

/** A directory with recycled segments, dropped ones, and a snapshot. */
async function makeSample(kind: Kind): Promise<Sample> {
  const [, large, left] = kinds
  const disk = new PaperDisk(time.later)
  const log = await time.wait(openLocalLog(disk, options()))
  const appended = new Map<Position, Buffer>()
  const append = (size: number): Position => {
    const content = Buffer.alloc(size, `${appended.size}, `)
    const position = log.append([content], 'sync')
    appended.set(position, content)
    return position
  }
  let through = 0
  for (let i = 0; i < 60; i++) {
    through = append(i % 12 === 5 ? 9_000 : 100 + i * 37)
    time.pass(i % 4)
    if (i === 30) await time.wait(save(log, through))
    if (i === 35) for (const { id } of log.segments().slice(0, -1)) log.drop(id)
  }
  await time.wait(save(log, through))
  log.drop(log.segments()[0].id)
  for (let i = 0; i < 14; i++) append(i === 9 && kind === large ? 1_030 * KiB : 200 + i * 321)
  await time.until(() => log.progress().synced === log.progress().written)
  const last = append(700)
  await time.until(() => log.progress().synced === last)
  if (kind !== left) await time.until(closed(log))
  time.forget()
  const ids = new Set(log.segments().map(({ id }) => id))
  for (const position of appended.keys()) if (!ids.has(log.segmentOf(position))) appended.delete(position)
  return { disk, appended, through, last }
}

function save(log: Log, through: Position): Promise<void> {
  return new Promise((resolve, reject) =>
    log.saveSnapshot({ through, parts: [Buffer.from('the state'), Buffer.alloc(5_000, 'it ')] }, (error) =>
      error === undefined ? resolve() : reject(error),
    ),
  )
}

function closed(log: Log): () => boolean {
  let isClosed = false
  log.close(() => {
    isClosed = true
  })
  return () => isClosed
}

interface Finding {
  readonly replayed: Position[]
  readonly damage: readonly LogDamage[]
  readonly torn: LogDamage | undefined
  readonly snapshot: Position | undefined
  readonly wrong: Position[]
}

/** What a broker finds: by replay behind the snapshot, and by reading everything. */
async function look(disk: PaperDisk, { appended }: Sample): Promise<Finding> {
  const log = await time.wait(openLocalLog(disk, options()))
  const snapshot = await log.loadSnapshot()
  const wrong: Position[] = []
  const replayed: Position[] = []
  const check = (position: Position, bytes: Uint8Array): void => {
    if (appended.get(position)?.equals(bytes) !== true) wrong.push(position)
  }
  const { damage, torn } = await log.replay(snapshot?.through ?? 0, (position, bytes) => {
    check(position, bytes)
    replayed.push(position)
  })
  const all = [...damage]
  for (let at: Position | undefined = 0; at !== undefined; ) {
    let reading: LogReading | undefined
    log.read(at, 64 * KiB, (found) => {
      reading = found
    })
    await time.until(() => reading !== undefined)
    for (const { position, bytes } of reading!.blocks) check(position, bytes)
    all.push(...reading!.damage)
    at = reading!.next
  }
  time.forget()
  const isRight = snapshot === undefined || Buffer.from(snapshot.parts[0]).toString() === 'the state'
  return { replayed, damage: all, torn, snapshot: snapshot?.through, wrong: isRight ? wrong : [...wrong, -1] }
}

/** Every 4 KiB; of blocks bytes of the header, the first and the last of the payload; of small files each byte. */
function offsetsOf(name: string, bytes: Buffer, kind: Kind): number[] {
  const offsets = new Set<number>()
  for (let at = 0; at < bytes.length; at += 4 * KiB) offsets.add(at)
  if (kind === kinds[1]) return [...offsets]
  if (name === manifestName) for (let at = 0; at < bytes.length; at++) offsets.add(at)
  if (snapshotOfName(name) !== undefined) for (let at = 0; at < Math.min(bytes.length, 700); at += 11) offsets.add(at)
  if (segmentOfName(name) !== undefined) {
    let count = 0
    for (let at = 0; at + blockHeaderSize <= bytes.length; ) {
      const size = blockSizeAt(bytes, at)
      if (size === 0) {
        for (let i = 0; i < blockHeaderSize; i += 8) offsets.add(at + i)
        break
      }
      // All headers look alike: every byte of some, a few of the others.
      for (let i = 0; i < blockHeaderSize; i += count % 20 === 0 ? 1 : 21) offsets.add(at + i)
      offsets.add(at + Math.min(size - 1, blockHeaderSize))
      offsets.add(at + size - 1)
      at += size
      count++
    }
  }
  return [...offsets].filter((offset) => offset < bytes.length)
}

for (const kind of kinds) {
  const isClosed = kind !== kinds[2]
  t.test(`local log - one bad byte anywhere in a directory that was ${kind} is told, or harmless, or a cut tail`, async (t) => {
    const sample = await makeSample(kind)
    const whole = await look(sample.disk.copy(), sample)
    t.strictSame([whole.wrong, whole.damage, whole.torn, whole.snapshot], [[], [], undefined, sample.through])
    t.equal(whole.replayed.length, 15)

    const counts = { told: 0, harmless: 0, cut: 0 }
    for (const [name, bytes] of sample.disk.files) {
      for (const offset of offsetsOf(name, bytes, kind)) {
        const disk = sample.disk.copy()
        disk.flip(name, offset)
        const place = `${name} offset ${offset}`
        const { wrong, replayed, damage, torn, snapshot } = await look(disk, sample)
        if (wrong.length > 0) t.fail(`${place}: something else was told`)
        if (snapshot !== sample.through) t.fail(`${place}: the snapshot was lost`)
        const isWhole = replayed.length === whole.replayed.length
        const isCut = torn !== undefined && replayed.length === whole.replayed.length - 1 && !replayed.includes(sample.last)
        if (damage.length > 0) {
          counts.told++
          // By the file that is bad, or for lost headers by where the segment before ends.
          if (!damage.some(({ where }) => where.startsWith(name))) t.fail(`${place}: told as ${damage.map(({ where }) => where)}`)
        } else if (isWhole) counts.harmless++
        else if (isCut && !isClosed) counts.cut++
        else t.fail(`${place}: not told, and ${whole.replayed.length - replayed.length} are missing`)
      }
    }
    t.comment(JSON.stringify(counts))
    t.ok(counts.told > 200 && counts.harmless > 0)
    t.equal(counts.cut > 0, !isClosed, 'only a last block that nothing stands behind can be cut off')
  })
}
