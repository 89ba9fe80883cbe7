import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { namesIn, sizeOf, textOf } from '../dist/files.js'

t.test('files - the size of a directory is what its files take, those in directories below included', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-files-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  t.equal(sizeOf(directory), 0)
  mkdirSync(join(directory, 'below'))
  writeFileSync(join(directory, 'below', 'file'), Buffer.alloc(1e6, 1))
  const one = sizeOf(directory)
  t.ok(one >= 1e6 && one < 1.1e6, `${one}`)
  writeFileSync(join(directory, 'other'), Buffer.alloc(1e6, 1))
  t.ok(sizeOf(directory) >= 2e6)
})

t.test('files - what is not there is empty', async (t) => {
  t.same(namesIn('/nowhere'), [])
  t.equal(textOf('/nowhere'), '')
  t.equal(sizeOf('/nowhere'), 0)
})
