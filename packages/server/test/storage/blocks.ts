/** Blocks as the journal writes them, from words: for what no journal of ours would say. */
import type { TopologyChange } from '../../dist/broker/journal.js'
import {
  EntryFlag,
  EntryKind,
  entryHeaderSize,
  goneHeaderSize,
  goneRangeSize,
  runHeaderSize,
  writeEntryHeader,
  writeGoneHeader,
  writeGoneRange,
  writeRunHeader,
} from '../../dist/storage/entries.js'

/** Bytes of the smallest record. */
export const recordSizeMin = 16

export function topology(change: TopologyChange): Buffer {
  return entry(EntryKind.topology, Buffer.from(JSON.stringify(change)))
}

export function queue(id: number, name = `q${id}`): Buffer {
  return topology({ op: 'queue', vhost: 'default', id, name, autoDelete: false })
}

export function route(...queues: number[]): Buffer {
  const bytes = Buffer.alloc(queues.length * 4)
  for (const [i, queue] of queues.entries()) bytes.writeUInt32BE(queue, i * 4)
  return entry(EntryKind.route, bytes)
}

/** Records of these sizes, with nothing in them. */
export function run(firstId: number, sizes: readonly number[], { route = 0, moved = false } = {}): Buffer {
  const recordsSize = sizes.reduce((sum, size) => sum + size, 0)
  const bytes = Buffer.alloc(entryHeaderSize + runHeaderSize + recordsSize)
  let at = writeRunHeader(bytes, 0, moved ? EntryFlag.moved : 0, firstId, route, sizes.length, recordsSize)
  for (const size of sizes) {
    bytes.writeUInt32BE(size - 4, at)
    at += size
  }
  return bytes
}

export function gone(queue: number, first: number, last: number, count = last - first + 1, size = count * recordSizeMin): Buffer {
  const bytes = Buffer.alloc(entryHeaderSize + goneHeaderSize + goneRangeSize)
  writeGoneRange(bytes, writeGoneHeader(bytes, 0, queue, 1), first, last, count, size)
  return bytes
}

export function drop(segment: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(segment)
  return entry(EntryKind.drop, bytes)
}

export function entry(kind: number, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(entryHeaderSize + content.length)
  bytes.set(content, writeEntryHeader(bytes, 0, kind, 0, content.length))
  return bytes
}
