/**
 * Hot: CREDIT, how far a channel may publish, counted from its opening. [P-4.6]
 *
 *     at +0  u64 credit sequence | +8  u64 credit size
 */
import { readU64, writeU64 } from './bytes.js'
import { ErrorCode } from './errors.js'
import { frameHeaderSize, FrameType, writeFrameHeader } from './frame.js'

const creditBodySize = 16
export const creditFrameSize = frameHeaderSize + creditBodySize

/** Writes a whole frame; returns its end. */
export function writeCredit(target: Uint8Array, at: number, channel: number, creditSequence: number, creditSize: number): number {
  const body = writeFrameHeader(target, at, FrameType.credit, 0, channel, creditBodySize)
  writeU64(target, body, creditSequence)
  writeU64(target, body + 8, creditSize)
  return body + creditBodySize
}

/** 0, or the number of `frameMalformed`. */
export function checkCredit(bytes: Uint8Array, from: number, to: number): number {
  const good = to - from === creditBodySize && readU64(bytes, from) >= 0 && readU64(bytes, from + 8) >= 0
  return good ? 0 : ErrorCode.frameMalformed.code
}

export function creditSequence(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from)
}

export function creditSize(bytes: Uint8Array, from: number): number {
  return readU64(bytes, from + 8)
}
