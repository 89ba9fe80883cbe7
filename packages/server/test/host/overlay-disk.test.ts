import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DirectoryStill } from '../../dist/host/directory-still.js'
import { OverlayDisk } from '../../dist/host/overlay-disk.js'
import { forSeeds } from '../seeds.js'

function stillOf(t: Test, directory: string): DirectoryStill {
  const still = new DirectoryStill(directory, () => true)
  t.teardown(() => still.close())
  return still
}

t.test('overlay disk - what is written is read again, and what lies below stays as it is', async (t) => {
  const directory = t.testdir({ a: 'below', b: 'gone', sub: { c: '' } })
  const disk = new OverlayDisk(stillOf(t, directory))
  const a = disk.open('a')
  a.write([Buffer.from('ab'), Buffer.from('ove')], 0)
  a.write([Buffer.from('!')], 7)
  const bytes = Buffer.alloc(20, 'x')
  t.equal(a.read(bytes, 0), 8)
  t.equal(bytes.toString('latin1', 0, 9), 'above\0\0!x', 'what nobody has written is 0, what is not there is left alone')
  disk.open('new').write([Buffer.from('n')], 0)
  disk.rename('new', 'c')
  disk.rename('a', 'd')
  disk.remove('b')
  t.same(disk.list().sort(), ['c', 'd'])
  t.equal(disk.open('d').size, 8)
  t.equal(disk.open('b').size, 0, 'a file that was removed is a new one')
  await new Promise<void>((done) => disk.syncNames(() => done()))
  t.same(readdirSync(directory).sort(), ['a', 'b', 'sub'])
  t.equal(readFileSync(join(directory, 'a'), 'utf8'), 'below')
})

t.test('overlay disk - random writes over a file read as those to a buffer', async (t) => {
  await forSeeds(t, 20, (random, seed) => {
    const below = Buffer.from(Array.from({ length: random.below(300_000) }, () => random.below(256)))
    const disk = new OverlayDisk(stillOf(t, t.testdir({ file: below })))
    const file = disk.open('file')
    const plain = Buffer.concat([below, Buffer.alloc(400_000)])
    let { size } = file
    for (let i = 0; i < 40; i++) {
      const at = random.below(350_000)
      const piece = Buffer.alloc(random.below(5) === 0 ? random.below(150_000) : random.below(100), i + 1)
      file.write([piece.subarray(0, 10), piece.subarray(10)], at)
      piece.copy(plain, at)
      if (piece.length > 0) size = Math.max(size, at + piece.length)
      t.equal(file.size, size)
      const from = random.below(400_000)
      const into = Buffer.alloc(random.below(200_000))
      const count = file.read(into, from)
      t.ok(into.subarray(0, count).equals(plain.subarray(from, from + count)), `seed ${seed}, ${i}`)
    }
  })
})

t.test('overlay disk - a file that is frozen stays as it was, whoever writes to it', async (t) => {
  const directory = t.testdir({ file: 'a'.repeat(200_000) })
  const disk = new OverlayDisk(stillOf(t, directory))
  disk.freeze('file')
  writeFileSync(join(directory, 'file'), 'b'.repeat(300_000))
  const bytes = Buffer.alloc(300_000)
  t.equal(disk.open('file').read(bytes, 0), 200_000)
  t.equal(bytes.toString('latin1', 0, 200_000), 'a'.repeat(200_000))
})
