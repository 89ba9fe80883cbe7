/**
 * Draws pictures for the demo and writes them the way careless programs do: unfiltered, hardly compressed, the pixels in
 * many pieces, with comments and a date. There is much to gain for who shrinks them.
 */
import { deflateSync } from 'node:zlib'
import { type Chunk, writeChunks } from './png/chunks.js'

export interface Drawing {
  readonly file: Buffer
  /** The samples as they were drawn, to compare with what comes back in the end. */
  readonly samples: Buffer
}

const channels = 3
const pieceSize = 8192

/** A sky with a sun and some noise in it: soft gradients that filters love, and grain that nothing packs. */
export function draw(width: number, height: number, seed: number): Drawing {
  const samples = Buffer.alloc(width * height * channels)
  let noise = seed * 2654435761
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0
      const grain = noise >>> 31
      const sun = Math.max(0, 90 - Math.hypot(x - width / 3, y - height / 4) / 2)
      samples[at++] = Math.min(255, (x * 160) / width + sun + grain + seed)
      samples[at++] = Math.min(255, (y * 180) / height + sun / 2 + grain)
      samples[at++] = Math.min(255, 230 - (y * 120) / height + grain)
    }
  }
  return { samples, file: encode(width, height, samples) }
}

function encode(width: number, height: number, samples: Buffer): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2], 8) // 8 bits for each of red, green, blue

  const rowSize = width * channels
  const rows = Buffer.alloc((rowSize + 1) * height) // the first byte of each row stays 0: no filter
  for (let y = 0; y < height; y++) samples.copy(rows, y * (rowSize + 1) + 1, y * rowSize, (y + 1) * rowSize)
  const packed = deflateSync(rows, { level: 1 })

  const pixels: Chunk[] = []
  for (let at = 0; at < packed.length; at += pieceSize) pixels.push({ type: 'IDAT', data: packed.subarray(at, at + pieceSize) })
  return writeChunks([
    { type: 'IHDR', data: header },
    { type: 'tEXt', data: Buffer.from(`Comment\0${'drawn for the blog, as it came from the camera; '.repeat(20)}`, 'latin1') },
    { type: 'gAMA', data: Buffer.from([0, 0, 0xb1, 0x8f]) }, // 1 / 2.2
    { type: 'tIME', data: Buffer.from([7, 234, 5, 17, 12, 30, 0]) }, // 17 May 2026, half past twelve
    ...pixels,
    { type: 'iTXt', data: Buffer.from('Title\0\0\0en\0\0a sunny day') },
    { type: 'IEND', data: Buffer.alloc(0) },
  ])
}
