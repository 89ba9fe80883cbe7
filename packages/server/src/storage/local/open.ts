/**
 * Opens the log of a directory, and makes it when there is none.
 *
 *     waybill.json ─▶ newest snapshot that is whole ─▶ segments from there on: what is the log, what is torn, what is damaged
 *        ─▶ what is torn is cut, what was not known to be synced is written again and synced ─▶ a new owner: epoch + 1
 *
 * Afterwards all that a replay gives survives a power cut: whoever acts on it acts on something durable. Opening may be cut anywhere, and begun again.
 */
import type { Clock } from '../../ports/clock.js'
import { type Disk, DiskError } from '../../ports/disk.js'
import type { Entropy } from '../../ports/entropy.js'
import type { LogDamage, LogOptions } from '../../ports/log.js'
import { blockHeaderSize } from './block.js'
import { type Chain, findChain, offsetOfNumber } from './chain.js'
import { decodeHead, type SnapshotHead } from './head.js'
import { LocalLog } from './local-log.js'
import { dataFormat, type Manifest, readManifest, writeManifest } from './manifest.js'
import { type Migration, migrate, migrations } from './migrations.js'
import { isUnfinished, manifestName, segmentName, segmentOfName, snapshotOfName } from './names.js'
import { syncFile, syncNames } from './promises.js'
import { positionOf, Segment, SegmentFiles } from './segment.js'
import { findSnapshot } from './snapshots.js'
import type { LocalLogStart, LocalLogWorld } from './start.js'

export const segmentSizeDefault = 64 << 20
const identitySize = 10
const copySize = 1 << 20

export interface LocalLogOptions extends LogOptions {
  readonly clock: Pick<Clock, 'wall'>
  /** For the name of a new log. */
  readonly entropy: Pick<Entropy, 'name'>
  /** Calls `run` once, at least `ms` later, never within the call. */
  readonly later: (ms: number, run: () => void) => void
  /** Bytes of a segment; 64 MiB. */
  readonly segmentSize?: number
  /** So many segments are kept ready for use, prefilled or recycled; 1. */
  readonly spareCount?: number
  readonly migrations?: readonly Migration[]
}

/** Rejects with DataFormatError when a newer version wrote the data, with DiskError when the disk does not serve. */
export async function openLocalLog(disk: Disk, options: LocalLogOptions): Promise<LocalLog> {
  for (const name of disk.list()) if (isUnfinished(name)) disk.remove(name)
  const damage: LogDamage[] = []
  const manifest = await presentManifest(disk, options, damage)
  const { segmentSize = segmentSizeDefault, spareCount = 1 } = options
  const files = new SegmentFiles(disk)
  const world: LocalLogWorld = { disk, files, clock: options.clock, later: options.later, wake: options.wake, segmentSize, spareCount }

  const { newest, damage: copies } = findSnapshot(disk)
  for (const { name, message } of copies) damage.push({ segment: 0, where: name, message })
  const head = newest === undefined ? undefined : decodeHead(newest.parts[0])
  const { chain, segments, given } = findSegments(disk, files, head, damage)
  const identity = manifest?.log ?? head?.log ?? options.entropy.name(identitySize)
  const epoch = Math.max(manifest?.epoch ?? 0, chain.epochMax) + 1

  const { kept, end } = cut(disk, head, chain, segments, segmentSize)
  // If this fails nobody may act on what was found: a power cut could take it back.
  await settle(disk, chain, end)
  let failure: DiskError | undefined
  try {
    for (const id of given) disk.remove(segmentName(id))
    await writeManifest(disk, { format: dataFormat, log: identity, epoch })
  } catch (error) {
    // On a full disk what is there can still be read and settled, if it has a name.
    if (!(error instanceof DiskError) || error.kind !== 'full' || manifest === undefined) throw error
    failure = error
  }
  const names = disk.list()
  const start: LocalLogStart = {
    identity,
    epoch,
    chain,
    segments: kept,
    isSealed: end === undefined,
    nextSegment: Math.max(0, ...names.map((name) => segmentOfName(name) ?? 0), ...(head?.segments ?? []).map(({ id }) => id)) + 1,
    nextSnapshot: Math.max(0, ...names.map((name) => snapshotOfName(name) ?? 0)) + 1,
    through: head?.through ?? 0,
    parts: newest?.parts.slice(1),
    written: writtenOf(chain, head),
    damage,
    failure,
  }
  const log = new LocalLog(world, start)
  log.begin()
  return log
}

/** What waybill.json says, in the present format; undefined when there is none, or none that can be read. */
async function presentManifest(disk: Disk, options: LocalLogOptions, damage: LogDamage[]): Promise<Manifest | undefined> {
  const reading = readManifest(disk)
  if (reading.kind === 'whole') return migrate(disk, reading.manifest, options.migrations ?? migrations)
  const isNew = !disk.list().some((name) => segmentOfName(name) !== undefined || snapshotOfName(name) !== undefined)
  if (reading.kind === 'damaged' || !isNew) {
    const message = reading.kind === 'damaged' ? 'it is not what was written' : 'it is not there'
    damage.push({
      segment: 0,
      where: manifestName,
      message: `${message}; the name of the log and its epoch are taken from the other files`,
    })
  }
  return undefined
}

