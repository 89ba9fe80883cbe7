// Hot: each append writes one header, and its checksum goes over every byte that is kept.
/**
 * A block: what is in a segment, one behind another, from its first byte on. Big-endian, beginning at multiples of 8.
 *
 *     u32 size │ u32 crc32 of bytes 8..size │ u8 format │ u8 flags │ u16 0 │ u32 epoch │ u64 number │ u64 durable through
 *     u64 wall ms │ u32 payload size │ u32 0 │ payload │ zeros up to size, a multiple of 8
 *
 * Numbers count over all segments. *Durable through*: every block up to this number had been synced when this one was written; so whoever
 * finds a bad block knows whether it was once promised. An append that is too large for one block is a chain of them: all but the
 * last are CONTINUED, all but the first a CONTINUATION.
 *
 * Behind the last block of a segment stand 48 zeros: whatever is there instead was begun and not ended.
 */
import { crc32 } from 'node:zlib'
import { readU32, readU64, writeU32, writeU64 } from '@waybill/protocol'

export const blockFormat = 1
export const blockHeaderSize = 48
export const blockSizeMax = 1 << 20
export const payloadSizeMax = blockSizeMax - blockHeaderSize

/** `marker` and `dropped` are the engine's own: readers do not see them. */
export const BlockFlag = {
  /** The append goes on in the next block. */
  continued: 1,
  /** Nothing but a header: says how far the log is durable, and that an epoch has begun. */
  marker: 2,
  /** The append began in an earlier block. */
  continuation: 4,
  /** Payload: the ids of segments that are given back, a u32 each. */
  dropped: 8,
} as const

export const engineFlags = BlockFlag.marker | BlockFlag.dropped

/** Bytes of a block with so much payload. */
export function blockSizeOf(payloadSize: number): number {
  return (blockHeaderSize + payloadSize + 7) & ~7
}

/** Zeros behind a payload, the end mark of 48 included: a part of a write. By the bytes that are missing to a multiple of 8. */
const ends = Array.from({ length: 8 }, (_, padding) => new Uint8Array(padding + blockHeaderSize))
const paddings = Array.from({ length: 8 }, (_, padding) => new Uint8Array(padding))

export function endOf(payloadSize: number): Uint8Array {
  return ends[-payloadSize & 7]
}

export function paddingOf(payloadSize: number): Uint8Array {
  return paddings[-payloadSize & 7]
}

/** What the headers of one owner have in common. */
export interface BlockStamp {
  readonly epoch: number
  readonly number: number
  readonly durable: number
  readonly wallMs: number
}

/** Writes a header without its checksum: `sealBlock` adds it. */
export function writeBlockHeader(target: Uint8Array, flags: number, stamp: BlockStamp, payloadSize: number): void {
  writeU32(target, 0, blockSizeOf(payloadSize))
  target[8] = blockFormat
  target[9] = flags
  target[10] = 0
  target[11] = 0
  writeU32(target, 12, stamp.epoch)
  writeU64(target, 16, stamp.number)
  writeU64(target, 24, stamp.durable)
  writeU64(target, 32, stamp.wallMs)
  writeU32(target, 40, payloadSize)
  writeU32(target, 44, 0)
}

/** The checksum of a header and the parts of its payload, put in its place. */
export function sealBlock(header: Uint8Array, parts: readonly Uint8Array[], payloadSize: number): void {
  let sum = crc32(header.subarray(8, blockHeaderSize))
  for (let i = 0; i < parts.length; i++) sum = crc32(parts[i], sum)
  const padding = paddingOf(payloadSize)
  if (padding.length > 0) sum = crc32(padding, sum)
  writeU32(header, 4, sum)
}

/** The size of the block that seems to begin at `at`, where at least 48 bytes are; 0: none does. */
export function blockSizeAt(bytes: Uint8Array, at: number): number {
  const size = readU32(bytes, at)
  if (size < blockHeaderSize || size > blockSizeMax || (size & 7) !== 0) return 0
  const payloadSize = readU32(bytes, at + 40)
  if (payloadSize > payloadSizeMax || blockSizeOf(payloadSize) !== size || readU32(bytes, at + 44) !== 0) return 0
  return size
}

/** Whether the `size` bytes at `at` are a block as it was written. */
export function isWholeBlock(bytes: Uint8Array, at: number, size: number): boolean {
  return crc32(bytes.subarray(at + 8, at + size)) === readU32(bytes, at + 4)
}

export function blockFormatAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 8]
}

export function blockFlagsAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 9]
}

export function blockEpochAt(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 12)
}

export function blockNumberAt(bytes: Uint8Array, at: number): number {
  return readU64(bytes, at + 16)
}

export function blockDurableAt(bytes: Uint8Array, at: number): number {
  return readU64(bytes, at + 24)
}

export function blockPayloadSizeAt(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 40)
}

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}
