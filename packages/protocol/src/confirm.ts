/**
 * Hot: CONFIRM, what has become of everything published up to `through`. [P-4.4]
 *
 *     at +0   u64 through | +8  u64 credit sequence | +16  u64 credit size
 *        +24  u32 run count | +28  u32 exception count | +32  runs | exceptions
 *
 *     run        +0  u64 first sequence | +8  u64 first message id | +16  u32 count | +20  u16 queue count | +22  u8 level | +23  u8 0
 *     exception  +0  u64 sequence | +8  u16 code | +10  u16 detail size | +12  u32 queue count | +16  detail
 */
import { copyBytes, readU16, readU32, readU64, u64Max, writeU16, writeU32, writeU64 } from './bytes.js'
import { ErrorCode } from './errors.js'
import { FrameType, Level, writeFrameHeader } from './frame.js'
import { isUtf8 } from './utf8.js'

export const confirmHeaderSize = 32
export const confirmRunSize = 24
export const confirmExceptionSize = 16
/** A queue count above this is sent as this. */
export const queueCountMax = 0xffff
export const detailSizeMax = 0xffff

/** Writes frame header and confirm header for `partsSize` bytes of runs and exceptions; returns where the runs begin. */
export function writeConfirmHeader(
  target: Uint8Array,
  at: number,
  channel: number,
  through: number,
  creditSequence: number,
  creditSize: number,
  runCount: number,
  exceptionCount: number,
  partsSize: number,
): number {
  const body = writeFrameHeader(target, at, FrameType.confirm, 0, channel, confirmHeaderSize + partsSize)
  writeU64(target, body, through)
  writeU64(target, body + 8, creditSequence)
  writeU64(target, body + 16, creditSize)
  writeU32(target, body + 24, runCount)
  writeU32(target, body + 28, exceptionCount)
  return body + confirmHeaderSize
}

/** Writes one run and returns the index behind it. */
export function writeConfirmRun(
  target: Uint8Array,
  at: number,
  firstSequence: number,
  firstMessageId: number,
  count: number,
  queueCount: number,
  level: number,
): number {
  writeU64(target, at, firstSequence)
  writeU64(target, at + 8, firstMessageId)
  writeU32(target, at + 16, count)
  writeU16(target, at + 20, Math.min(queueCount, queueCountMax))
  target[at + 22] = level
  target[at + 23] = 0
  return at + confirmRunSize
}

/** Writes one exception and returns the index behind it. `detail` is UTF-8 of at most `detailSizeMax` bytes. */
export function writeConfirmException(
  target: Uint8Array,
  at: number,
  sequence: number,
  code: number,
  queueCount: number,
  detail: Uint8Array | undefined,
): number {
  const detailSize = detail === undefined ? 0 : detail.length
  writeU64(target, at, sequence)
  writeU16(target, at + 8, code)
  writeU16(target, at + 10, detailSize)
  writeU32(target, at + 12, queueCount)
  return detail === undefined ? at + confirmExceptionSize : copyBytes(target, at + confirmExceptionSize, detail, 0, detailSize)
}

/** 0, or the number of `frameMalformed`. Codes are not compared with the table: a later minor version has more. */
export function checkConfirm(bytes: Uint8Array, from: number, to: number): number {
  const malformed = ErrorCode.frameMalformed.code
  if (to - from < confirmHeaderSize) return malformed
  const through = readU64(bytes, from)
  if (through < 0 || readU64(bytes, from + 8) < 0 || readU64(bytes, from + 16) < 0) return malformed
  const runCount = readU32(bytes, from + 24)
  const exceptionCount = readU32(bytes, from + 28)
  let at = from + confirmHeaderSize
  if (runCount * confirmRunSize + exceptionCount * confirmExceptionSize > to - at) return malformed
  for (let i = 0; i < runCount; i++, at += confirmRunSize) {
    const first = readU64(bytes, at)
    const id = readU64(bytes, at + 8)
    const count = readU32(bytes, at + 16)
    const level = bytes[at + 22]
    const good =
      first >= 1 &&
      id >= 0 &&
      count >= 1 &&
      first + count - 1 <= through &&
      id <= u64Max - count + 1 &&
      level >= Level.received &&
      level <= Level.synced &&
      bytes[at + 23] === 0
    if (!good) return malformed
  }
  for (let i = 0; i < exceptionCount; i++) {
    if (to - at < confirmExceptionSize) return malformed
    const sequence = readU64(bytes, at)
    const end = at + confirmExceptionSize + readU16(bytes, at + 10)
    if (sequence < 1 || sequence > through || end > to || !isUtf8(bytes, at + confirmExceptionSize, end)) return malformed
    at = end
  }
  return at === to ? 0 : malformed
}

export function confirmThrough(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from)
}

export function confirmCreditSequence(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from + 8)
}

export function confirmCreditSize(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from + 16)
}

export function confirmRunCount(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from + 24)
}

export function confirmExceptionCount(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from + 28)
}

/** Where run `index` begins. */
export function confirmRunStart(from: number, index: number): number {
  return from + confirmHeaderSize + index * confirmRunSize
}

/** Where the first exception begins; the next ones follow at `exceptionEnd`. */
export function confirmExceptionsStart(bytes: Uint8Array, from: number): number {
  return confirmRunStart(from, confirmRunCount(bytes, from))
}

export function runFirstSequence(bytes: Uint8Array, at: number): number {
  return readU64(bytes, at)
}

export function runFirstMessageId(bytes: Uint8Array, at: number): number {
  return readU64(bytes, at + 8)
}

export function runMessageCount(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 16)
}

export function runQueueCount(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + 20)
}

export function runLevel(bytes: Uint8Array, at: number): number {
  return bytes[at + 22]
}

export function exceptionSequence(bytes: Uint8Array, at: number): number {
  return readU64(bytes, at)
}

export function exceptionCode(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + 8)
}

export function exceptionQueueCount(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 12)
}

export function exceptionDetailStart(at: number): number {
  return at + confirmExceptionSize
}

export function exceptionEnd(bytes: Uint8Array, at: number): number {
  return at + confirmExceptionSize + readU16(bytes, at + 10)
}
