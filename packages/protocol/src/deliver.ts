/**
 * Hot: DELIVER, one or more records of one queue on their way to one consumer. [P-5.2]
 *
 *     at +0   u64 first tag | +8  u64 first message id | +16  u32 count | +20  u32 consumer
 *        +24  with COUNTS: u32 delivery count | u32 failure count
 *        +24 or +32  records
 */
import { readU32, readU64, u64Max } from './bytes.js'
import { ErrorCode } from './errors.js'
import { Flag, FrameType, frameHeaderSize, sizeFieldSize } from './frame.js'
import { recordHeaderSize } from './record.js'

export const deliverHeaderSize = 24
export const deliverCountsSize = 8

const two32 = 0x1_0000_0000

/**
 * Writes frame header and deliver header for `recordsSize` bytes of records; returns where they begin. The counts are written when flag COUNTS is set.
 * By a view that the caller keeps: a quarter of the time of single bytes, and the one writer that is called for each message in some loads.
 */
export function writeDeliverHeader(
  view: DataView,
  at: number,
  flags: number,
  channel: number,
  firstTag: number,
  firstMessageId: number,
  count: number,
  consumer: number,
  deliveryCount: number,
  failureCount: number,
  recordsSize: number,
): number {
  const counts = (flags & Flag.counts) === 0 ? 0 : deliverCountsSize
  view.setUint32(at, frameHeaderSize - sizeFieldSize + deliverHeaderSize + counts + recordsSize)
  view.setUint32(at + 4, (FrameType.deliver << 24) | (flags << 16) | channel)
  const body = at + frameHeaderSize
  view.setUint32(body, firstTag < two32 ? 0 : Math.floor(firstTag / two32))
  view.setUint32(body + 4, firstTag >>> 0)
  view.setUint32(body + 8, firstMessageId < two32 ? 0 : Math.floor(firstMessageId / two32))
  view.setUint32(body + 12, firstMessageId >>> 0)
  view.setUint32(body + 16, count)
  view.setUint32(body + 20, consumer)
  if (counts !== 0) {
    view.setUint32(body + 24, deliveryCount)
    view.setUint32(body + 28, failureCount)
  }
  return body + deliverHeaderSize + counts
}

/** 0, or the number of `frameMalformed`. The records are not looked at, only that there is room for `count` of them. */
export function checkDeliver(bytes: Uint8Array, flags: number, from: number, to: number): number {
  const headerSize = deliverRecordsStart(flags, 0)
  if (to - from < headerSize) return ErrorCode.frameMalformed.code
  const tag = readU64(bytes, from)
  const id = readU64(bytes, from + 8)
  const count = readU32(bytes, from + 16)
  const good =
    tag >= 1 &&
    id >= 0 &&
    count >= 1 &&
    count * recordHeaderSize <= to - from - headerSize &&
    tag <= u64Max - count + 1 &&
    id <= u64Max - count + 1 &&
    readU32(bytes, from + 20) >= 1 &&
    ((flags & Flag.redelivered) === 0 || (flags & Flag.counts) !== 0)
  return good ? 0 : ErrorCode.frameMalformed.code
}

export function deliverFirstTag(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from)
}

export function deliverFirstMessageId(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from + 8)
}

export function deliverCount(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from + 16)
}

export function deliverConsumer(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from + 20)
}

/** How often each message of the frame has been delivered, this time included. */
export function deliveryCount(bytes: Uint8Array, flags: number, from: number): number {
  return (flags & Flag.counts) === 0 ? 1 : readU32(bytes, from + 24)
}

export function failureCount(bytes: Uint8Array, flags: number, from: number): number {
  return (flags & Flag.counts) === 0 ? 0 : readU32(bytes, from + 28)
}

export function deliverRecordsStart(flags: number, from: number): number {
  return from + ((flags & Flag.counts) === 0 ? deliverHeaderSize : deliverHeaderSize + deliverCountsSize)
}
