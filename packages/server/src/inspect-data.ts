/**
 * What is in a data directory, without a broker and without changing a byte of it: every block of every segment is read and its checksum verified, and what a
 * broker would go on with is recovered. Beside a broker that runs, what is seen is one moment.
 */
import { nodeClock } from './host/node-clock.js'
import { nodeEntropy } from './host/node-entropy.js'
import { nodeLater } from './host/node-later.js'
import { OverlayDisk } from './host/overlay-disk.js'
import type { Log, LogDamage, LogReading, Position } from './ports/log.js'
import { type DataStill, takeStill } from './still-data.js'
import { openLocalLog } from './storage/local/index.js'
import { segmentName } from './storage/local/names.js'
import { positionOf } from './storage/local/segment.js'
import { recover } from './storage/recovery.js'

export interface InspectedSegment {
  readonly name: string
  /** Appends that a broker would read. */
  readonly blockCount: number
  /** Bytes of blocks; its file may be larger. */
  readonly size: number
}

export interface InspectedQueue {
  readonly vhost: string
  readonly queue: string
  readonly messageCount: number
  /** Bytes of their records. */
  readonly size: number
}

export interface DataInspection {
  /** The name of the log. */
  readonly log: string
  /** Owners it has had. */
  readonly epoch: number
  readonly files: readonly { readonly name: string; readonly size: number }[]
  readonly segments: readonly InspectedSegment[]
  readonly exchangeCount: number
  readonly bindingCount: number
  readonly queues: readonly InspectedQueue[]
  /** What is not as it was written, by file and offset. */
  readonly damage: readonly { readonly where: string; readonly message: string }[]
  /** Where a write was cut; a broker goes on before it, and nothing that was confirmed as synced is lost. */
  readonly torn: { readonly where: string; readonly message: string } | undefined
}

const readSize = 4 << 20
const looksMax = 5

/** Rejects with DiskError for a directory that cannot be read or holds no data, with DataFormatError for data of a newer version. */
export async function inspectData(directory: string): Promise<DataInspection> {
  return confirmed(async () => {
    const still = await takeStill(directory)
    try {
      return await inspectStill(still)
    } finally {
      still.close()
    }
  })
}

/**
 * Looks until two looks one behind the other find the same damage, or one finds none; 5 times at most. What one alone finds has changed under it, as when a
 * broker began on the directory in between.
 */
export async function confirmed(look: () => Promise<DataInspection>): Promise<DataInspection> {
  let before: ReadonlySet<string> = new Set()
  for (let count = 1; ; count++) {
    const found = await look()
    const damage = found.damage.filter(({ where }) => before.has(where))
    if (damage.length > 0) return { ...found, damage }
    if (found.damage.length === 0 || count === looksMax) return found
    before = new Set(found.damage.map(({ where }) => where))
  }
}

async function inspectStill({ files: still, last }: DataStill): Promise<DataInspection> {
  const files = still.names().map((name) => ({ name, size: still.sizeOf(name) }))
  const disk = new OverlayDisk(still)
  if (last !== undefined) disk.freeze(last)
  const log = await openLocalLog(disk, {
    clock: nodeClock(),
    entropy: nodeEntropy,
    later: nodeLater,
    wake: () => undefined,
    spareCount: 0,
  })
  const { state, report } = await recover(log)
  const damage = new Map<string, LogDamage>()
  for (const each of report.damage) damage.set(each.where, each)
  const segments: InspectedSegment[] = []
  for (const { id, size } of log.segments()) {
    segments.push({ name: segmentName(id), size, blockCount: size === 0 ? 0 : await verify(log, id, damage) })
  }
  return {
    log: log.identity,
    epoch: log.epoch - 1,
    files: files.sort((a, b) => (a.name < b.name ? -1 : 1)),
    segments,
    exchangeCount: sum(state.hosts.map(({ exchanges }) => exchanges.length)),
    bindingCount: sum(state.hosts.map(({ bindings }) => bindings.length)),
    queues: state.hosts.flatMap(({ name: vhost, queues }) =>
      queues.map(({ name: queue, runs }) => ({
        vhost,
        queue,
        messageCount: sum(runs.map(({ count }) => count)),
        size: sum(runs.map(({ size }) => size)),
      })),
    ),
    damage: [...damage.values()].map(({ where, message }) => ({ where, message })),
    torn: report.torn === undefined ? undefined : { where: report.torn.where, message: report.torn.message },
  }
}

/** Reads all of a segment, from its first byte on; how many blocks there are. What is damaged goes to `damage`, once. */
async function verify(log: Log, segment: number, damage: Map<string, LogDamage>): Promise<number> {
  let count = 0
  for (let from: Position | undefined = positionOf(segment, 0); from !== undefined && log.segmentOf(from) === segment; ) {
    const at: Position = from
    const reading = await new Promise<LogReading>((done) => log.read(at, readSize, done))
    count += reading.blocks.filter(({ position }) => log.segmentOf(position) === segment).length
    for (const each of reading.damage) if (!damage.has(each.where)) damage.set(each.where, each)
    from = reading.next
  }
  return count
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
