/**
 * The entries of a block: what happened in one turn, or a part of it. Big-endian; each block can be read without any other.
 *
 *     entry     u8 kind │ u8 flags │ u16 0 │ u32 size of what follows │ …
 *
 *     ROUTE     u32 queue number, …                                            the routes of a block count from 0
 *     RUN       u64 first message id │ u32 route │ u32 count │ records         ids are consecutive; flag MOVED: written again to free a segment, nothing new
 *     GONE      u32 queue number │ u32 0 │ ranges                              range: u64 first id │ u64 last id │ u32 count │ u32 0 │ u64 size of records
 *     TOPOLOGY  one change, JSON
 *     IDS       u64                                                            message ids below it may have been given out
 *     DROP      u32 segment                                                    this segment is gone, and was not needed
 *
 * A RUN names messages, not places: a GONE that came later ends them, whatever else has happened. `count` and `size` of a range are those of the messages
 * that end there, so that nobody has to read them to know.
 */
import { readU32, readU64, writeU32, writeU64 } from '@waybill/protocol'

export const EntryKind = { route: 1, run: 2, gone: 3, topology: 4, ids: 5, drop: 6 } as const
export const EntryFlag = { moved: 1 } as const

export const entryHeaderSize = 8
export const runHeaderSize = 16
export const goneHeaderSize = 8
export const goneRangeSize = 32

export function writeEntryHeader(target: Uint8Array, at: number, kind: number, flags: number, size: number): number {
  target[at] = kind
  target[at + 1] = flags
  target[at + 2] = 0
  target[at + 3] = 0
  writeU32(target, at + 4, size)
  return at + entryHeaderSize
}

/** The header of a RUN; `recordsSize` bytes of records follow. */
export function writeRunHeader(
  target: Uint8Array,
  at: number,
  flags: number,
  firstId: number,
  route: number,
  count: number,
  recordsSize: number,
): number {
  const body = writeEntryHeader(target, at, EntryKind.run, flags, runHeaderSize + recordsSize)
  writeU64(target, body, firstId)
  writeU32(target, body + 8, route)
  writeU32(target, body + 12, count)
  return body + runHeaderSize
}

export function writeGoneHeader(target: Uint8Array, at: number, queue: number, rangeCount: number): number {
  const body = writeEntryHeader(target, at, EntryKind.gone, 0, goneHeaderSize + rangeCount * goneRangeSize)
  writeU32(target, body, queue)
  writeU32(target, body + 4, 0)
  return body + goneHeaderSize
}

export function writeGoneRange(target: Uint8Array, at: number, first: number, last: number, count: number, size: number): number {
  writeU64(target, at, first)
  writeU64(target, at + 8, last)
  writeU32(target, at + 16, count)
  writeU32(target, at + 20, 0)
  writeU64(target, at + 24, size)
  return at + goneRangeSize
}

/** What entries are read into; each method is called in the order of the block. */
export interface EntrySink {
  /** `queues` lie from `from` to `to`, a u32 each: see `routeQueue`. The routes of a block count from 0. */
  route(bytes: Uint8Array, from: number, to: number): void
  run(firstId: number, route: number, count: number, isMoved: boolean, bytes: Uint8Array, from: number, to: number): void
  gone(queue: number, first: number, last: number, count: number, size: number): void
  topology(json: string): void
  ids(next: number): void
  drop(segment: number): void
}

/** Reads the entries of a block, whose bytes are those that were written. Throws EntryProblem for what no version of ours writes. */
export function readEntries(bytes: Uint8Array, sink: EntrySink): void {
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < entryHeaderSize) throw new EntryProblem(at, 'a header is cut')
    const kind = bytes[at]
    const from = at + entryHeaderSize
    const to = from + readU32(bytes, at + 4)
    if (to > bytes.length) throw new EntryProblem(at, 'it is longer than its block')
    switch (kind) {
      case EntryKind.route:
        sink.route(bytes, from, to)
        break
      case EntryKind.run:
        sink.run(
          readU64(bytes, from),
          readU32(bytes, from + 8),
          readU32(bytes, from + 12),
          (bytes[at + 1] & EntryFlag.moved) !== 0,
          bytes,
          from + runHeaderSize,
          to,
        )
        break
      case EntryKind.gone: {
        const queue = readU32(bytes, from)
        for (let range = from + goneHeaderSize; range < to; range += goneRangeSize) {
          sink.gone(queue, readU64(bytes, range), readU64(bytes, range + 8), readU32(bytes, range + 16), readU64(bytes, range + 24))
        }
        break
      }
      case EntryKind.topology:
        sink.topology(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8'))
        break
      case EntryKind.ids:
        sink.ids(readU64(bytes, from))
        break
      case EntryKind.drop:
        sink.drop(readU32(bytes, from))
        break
      default:
        throw new EntryProblem(at, `there is no kind ${kind}; it was written by a newer version`)
    }
    at = to
  }
}

export function routeQueueCount(from: number, to: number): number {
  return (to - from) >> 2
}

export function routeQueue(bytes: Uint8Array, from: number, index: number): number {
  return readU32(bytes, from + index * 4)
}

export class EntryProblem extends Error {
  constructor(at: number, message: string) {
    super(`entry at ${at} of its block: ${message}`)
    this.name = 'EntryProblem'
  }
}
