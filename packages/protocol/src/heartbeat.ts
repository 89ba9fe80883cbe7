/** HEARTBEAT: a sign of life and nothing else. [P-7.1] */
import { ErrorCode } from './errors.js'
import { frameHeaderSize, FrameType, writeFrameHeader } from './frame.js'

export const heartbeatFrameSize = frameHeaderSize

/** Writes a whole frame; returns its end. */
export function writeHeartbeat(target: Uint8Array, at: number): number {
  return writeFrameHeader(target, at, FrameType.heartbeat, 0, 0, 0)
}

/** 0, or the number of `frameMalformed`. */
export function checkHeartbeat(_bytes: Uint8Array, from: number, to: number): number {
  return from === to ? 0 : ErrorCode.frameMalformed.code
}
