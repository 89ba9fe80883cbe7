import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NodeDisk } from '../../dist/host/node-disk.js'
import type { DiskError, DiskFile } from '../../dist/ports/disk.js'

function diskOf(t: Test): NodeDisk {
  const root = mkdtempSync(join(tmpdir(), 'waybill-disk-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  return new NodeDisk(join(root, 'data'))
}

function synced(file: DiskFile): Promise<DiskError | undefined> {
  return new Promise((resolve) => file.sync(resolve))
}

t.test('disk - a directory is made, for its user alone', async (t) => {
  const disk = diskOf(t)
  t.equal(statSync(disk.directory).mode & 0o777, 0o700)
  t.strictSame(disk.list(), [])
  const { free, total } = disk.space()
  t.ok(free > 0 && free <= total)
})

t.test('disk - what was written is read, in parts, at offsets, at once and later', async (t) => {
  const disk = diskOf(t)
  const file = disk.open('a')
  file.write([Buffer.from('one '), Buffer.from(''), Buffer.from('two')], 0)
  file.write([Buffer.from('TWO')], 4)
  t.equal(file.size, 7)
  t.equal(readFileSync(join(disk.directory, 'a'), 'utf8'), 'one TWO')
  const bytes = Buffer.alloc(10)
  t.equal(file.read(bytes, 4), 3, 'no more than there is')
  let isTold = false
  const count = await new Promise((resolve, reject) => {
    file.readLater(bytes, 0, (error, count) => {
      isTold = true
      if (error === undefined) resolve(count)
      else reject(error)
    })
    t.equal(isTold, false, 'not within the call')
  })
  t.equal(count, 7)
  t.equal(bytes.toString('utf8', 0, 7), 'one TWO')
  t.equal(await synced(file), undefined)
  file.close()
  file.close()
})

t.test('disk - a write may have more parts than a system call takes', async (t) => {
  const disk = diskOf(t)
  const file = disk.open('many')
  const parts = Array.from({ length: 5_000 }, (_, i) => Buffer.from(`${i},`))
  file.write(parts, 3)
  const bytes = Buffer.alloc(file.size - 3)
  file.read(bytes, 3)
  t.ok(bytes.equals(Buffer.concat(parts)))
  file.close()
})

t.test('disk - files are listed, renamed and removed, and the names synced', async (t) => {
  const disk = diskOf(t)
  for (const name of ['a', 'b']) disk.open(name).close()
  disk.rename('a', 'c')
  disk.remove('b')
  disk.remove('b')
  t.strictSame(disk.list(), ['c'])
  t.equal(await new Promise((resolve) => disk.syncNames(resolve)), undefined)
})

t.test('disk - a file that is closed while it is read ends behind the reading', async (t) => {
  const disk = diskOf(t)
  const file = disk.open('a')
  file.write([Buffer.alloc(1 << 20, 'x')], 0)
  const bytes = Buffer.alloc(1 << 20)
  const told = new Promise((resolve) => file.readLater(bytes, 0, (error, count) => resolve([error, count])))
  file.close()
  t.strictSame(await told, [undefined, 1 << 20])
  t.ok(bytes.equals(Buffer.alloc(1 << 20, 'x')))
})

t.test('disk - what goes wrong has a kind, and says what was tried and where', async (t) => {
  const disk = diskOf(t)
  t.throws(() => disk.rename('not there', 'x'), { name: 'DiskError', kind: 'broken', message: /cannot rename not there to x in .*ENOENT/ })
  writeFileSync(join(disk.directory, 'file'), '')
  t.throws(() => new NodeDisk(join(disk.directory, 'file', 'below')), { name: 'DiskError', message: /cannot make the directory/ })
})

t.test('disk - a disk without space says that it is full', { skip: process.platform !== 'linux' }, async (t) => {
  const disk = new NodeDisk('/dev')
  const file = disk.open('full')
  t.throws(() => file.write([Buffer.from('x')], 0), { name: 'DiskError', kind: 'full', message: /cannot write to \/dev\/full/ })
  file.close()
})
