import { mkdirSync, readdirSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DirectoryStill } from '../../dist/host/directory-still.js'
import { DiskError } from '../../dist/ports/disk.js'

function textOf(still: DirectoryStill, name: string): string {
  const bytes = Buffer.alloc(still.sizeOf(name))
  return bytes.toString('utf8', 0, readSync(still.descriptor(name)!, bytes, 0, bytes.length, 0))
}

t.test('directory still - what is removed, renamed or replaced afterwards is read as it was', async (t) => {
  const directory = t.testdir({ removed: 'one', renamed: 'two', replaced: 'three', grown: 'fo', below: { file: '' } })
  const still = new DirectoryStill(directory, () => true)
  rmSync(join(directory, 'removed'))
  renameSync(join(directory, 'renamed'), join(directory, 'later'))
  writeFileSync(join(directory, 'new'), 'other')
  renameSync(join(directory, 'new'), join(directory, 'replaced'))
  writeFileSync(join(directory, 'grown'), 'ur', { flag: 'a' })
  t.strictSame(still.names().sort(), ['grown', 'removed', 'renamed', 'replaced'])
  t.strictSame(
    ['removed', 'renamed', 'replaced', 'grown'].map((name) => textOf(still, name)),
    ['one', 'two', 'three', 'four'],
  )
  t.equal(still.descriptor('later'), undefined)
  still.close()
  t.strictSame(still.names(), [])
})

t.test('directory still - one of the needed files goes while it is taken: it is taken again, and another one may go', async (t) => {
  const directory = t.testdir({ first: '1', second: '2', free: '' })
  // Files go when the names are asked for: each name once before it is opened.
  const asked: string[] = []
  const still = new DirectoryStill(directory, (name) => {
    if (asked.length === 0) {
      writeFileSync(join(directory, 'third'), '3')
      rmSync(join(directory, 'first'))
      rmSync(join(directory, 'free'))
    }
    asked.push(name)
    return name !== 'free'
  })
  t.teardown(() => still.close())
  t.ok(asked.length > 0)
  t.strictSame(still.names().sort(), readdirSync(directory).sort())
})

t.test('directory still - what is no directory is named, and files that never stay are', async (t) => {
  const directory = t.testdir({ file: '' })
  t.throws(() => new DirectoryStill(join(directory, 'file'), () => true), DiskError)
  t.throws(() => new DirectoryStill(join(directory, 'nowhere'), () => true), { message: /^cannot list .*nowhere: ENOENT/ })
  mkdirSync(join(directory, 'busy'))
  let count = 0
  const next = () => writeFileSync(join(directory, 'busy', `${++count}`), '')
  next()
  const comesAndGoes = () => {
    rmSync(join(directory, 'busy', `${count}`), { force: true })
    next()
    return true
  }
  t.throws(() => new DirectoryStill(join(directory, 'busy'), comesAndGoes), { message: /come and go faster than they can be opened$/ })
})
