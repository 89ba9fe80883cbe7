/**
 * Hot: PUBLISH, one or more records under one header. [P-4.1]
 *
 *     at +0  u64 first sequence | +8  u32 count | +12  u32 0 | +16  records
 */
import { readU32, readU64, u64Max, writeU32, writeU64 } from './bytes.js'
import { ErrorCode } from './errors.js'
import { FrameType, writeFrameHeader } from './frame.js'
import { recordHeaderSize } from './record.js'

export const publishHeaderSize = 16

/** Writes frame header and publish header for `recordsSize` bytes of records; returns where the records begin. */
export function writePublishHeader(
  target: Uint8Array,
  at: number,
  flags: number,
  channel: number,
  firstSequence: number,
  count: number,
  recordsSize: number,
): number {
  const body = writeFrameHeader(target, at, FrameType.publish, flags, channel, publishHeaderSize + recordsSize)
  writeU64(target, body, firstSequence)
  writeU32(target, body + 8, count)
  writeU32(target, body + 12, 0)
  return body + publishHeaderSize
}

/** 0, or the number of `frameMalformed`. The records are not looked at, only that there is room for `count` of them. */
export function checkPublish(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < publishHeaderSize) return ErrorCode.frameMalformed.code
  const first = readU64(bytes, from)
  const count = readU32(bytes, from + 8)
  const good =
    first >= 0 &&
    count >= 1 &&
    count * recordHeaderSize <= to - from - publishHeaderSize &&
    first <= u64Max - count + 1 &&
    readU32(bytes, from + 12) === 0
  return good ? 0 : ErrorCode.frameMalformed.code
}

export function publishFirstSequence(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from)
}

export function publishCount(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from + 8)
}