interface Found {
  readonly chain: Chain
  readonly segments: readonly Segment[]
  /** Segments that the log says are given back, and that are still there. */
  readonly given: readonly number[]
}

/** The segments before the snapshot as it names them, those behind it as they are. */
function findSegments(disk: Disk, files: SegmentFiles, head: SnapshotHead | undefined, damage: LogDamage[]): Found {
  const ids = disk
    .list()
    .map(segmentOfName)
    .filter((id) => id !== undefined)
  const known = new Map((head?.segments ?? []).map((json) => [json.id, json]))
  const start = head?.segment ?? 1
  const segments = ids
    .filter((id) => id >= start || known.has(id))
    .sort((a, b) => a - b)
    .map((id) => (known.has(id) ? Segment.from(files, known.get(id)!) : new Segment(files, id, 0)))
  const number = head?.number ?? 1
  const chain = findChain(segments, { segment: start, at: head?.end ?? 0, number, epoch: head?.epoch ?? 0, durable: number - 1 })

  for (const { id, end } of known.values()) {
    if (chain.dropped.has(id)) continue
    const there = segments.find((segment) => segment.id === id)
    if (there === undefined) damage.push({ segment: id, where: segmentName(id), message: 'it is missing' })
    else if (there.fileSize < end) {
      damage.push({ segment: id, where: `${there.name} offset ${there.fileSize}`, message: `the file ends here, and had ${end} bytes` })
    }
  }
  const isGiven = (id: number): boolean => (id < start && !known.has(id)) || chain.dropped.has(id)
  return { chain, segments: segments.filter(({ id }) => !isGiven(id)), given: ids.filter(isGiven) }
}

interface Remainder {
  readonly kept: readonly Segment[]
  /** The one in which the log ends and goes on; undefined: that is not there, or not whole. */
  readonly end: Segment | undefined
}

/**
 * The segments that remain, with what is in them. What is behind the end of the log goes. The next start begins to read where the snapshot says: what is
 * written has to stand behind that place, and so not in a segment before it, if the one that it names is gone.
 */
function cut(disk: Disk, head: SnapshotHead | undefined, chain: Chain, segments: readonly Segment[], segmentSize: number): Remainder {
  const last = chain.stretches.at(-1)?.segment.id ?? head?.segment ?? 0
  for (const segment of segments) {
    if (segment.id <= last) continue
    segment.close()
    disk.remove(segment.name)
  }
  for (const { segment, to, firstNumber, lastNumber, firstReadAt, lastReadAt } of chain.stretches) {
    if (segment.isEmpty) segment.firstNumber = firstNumber
    segment.lastNumber = lastNumber
    segment.end = to
    if (!segment.isRead) segment.firstAt = firstReadAt
    if (lastReadAt >= 0) segment.lastAt = lastReadAt
  }
  const kept = segments.filter(({ id }) => id <= last)
  const end = kept.find((segment) => segment.id === last && segment.fileSize >= segment.end)
  if (end !== undefined) end.capacity = Math.max(segmentSize, end.end)
  return { kept, end }
}

/**
 * Writes once more what nobody knows to be synced, and syncs it: what a failed sync has left in the page cache counts as clean there, and would
 * not be written by another sync. Behind the end there are zeros then.
 */
async function settle(disk: Disk, chain: Chain, end: Segment | undefined): Promise<void> {
  const touched = new Set<Segment>()
  for (const stretch of chain.stretches) {
    if (stretch.lastNumber <= chain.durable) continue
    rewrite(stretch.segment, offsetOfNumber(stretch, chain.durable + 1), stretch.to)
    touched.add(stretch.segment)
  }
  if (end !== undefined && chain.torn !== undefined) {
    const count = Math.min(blockHeaderSize, end.file.size - end.end)
    if (count > 0) end.file.write([new Uint8Array(count)], end.end)
    touched.add(end)
  }
  for (const segment of touched) await syncFile(segment.file)
  await syncNames(disk)
}

function rewrite(segment: Segment, from: number, to: number): void {
  const bytes = new Uint8Array(Math.min(copySize, to - from))
  for (let at = from; at < to; at += bytes.length) {
    const piece = bytes.subarray(0, Math.min(bytes.length, to - at))
    segment.file.read(piece, at)
    segment.file.write([piece], at)
  }
}

function writtenOf(chain: Chain, head: SnapshotHead | undefined): number {
  for (let i = chain.stretches.length - 1; i >= 0; i--) {
    const { segment, lastReadAt } = chain.stretches[i]
    if (lastReadAt >= 0) return positionOf(segment.id, lastReadAt)
  }
  return head?.through ?? 0
}
