/**
 * What a snapshot says, as bytes: parts, each of which says what it is. Big-endian; a part is about 1 MiB at most.
 *
 *     part      u8 kind │ u8 format = 1 │ u16 0 │ u32 0 │ …
 *
 *     HEAD      JSON: the next numbers, the segments that the log had
 *     NAMES     changes of names, JSON, a line each: those that make the exchanges, queues and bindings
 *     RUNS      u32 queue number │ u32 count of runs │ runs, and again          run: u32 count │ u32 ranges │ u64 size │ ranges of u64 first id, u64 last id
 *     IDS       u64 message id │ u64 position, …                                marks of the index
 *     MOVED     u64 first id │ u64 last id │ u64 position, …                    blocks of messages that were written again
 *
 * Parts of one kind follow one another; a queue's runs may go on in the next part. The engine keeps the parts whole, and says which are damaged.
 */
import { readU32, readU64, writeU32, writeU64 } from '@waybill/protocol'
import type { DurableState, KeptRun } from '../broker/durable.js'
import type { TopologyChange } from '../broker/journal.js'
import type { Position, SegmentId } from '../ports/log.js'
import type { IdIndex } from './id-index.js'
import type { MovedIndex } from './moved-index.js'

const PartKind = { head: 1, names: 2, runs: 3, ids: 4, moved: 5 } as const
const partFormat = 1
const partHeaderSize = 8
const partSize = 1024 * 1024
const runHeaderSize = 16
const rangeSize = 16
const idMarkSize = 16
const movedMarkSize = 24

export interface SnapshotState {
  readonly state: DurableState
  readonly segments: readonly SegmentId[]
  readonly index: IdIndex
  readonly moved: MovedIndex
}

/** What reads a snapshot; each method is called in the order of its parts. */
export interface SnapshotSink {
  head(nextQueueId: number, nextMessageId: number, segments: readonly SegmentId[]): void
  name(change: TopologyChange): void
  run(queue: number, run: KeptRun): void
  id(id: number, position: Position): void
  moved(first: number, last: number, position: Position): void
}

export function encodeSnapshot({ state, segments, index, moved }: SnapshotState): Uint8Array[] {
  const parts = new PartWriter()
  const { nextQueueId, nextMessageId, hosts } = state
  parts.begin(PartKind.head)
  parts.text(JSON.stringify({ nextQueueId, nextMessageId, segments }))
  parts.begin(PartKind.names)
  for (const { name: vhost, exchanges, queues, bindings } of hosts) {
    const tell = (change: TopologyChange) => parts.text(`${JSON.stringify(change)}\n`)
    for (const exchange of exchanges) tell({ op: 'exchange', vhost, ...exchange })
    for (const { runs: _runs, ...queue } of queues) tell({ op: 'queue', vhost, ...queue })
    for (const binding of bindings) tell({ op: 'bind', vhost, ...binding })
  }
  parts.begin(PartKind.runs)
  for (const { queues } of hosts) for (const { id, runs } of queues) writeRuns(parts, id, runs)
  parts.begin(PartKind.ids)
  for (const { id, position } of index.marks()) {
    const at = parts.reserve(idMarkSize)
    writeU64(parts.buffer, at, id)
    writeU64(parts.buffer, at + 8, position)
  }
  parts.begin(PartKind.moved)
  for (const { first, last, position } of moved.marks()) {
    const at = parts.reserve(movedMarkSize)
    writeU64(parts.buffer, at, first)
    writeU64(parts.buffer, at + 8, last)
    writeU64(parts.buffer, at + 16, position)
  }
  return parts.end()
}

function writeRuns(parts: PartWriter, queue: number, runs: readonly KeptRun[]): void {
  for (let i = 0; i < runs.length; ) {
    const from = i
    let size = 8
    do size += runHeaderSize + (runs[i++].ranges.length / 2) * rangeSize
    while (i < runs.length && size < partSize / 4)
    let at = parts.reserve(size)
    const { buffer } = parts
    writeU32(buffer, at, queue)
    writeU32(buffer, at + 4, i - from)
    at += 8
    for (let k = from; k < i; k++) {
      const { count, size, ranges } = runs[k]
      writeU32(buffer, at, count)
      writeU32(buffer, at + 4, ranges.length / 2)
      writeU64(buffer, at + 8, size)
      at += runHeaderSize
      for (let range = 0; range < ranges.length; range++, at += 8) writeU64(buffer, at, ranges[range])
    }
  }
}

