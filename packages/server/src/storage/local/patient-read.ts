/**
 * Reading what a disk may refuse: the parts that it does not give are told as ones, which no block and no checksum takes for anything. So a bad sector is
 * damage in its place, and the rest is read.
 */
import type { DiskFile } from '../../ports/disk.js'

const pieceSize = 4096

/** Like `file.read`, but never throws. */
export function readPatiently(file: DiskFile, into: Uint8Array, at: number): number {
  try {
    return file.read(into, at)
  } catch {
    const end = Math.min(into.length, Math.max(0, file.size - at))
    for (let from = 0; from < end; from += pieceSize) {
      const piece = into.subarray(from, Math.min(end, from + pieceSize))
      try {
        file.read(piece, at + from)
      } catch {
        piece.fill(0xff)
      }
    }
    return end
  }
}
