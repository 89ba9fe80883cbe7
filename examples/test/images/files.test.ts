import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { replaceFile } from '../../dist/images/files.js'
import { parseJob } from '../../dist/images/jobs.js'

t.test('files - a file is replaced and nothing else is left', async (t) => {
  const directory = t.testdir({ 'a.png': 'old' })
  await replaceFile(join(directory, 'a.png'), Buffer.from('new'), join(directory, 'a.png.part'))
  t.equal(await readFile(join(directory, 'a.png'), 'utf8'), 'new')
  t.same(await readdir(directory), ['a.png'])
})

t.test('files - what cannot be put in place leaves no part behind', async (t) => {
  const directory = t.testdir({})
  const taken = join(directory, 'taken')
  await mkdir(taken)
  await writeFile(join(taken, 'inside'), '')
  await t.rejects(replaceFile(taken, Buffer.from('new'), join(directory, 'part')))
  t.same(await readdir(directory), ['taken'])
})

t.test('picture jobs - only names that the blog gave lead to a file', async (t) => {
  const name = '0b9ce2b2-26a4-4b5e-8f5a-1c6f0c0ffee0.png'
  t.same(parseJob({ name }), { name })
  for (const bad of ['', '../secret.png', `../${name}`, `${name}/..`, `${name}.part`, 7, undefined, { name }]) {
    t.throws(() => parseJob({ name: bad }), JSON.stringify(bad) ?? 'none')
  }
})
