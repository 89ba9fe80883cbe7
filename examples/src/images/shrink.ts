/**
 * Makes a PNG file smaller without changing a pixel: drops what only says something about the picture (comments, the
 * date), filters the rows anew in several ways, packs each with the best that deflate has, and keeps the smallest.
 *
 *     IHDR | tEXt | gAMA | IDAT | IDAT | tIME | IEND    →    IHDR | gAMA | IDAT | IEND
 *
 * Everything else stays where it was: palette, transparency, colour space, resolution, rotation. A file that does not
 * become smaller comes back as it is.
 */
import { constants, deflate } from 'node:zlib'
import { promisify } from 'node:util'
import { type Chunk, PngError, readChunks, writeChunks } from './png/chunks.js'
import { type FilterChoice, filter, unfilter } from './png/filters.js'
import { inflateRows } from './png/picture.js'
import { readHeader } from './png/scanlines.js'

const pack = promisify(deflate)

const droppedTypes = ['tEXt', 'zTXt', 'iTXt', 'tIME']
const knownCriticalTypes = ['IHDR', 'PLTE', 'IDAT', 'IEND']
const choices: readonly FilterChoice[] = [0, 1, 2, 3, 4, 'best of each row']

/**
 * @throws PngError if the file is damaged, or has chunks that must be understood and are not
 * @throws AbortError between two tries, when the signal says that nobody waits for the result any more
 */
export async function shrink(file: Buffer, options: { signal?: AbortSignal } = {}): Promise<Buffer> {
  const chunks = readChunks(file)
  const header = readHeader(chunks[0])
  const unknown = chunks.find(({ type }) => isCritical(type) && !knownCriticalTypes.includes(type))
  if (unknown !== undefined) throw new PngError(`the chunk ${unknown.type} must be understood, and is not`)

  const rows = inflateRows(chunks, header)
  const samples = unfilter(rows, header)
  let smallest = await packHard(rows)
  for (const choice of choices) {
    options.signal?.throwIfAborted()
    const packed = await packHard(filter(samples, header, choice))
    if (packed.length < smallest.length) smallest = packed
  }

  const shrunk = writeChunks(withPixels(chunks, smallest))
  return shrunk.length < file.length ? shrunk : file
}

/** The same chunks without the dropped ones, and with all pixels in one IDAT where the first one was. */
function withPixels(chunks: readonly Chunk[], data: Buffer): Chunk[] {
  const first = chunks.findIndex(({ type }) => type === 'IDAT')
  return chunks
    .map((chunk, i) => (i === first ? { type: 'IDAT', data } : chunk))
    .filter(({ type }, i) => i === first || (type !== 'IDAT' && !droppedTypes.includes(type)))
}

function packHard(rows: Buffer): Promise<Buffer> {
  return pack(rows, { level: constants.Z_BEST_COMPRESSION, memLevel: 9 })
}

/** A capital first letter says that a picture cannot be shown rightly without understanding the chunk. */
function isCritical(type: string): boolean {
  return /^[A-Z]/.test(type)
}
