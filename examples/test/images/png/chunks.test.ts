import { crc32 } from 'node:zlib'
import t from 'tap'
import { PngError, readChunks, signature, writeChunks } from '../../../dist/images/png/chunks.js'
import { interlaced, palette } from './pictures.js'

/** IEND is the same twelve bytes in every file. */
const iend = Buffer.from('0000000049454e44ae426082', 'hex')

t.test('chunks - a file is read into its chunks, in order', async (t) => {
  t.same(
    readChunks(palette.file).map(({ type, data }) => [type, data.length]),
    [
      ['IHDR', 13],
      ['PLTE', 12],
      ['tRNS', 2],
      ['IDAT', 17],
      ['IEND', 0],
    ],
  )
})

t.test('chunks - what was read is written as the same bytes', async (t) => {
  for (const { file } of [interlaced, palette]) t.ok(writeChunks(readChunks(file)).equals(file))
})

t.test('chunks - the written checksum is the one of type and data', async (t) => {
  t.same(writeChunks([{ type: 'IEND', data: Buffer.alloc(0) }]), Buffer.concat([signature, iend]))
})

t.test('chunks - one changed byte anywhere behind the signature is noticed', async (t) => {
  for (let at = 0; at < palette.file.length; at++) {
    const damaged = Buffer.from(palette.file)
    damaged[at]! ^= 0x20
    t.throws(() => readChunks(damaged), PngError, `byte ${at}`)
  }
})

t.test('chunks - a file that is cut short anywhere is refused', async (t) => {
  for (let size = 0; size < palette.file.length; size++)
    t.throws(() => readChunks(palette.file.subarray(0, size)), PngError, `${size} bytes`)
})

t.test('chunks - a size that lies is refused, not believed', async (t) => {
  const lying = Buffer.alloc(12)
  lying.writeUInt32BE(0xffffffff, 0)
  lying.write('tEXt', 4)
  lying.writeUInt32BE(crc32(lying.subarray(4, 8)), 8)
  t.throws(() => readChunks(Buffer.concat([signature, lying, iend])), /cut short in chunk tEXt/)
})
