import { deflateSync } from 'node:zlib'
import t from 'tap'
import { type Chunk, PngError, readChunks, writeChunks } from '../../../dist/images/png/chunks.js'
import { decode, samePixels } from '../../../dist/images/png/picture.js'
import { interlaced, palette } from './pictures.js'

function withChunk(file: Buffer, type: string, change: (data: Buffer) => Buffer): Buffer {
  return writeChunks(readChunks(file).map((chunk): Chunk => (chunk.type === type ? { type, data: change(chunk.data) } : chunk)))
}

/** In which pass each pixel of a square of 8 x 8 comes, as the PNG specification draws it. */
const passOf = ['16462646', '77777777', '56565656', '77777777', '36463646', '77777777', '56565656', '77777777']

t.test('picture - an interlaced picture by another program has the pixels that were put in', async (t) => {
  const expected: number[] = []
  for (let pass = 1; pass <= 7; pass++) {
    for (let y = 0; y < interlaced.height; y++) {
      for (let x = 0; x < interlaced.width; x++) {
        if (passOf[y % 8]![x % 8] === String(pass)) expected.push(...interlaced.pixel(x, y))
      }
    }
  }
  t.same([...decode(interlaced.file).samples], expected)
})

t.test('picture - pixels smaller than a byte are packed from the left', async (t) => {
  const { samples, header } = decode(palette.file)
  t.equal(header.bitDepth, 2)
  const rows = palette.rows.map((row, y) => row.map((_, x) => (samples[y * 2 + (x >> 2)]! >> (6 - 2 * (x & 3))) & 3))
  t.same(rows, palette.rows)
})

t.test('picture - a changed pixel, palette or transparent colour is not the same picture', async (t) => {
  const original = decode(palette.file)
  t.ok(samePixels(original, decode(Buffer.from(palette.file))))
  const invert = (data: Buffer) => Buffer.from(data.map((byte) => byte ^ 0xff))
  t.notOk(samePixels(original, decode(withChunk(palette.file, 'PLTE', invert))), 'the palette')
  t.notOk(samePixels(original, decode(withChunk(palette.file, 'tRNS', invert))), 'the transparency')
  const otherRows = deflateSync(Buffer.from([0, 0x19, 0, 0, 0xa9, 0, 0, 0x55, 0]))
  t.notOk(samePixels(original, decode(withChunk(palette.file, 'IDAT', () => otherRows))), 'the pixels')
})

t.test('picture - pixels that unpack to more or less than the header says are refused', async (t) => {
  for (const size of [0, 8, 10, 1_000_000]) {
    const file = withChunk(palette.file, 'IDAT', () => deflateSync(Buffer.alloc(size)))
    t.throws(() => decode(file), PngError, `${size} bytes instead of 9`)
  }
})

t.test('picture - a header that makes no sense is refused', async (t) => {
  const changes: readonly (readonly [string, (header: Buffer) => void])[] = [
    ['no width', (header) => header.writeUInt32BE(0, 0)],
    ['no height', (header) => header.writeUInt32BE(0, 4)],
    ['a picture of 2^31 rows', (header) => header.writeUInt32BE(0x80000000, 4)],
    ['more samples than we hold', (header) => header.writeUInt32BE(0x7fffffff, 0)],
    ['3 bits', (header) => header.writeUInt8(3, 8)],
    ['16 bits of palette', (header) => header.writeUInt8(16, 8)],
    ['colour type 5', (header) => header.writeUInt8(5, 9)],
    ['another compression', (header) => header.writeUInt8(1, 10)],
    ['another filtering', (header) => header.writeUInt8(1, 11)],
    ['another interlacing', (header) => header.writeUInt8(2, 12)],
  ]
  for (const [what, change] of changes) {
    const file = withChunk(palette.file, 'IHDR', (data) => {
      const header = Buffer.from(data)
      change(header)
      return header
    })
    t.throws(() => decode(file), PngError, what)
  }
})
