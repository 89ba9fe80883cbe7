/**
 * Hot: WINDOW, how much a consumer may hold unsettled; for consumer 0, how much credit the next publish needs. [P-5.3, P-4.6]
 *
 *     at +0  u32 consumer | +4  u32 message count | +8  u32 size
 */
import { readU32, writeU32 } from './bytes.js'
import { ErrorCode } from './errors.js'
import { frameHeaderSize, FrameType, writeFrameHeader } from './frame.js'

const windowBodySize = 12
export const windowFrameSize = frameHeaderSize + windowBodySize

/** Writes a whole frame; returns its end. */
export function writeWindow(target: Uint8Array, at: number, channel: number, consumer: number, messageCount: number, size: number): number {
  const body = writeFrameHeader(target, at, FrameType.window, 0, channel, windowBodySize)
  writeU32(target, body, consumer)
  writeU32(target, body + 4, messageCount)
  writeU32(target, body + 8, size)
  return body + windowBodySize
}

/** 0, or the number of `frameMalformed`. */
export function checkWindow(_bytes: Uint8Array, from: number, to: number): number {
  return to - from === windowBodySize ? 0 : ErrorCode.frameMalformed.code
}

export function windowConsumer(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from)
}

export function windowMessageCount(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from + 4)
}

export function windowSize(bytes: Uint8Array, from: number): number {
  return readU32(bytes, from + 8)
}
