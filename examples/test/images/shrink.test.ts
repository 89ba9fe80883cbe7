import t from 'tap'
import { draw } from '../../dist/images/draw.js'
import { type Chunk, PngError, readChunks, writeChunks } from '../../dist/images/png/chunks.js'
import { decode, samePixels } from '../../dist/images/png/picture.js'
import { shrink } from '../../dist/images/shrink.js'
import { interlaced, palette } from './png/pictures.js'

function typesIn(file: Buffer): string[] {
  return readChunks(file).map(({ type }) => type)
}

function withBefore(file: Buffer, before: string, ...more: Chunk[]): Buffer {
  return writeChunks(readChunks(file).flatMap((chunk) => (chunk.type === before ? [...more, chunk] : [chunk])))
}

t.test('shrink - a careless picture becomes smaller and keeps every pixel', async (t) => {
  const { file, samples } = draw(96, 64, 3)
  const shrunk = await shrink(file)
  t.ok(shrunk.length < file.length / 2, `${file.length} bytes became ${shrunk.length}`)
  t.ok(decode(shrunk).samples.equals(samples), 'the pixels are those that were drawn')
  t.ok(samePixels(decode(shrunk), decode(file)))
})

t.test('shrink - comments and dates go, what the pixels need stays in its place', async (t) => {
  const { file } = draw(40, 30, 1)
  const types = typesIn(file)
  t.ok(['tEXt', 'tIME', 'iTXt', 'gAMA'].every((type) => types.includes(type)) && types.filter((type) => type === 'IDAT').length > 0)
  t.same(typesIn(await shrink(file)), ['IHDR', 'gAMA', 'IDAT', 'IEND'])
})

t.test('shrink - interlaced pictures and palettes with transparency stay what they are', async (t) => {
  const comment = { type: 'tEXt', data: Buffer.from('Comment\0nothing to see here') }
  for (const file of [interlaced.file, palette.file]) {
    const shrunk = await shrink(withBefore(file, 'IEND', comment))
    t.ok(shrunk.length <= file.length)
    t.ok(samePixels(decode(shrunk), decode(file)))
  }
})

t.test('shrink - a file that cannot become smaller comes back as it is', async (t) => {
  const once = await shrink(draw(40, 30, 1).file)
  t.equal(await shrink(once), once)
})

t.test('shrink - pixels in several pieces around other chunks end in one piece', async (t) => {
  const { file } = draw(200, 120, 2)
  t.ok(typesIn(file).filter((type) => type === 'IDAT').length > 1)
  t.equal(typesIn(await shrink(file)).filter((type) => type === 'IDAT').length, 1)
})

t.test('shrink - what must be understood and is not, is left alone', async (t) => {
  await t.rejects(shrink(withBefore(palette.file, 'IDAT', { type: 'HELP', data: Buffer.alloc(1) })), PngError)
  await t.rejects(shrink(Buffer.from('GIF89a')), PngError)
})

t.test('shrink - ends early when nobody waits for it any more', async (t) => {
  await t.rejects(shrink(palette.file, { signal: AbortSignal.abort() }), { name: 'AbortError' })
})
