import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeDirectory } from '../../dist/host/make-directory.js'

function rootOf(t: Test): string {
  const root = mkdtempSync(join(tmpdir(), 'waybill-make-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  return root
}

t.test('make directory - it is made with those above it, for its user alone; one that is there stays as it is', async (t) => {
  const root = rootOf(t)
  t.strictSame(makeDirectory(join(root, 'a', 'b', 'c')), [join(root, 'a'), join(root, 'a/b'), join(root, 'a/b/c')])
  for (const path of ['a', 'a/b', 'a/b/c']) t.equal(statSync(join(root, path)).mode & 0o777, 0o700, path)
  mkdirSync(join(root, 'open'), 0o755)
  t.strictSame(makeDirectory(join(root, 'open')), [])
  t.equal(statSync(join(root, 'open')).mode & 0o777, 0o755)
  symlinkSync(join(root, 'open'), join(root, 'link'))
  makeDirectory(join(root, 'link', 'in'))
  t.ok(statSync(join(root, 'open', 'in')).isDirectory())
})

t.test('make directory - what is in its place, or above it, and is no directory is named', async (t) => {
  const root = rootOf(t)
  const file = join(root, 'file')
  writeFileSync(file, 'text')
  t.throws(() => makeDirectory(file), { message: `${file} is there, and is not a directory` })
  t.throws(() => makeDirectory(join(file, 'in', 'it')), { message: `${file} is there, and is not a directory` })
  symlinkSync(join(root, 'nowhere'), join(root, 'dangling'))
  t.throws(() => makeDirectory(join(root, 'dangling')), {
    message: `${join(root, 'dangling')} is a link to ${join(root, 'nowhere')}, which is not there; make that directory, or remove the link`,
  })
  t.throws(() => makeDirectory(join(root, 'dangling', 'in', 'it')), { message: /dangling is a link to / })
})

t.test(
  'make directory - where nothing can be made it says so at once',
  { skip: process.platform !== 'linux' && 'there is no /proc' },
  async (t) => {
    t.throws(() => makeDirectory('/proc/waybill'), { code: 'ENOENT' })
    t.throws(() => makeDirectory('/proc/waybill/data'), { code: 'ENOENT' })
  },
)
