/** Frames found in a stream of publish frames, read in pieces of 64 KiB as a socket gives them. */
import { type FrameSink, FrameReader } from '@waybill/protocol'
import { publishFramesOf } from './records.js'
import type { Room } from './room.js'

const pieceSize = 64 * 1_024
const streamSize = 16 * pieceSize
const frameSizeMax = 1 << 24

export const frameRooms: readonly Room[] = [16, 128, 1_024].map((bodySize) => ({
  name: `frame-reader-${bodySize}`,
  operation: `a publish frame with one record of ${bodySize} B`,
  prepare() {
    const frameCount = Math.ceil(streamSize / (bodySize + 62))
    const bytes = publishFramesOf(frameCount, bodySize)
    let seen = 0
    const sink: FrameSink = {
      frame(_bytes, _type, _flags, _channel, _correlation, from, to) {
        seen += to > from ? 1 : 0
      },
    }
    const reader = new FrameReader(sink, frameSizeMax)
    return () => {
      seen = 0
      for (let at = 0; at < bytes.length; at += pieceSize) reader.read(bytes, at, Math.min(at + pieceSize, bytes.length))
      if (seen !== frameCount) throw new Error(`${frameCount} frames written, ${seen} read`)
      return seen
    }
  },
}))
