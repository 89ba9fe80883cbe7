/**
 * A PNG file as a list of chunks, and back.
 *
 *     89 50 4e 47 0d 0a 1a 0a | chunk | chunk | …           the first is IHDR, the last IEND
 *     chunk    u32 size of the data | 4 letters of type | data | u32 CRC-32 of type and data
 *
 * Whatever comes back from `readChunks` had a right checksum; a file that is cut short or damaged is refused whole.
 */
import { crc32 } from 'node:zlib'

export interface Chunk {
  readonly type: string
  readonly data: Buffer
}

/** The file is not a PNG, is damaged, or is of a kind that we do not handle. Trying again does not help. */
export class PngError extends Error {
  override name = 'PngError'
}

export const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** Bytes of a chunk besides its data: size, type and checksum. */
const frameSize = 12

export function isPng(file: Buffer): boolean {
  return file.subarray(0, signature.length).equals(signature)
}

export function readChunks(file: Buffer): Chunk[] {
  if (!isPng(file)) throw new PngError('not a PNG file')
  const chunks: Chunk[] = []
  for (let at = signature.length; chunks.at(-1)?.type !== 'IEND'; ) {
    if (at + frameSize > file.length) throw new PngError(`cut short: no IEND in ${file.length} bytes`)
    const size = file.readUInt32BE(at)
    const end = at + frameSize + size
    const type = file.toString('latin1', at + 4, at + 8)
    if (end > file.length) throw new PngError(`cut short in chunk ${type}`)
    if (crc32(file.subarray(at + 4, end - 4)) !== file.readUInt32BE(end - 4)) throw new PngError(`wrong checksum in chunk ${type}`)
    chunks.push({ type, data: file.subarray(at + 8, end - 4) })
    at = end
  }
  return chunks
}

export function writeChunks(chunks: readonly Chunk[]): Buffer {
  return Buffer.concat([signature, ...chunks.map(writeChunk)])
}

function writeChunk({ type, data }: Chunk): Buffer {
  const bytes = Buffer.alloc(frameSize + data.length)
  bytes.writeUInt32BE(data.length, 0)
  bytes.write(type, 4, 'latin1')
  data.copy(bytes, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4)
  return bytes
}
