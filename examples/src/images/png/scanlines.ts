/**
 * What the header of a PNG file says about the rows of samples in it.
 *
 * A plain picture is one pass of `height` rows. An interlaced one (Adam7) is seven passes, each a smaller picture:
 *
 *     1 6 4 6 2 6 4 6
 *     7 7 7 7 7 7 7 7
 *     5 6 5 6 5 6 5 6        the number says in which pass a pixel of each square of 8 x 8 comes
 *     7 7 7 7 7 7 7 7
 *     3 6 4 6 3 6 4 6        (and so on for the lower four rows)
 *
 * Each row in the file is one byte that names its filter, followed by `size` bytes of samples.
 */
import { type Chunk, PngError } from './chunks.js'

export interface Header {
  readonly width: number
  readonly height: number
  readonly bitDepth: number
  readonly channels: number
  readonly interlaced: boolean
}

/** Rows of equal size, one below the other. Filters look at the row above, but never into another pass. */
export interface Pass {
  readonly rowCount: number
  readonly size: number
}

/** More than this many bytes of samples are refused: a few bytes of PNG can claim to be a picture of any size. */
export const samplesSizeMax = 128 * 1024 * 1024

const channelsOfColour: Readonly<Record<number, { channels: number; bitDepths: readonly number[] }>> = {
  0: { channels: 1, bitDepths: [1, 2, 4, 8, 16] }, // grey
  2: { channels: 3, bitDepths: [8, 16] }, // red, green, blue
  3: { channels: 1, bitDepths: [1, 2, 4, 8] }, // places in a palette
  4: { channels: 2, bitDepths: [8, 16] }, // grey and opacity
  6: { channels: 4, bitDepths: [8, 16] }, // red, green, blue and opacity
}

/** Where each pass of Adam7 starts and how far apart its pixels are. */
const adam7 = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
] as const

export function readHeader(chunk: Chunk | undefined): Header {
  if (chunk?.type !== 'IHDR' || chunk.data.length !== 13) throw new PngError('does not begin with a header')
  const { data } = chunk
  const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)]
  const [bitDepth, colour, compression, filter, interlace] = [data[8]!, data[9]!, data[10]!, data[11]!, data[12]!]
  const kind = channelsOfColour[colour]

  if (width === 0 || height === 0 || width > 0x7fffffff || height > 0x7fffffff) throw new PngError('a picture without a size')
  if (kind === undefined || !kind.bitDepths.includes(bitDepth)) throw new PngError(`no such colours: type ${colour} of ${bitDepth} bits`)
  if (compression !== 0 || filter !== 0 || interlace > 1) throw new PngError('an unknown method of compression, filtering or interlacing')

  const header = { width, height, bitDepth, channels: kind.channels, interlaced: interlace === 1 }
  if (samplesSize(header) > samplesSizeMax) throw new PngError(`too large: ${width} x ${height}`)
  return header
}

export function passesOf(header: Header): Pass[] {
  const { width, height, bitDepth, channels } = header
  const pass = (columnCount: number, rowCount: number) => ({ rowCount, size: Math.ceil((columnCount * channels * bitDepth) / 8) })
  if (!header.interlaced) return [pass(width, height)]
  return adam7
    .map(({ x, y, dx, dy }) => ({ columnCount: Math.ceil((width - x) / dx), rowCount: Math.ceil((height - y) / dy) }))
    .filter(({ columnCount, rowCount }) => columnCount > 0 && rowCount > 0)
    .map(({ columnCount, rowCount }) => pass(columnCount, rowCount))
}

/** Bytes of all samples, without the filter bytes. */
export function samplesSize(header: Header): number {
  return passesOf(header).reduce((sum, { rowCount, size }) => sum + rowCount * size, 0)
}

/** Bytes of all rows as they stand in the file before compression, each with its filter byte. */
export function filteredSize(header: Header): number {
  return passesOf(header).reduce((sum, { rowCount, size }) => sum + rowCount * (size + 1), 0)
}

/** How far to the left the byte lies that belongs to the same sample of the pixel before; at least one byte. */
export function pixelSize(header: Header): number {
  return Math.max(1, (header.channels * header.bitDepth) / 8)
}