/** Throws SnapshotProblem for what no version of ours writes. */
export function readSnapshot(parts: readonly Uint8Array[], sink: SnapshotSink): void {
  let hasHead = false
  for (const [number, part] of parts.entries()) {
    if (part.length < partHeaderSize) throw new SnapshotProblem(`part ${number} is cut`)
    const [kind, format] = part
    if (format !== partFormat) throw new SnapshotProblem(`part ${number} has format ${format}`)
    switch (kind) {
      case PartKind.head: {
        const head = JSON.parse(textOf(part)) as { nextQueueId: number; nextMessageId: number; segments: SegmentId[] }
        sink.head(head.nextQueueId, head.nextMessageId, head.segments)
        hasHead = true
        break
      }
      case PartKind.names:
        for (const line of textOf(part).split('\n')) if (line !== '') sink.name(JSON.parse(line) as TopologyChange)
        break
      case PartKind.runs:
        readRuns(part, sink)
        break
      case PartKind.ids:
        for (let at = partHeaderSize; at < part.length; at += idMarkSize) sink.id(readU64(part, at), readU64(part, at + 8))
        break
      case PartKind.moved:
        for (let at = partHeaderSize; at < part.length; at += movedMarkSize) {
          sink.moved(readU64(part, at), readU64(part, at + 8), readU64(part, at + 16))
        }
        break
      default:
        throw new SnapshotProblem(`part ${number} has kind ${kind}`)
    }
  }
  if (!hasHead) throw new SnapshotProblem('it has no head')
}

function readRuns(part: Uint8Array, sink: SnapshotSink): void {
  for (let at = partHeaderSize; at < part.length; ) {
    const queue = readU32(part, at)
    const runCount = readU32(part, at + 4)
    at += 8
    for (let i = 0; i < runCount; i++) {
      const ranges = new Float64Array(readU32(part, at + 4) * 2)
      const count = readU32(part, at)
      const size = readU64(part, at + 8)
      at += runHeaderSize
      for (let range = 0; range < ranges.length; range++, at += 8) ranges[range] = readU64(part, at)
      sink.run(queue, { count, size, ranges })
    }
  }
}

function textOf(part: Uint8Array): string {
  return Buffer.from(part.buffer, part.byteOffset + partHeaderSize, part.length - partHeaderSize).toString('utf8')
}

export class SnapshotProblem extends Error {
  readonly code = 'DATA_FORMAT'

  constructor(message: string) {
    super(`the snapshot cannot be read: ${message}; open the data with the version that wrote them, or a newer one`)
    this.name = 'SnapshotProblem'
  }
}

/** Parts, filled one after another; a full one is followed by another of its kind. */
class PartWriter {
  readonly #parts: Uint8Array[] = []
  buffer = Buffer.allocUnsafeSlow(partSize)
  #at = 0
  #kind = 0

  begin(kind: number): void {
    this.#finish()
    this.#kind = kind
    this.#open(partSize)
  }

  /** Room for `size` bytes in one piece, which are written to `buffer`. */
  reserve(size: number): number {
    if (this.#at + size > this.buffer.length) {
      this.#finish()
      this.#open(Math.max(partSize, partHeaderSize + size))
    }
    const at = this.#at
    this.#at += size
    return at
  }

  text(text: string): void {
    const at = this.reserve(Buffer.byteLength(text))
    this.buffer.write(text, at)
  }

  end(): Uint8Array[] {
    this.#finish()
    return this.#parts
  }

  #open(size: number): void {
    if (size !== this.buffer.length) this.buffer = Buffer.allocUnsafeSlow(size)
    this.buffer.fill(0, 0, partHeaderSize)
    this.buffer[0] = this.#kind
    this.buffer[1] = partFormat
    this.#at = partHeaderSize
  }

  #finish(): void {
    if (this.#at > partHeaderSize) this.#parts.push(Buffer.from(this.buffer.subarray(0, this.#at)))
  }
}
