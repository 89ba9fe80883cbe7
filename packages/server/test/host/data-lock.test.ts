import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DataOwnedError, lockData } from '../../dist/host/data-lock.js'
import { beginReading } from '../../dist/host/data-reader.js'

function directoryOf(t: Test, ...below: string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'waybill-lock-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  const directory = join(root, ...below)
  mkdirSync(directory, { recursive: true })
  return directory
}

/** Another process that has taken the directory. */
async function ownerOf(directory: string) {
  const module = new URL('../../dist/host/data-lock.js', import.meta.url).href
  const program = `import('${module}').then(({ lockData }) => lockData(process.argv[1])).then(() => { console.log('taken'); setInterval(() => {}, 1000) })`
  const child = spawn(process.execPath, ['-e', program, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

t.test('data lock - a directory that is taken is taken once, and can be had again when it is released', async (t) => {
  const directory = directoryOf(t)
  const lock = await lockData(directory)
  await t.rejects(lockData(directory), DataOwnedError)
  await lock.release()
  t.strictSame(readdirSync(directory), [], 'nothing is left')
  await (await lockData(directory)).release()
})

t.test('data lock - who has it is named, with what to do', async (t) => {
  const directory = directoryOf(t)
  const child = await ownerOf(directory)
  t.teardown(() => child.kill('SIGKILL'))
  const error = (await lockData(directory).then(
    () => undefined,
    (error: unknown) => error,
  )) as DataOwnedError
  t.equal(error.code, 'DATA_OWNED')
  t.equal(error.pid, child.pid)
  t.equal(error.message, `the data in ${directory} are in use by process ${child.pid}: stop it first, or choose another directory`)
})

t.test('data lock - an owner that was killed has left nothing that stands in the way', async (t) => {
  const directory = directoryOf(t)
  for (let i = 0; i < 2; i++) {
    const child = await ownerOf(directory)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const lock = await lockData(directory)
  await t.rejects(lockData(directory), DataOwnedError)
  await lock.release()
})

t.test('data lock - an owner that is frozen has it all the same', { skip: process.platform === 'win32' }, async (t) => {
  const directory = directoryOf(t)
  const child = await ownerOf(directory)
  t.teardown(() => child.kill('SIGKILL'))
  child.kill('SIGSTOP')
  await t.rejects(lockData(directory), DataOwnedError)
})

t.test('data lock - of many who want what a dead owner has left, one gets it', async (t) => {
  const directory = directoryOf(t)
  const child = await ownerOf(directory)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockData(directory)))
  const taken = results.filter((result) => result.status === 'fulfilled')
  t.equal(taken.length, 1)
  await taken[0].value.release()
  t.strictSame(readdirSync(directory), [])
})

t.test('data lock - a path may be longer than a socket may have', async (t) => {
  const directory = directoryOf(t, 'x'.repeat(120), 'y'.repeat(120))
  const lock = await lockData(directory)
  await t.rejects(lockData(directory), DataOwnedError)
  await lock.release()
  await (await lockData(directory)).release()
})

t.test('data lock - who reads the files is known for as long as the connection lasts, whoever ends it', async (t) => {
  const short = directoryOf(t)
  const long = directoryOf(t, 'a'.repeat(100), 'b'.repeat(100))
  for (const directory of [short, long]) {
    const lock = await lockData(directory)
    t.notOk(lock.hasReaders)
    const first = await beginReading(directory)
    const second = await beginReading(directory)
    t.ok(lock.hasReaders)
    await t.rejects(lockData(directory), DataOwnedError, 'who asks for the owner is told')
    first.end()
    second.end()
    while (lock.hasReaders) await new Promise((resolve) => setImmediate(resolve))
    const last = await beginReading(directory)
    t.ok(lock.hasReaders)
    await lock.release()
    while (lock.hasReaders) await new Promise((resolve) => setImmediate(resolve))
    last.end()
  }
})

t.test('data lock - a reader of what nobody owns, or whose owner was killed, reads', async (t) => {
  const directory = directoryOf(t)
  ;(await beginReading(directory)).end()
  const child = await ownerOf(directory)
  const reading = await beginReading(directory)
  child.kill('SIGKILL')
  await once(child, 'exit')
  ;(await beginReading(directory)).end()
  reading.end()
  await (await lockData(directory)).release()
})

t.test('data lock - a reader that is killed is forgotten', async (t) => {
  const directory = directoryOf(t)
  const lock = await lockData(directory)
  const module = new URL('../../dist/host/data-reader.js', import.meta.url).href
  const program = `import('${module}').then(({ beginReading }) => beginReading(process.argv[1])).then(() => { console.log('told'); setInterval(() => {}, 1000) })`
  const child = spawn(process.execPath, ['-e', program, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  t.ok(lock.hasReaders)
  child.kill('SIGKILL')
  while (lock.hasReaders) await new Promise((resolve) => setImmediate(resolve))
  await lock.release()
  t.strictSame(readdirSync(directory), [])
})
