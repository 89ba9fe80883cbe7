/**
 * The pixels of a PNG file. Two files show the same picture exactly if `samePixels` says so: the same header, the same
 * palette and transparent colours, and the same samples, however either was filtered and compressed.
 */
import { inflateSync } from 'node:zlib'
import { type Chunk, PngError, readChunks } from './chunks.js'
import { unfilter } from './filters.js'
import { filteredSize, type Header, readHeader } from './scanlines.js'

export interface Picture {
  readonly header: Header
  /** Rows of samples, one behind the other, packed as the header says. */
  readonly samples: Buffer
  /** What gives the samples their colours: the contents of IHDR, PLTE and tRNS. */
  readonly colours: readonly Chunk[]
}

export function decode(file: Buffer): Picture {
  const chunks = readChunks(file)
  const header = readHeader(chunks[0])
  const colours = chunks.filter(({ type }) => type === 'IHDR' || type === 'PLTE' || type === 'tRNS')
  return { header, colours, samples: unfilter(inflateRows(chunks, header), header) }
}

export function samePixels(a: Picture, b: Picture): boolean {
  return (
    a.samples.equals(b.samples) &&
    a.colours.length === b.colours.length &&
    a.colours.every(({ type, data }, i) => type === b.colours[i]!.type && data.equals(b.colours[i]!.data))
  )
}

/** The filtered rows: what all IDAT chunks together hold, unpacked. Never makes more bytes than the header promises. */
export function inflateRows(chunks: readonly Chunk[], header: Header): Buffer {
  const size = filteredSize(header)
  const packed = Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data))
  let rows: Buffer
  try {
    rows = inflateSync(packed, { maxOutputLength: size })
  } catch (cause) {
    throw new PngError('the pixels cannot be unpacked', { cause })
  }
  if (rows.length !== size) throw new PngError(`${rows.length} bytes of pixels instead of ${size}`)
  return rows
}
