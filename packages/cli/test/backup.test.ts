import { type Connection, connect } from '@waybill/client'
import { createBroker } from '@waybill/server'
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { main } from '../dist/main.js'
import { FakeIo } from './fake-io.js'

async function backup(...args: string[]) {
  const io = new FakeIo()
  const code = await main(['backup', ...args], io)
  return { code, out: io.out, err: io.err }
}

/** A directory that is removed when all brokers of the test have ended. */
function place(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'waybill-backup-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A running broker, ended with the test. */
async function running(t: Test, data: string) {
  const broker = await createBroker({ listen: false, log: 'none', data })
  const connection = await connect(broker, { log: () => {} })
  const close = async () => {
    await connection.close({ timeoutMs: 100 })
    await broker.close({ graceMs: 0 })
  }
  t.teardown(close)
  return { connection, close }
}

async function numbersIn(connection: Connection, queue: string): Promise<number[]> {
  const numbers: number[] = []
  for (let message = await connection.get(queue); message !== undefined; message = await connection.get(queue))
    numbers.push(message.body as number)
  return numbers
}

t.test('backup - a copy of a running broker has what was confirmed before, and a broker starts on it', async (t) => {
  const directory = place(t)
  const [data, target] = [join(directory, 'data'), join(directory, 'copies', 'monday')]
  const { connection } = await running(t, data)
  await connection.declareQueue('work')
  for (let n = 0; n < 50; n++) await connection.sendToQueue('work', n)
  ;(await connection.get('work'))!.ack()

  // It goes on publishing while the copy is taken.
  let isOver = false
  const publishing = (async () => {
    for (let n = 50; !isOver; n++) await connection.sendToQueue('work', n)
  })()
  const { code, out, err } = await backup(target, '--data', data)
  isOver = true
  await publishing
  t.equal(err, '')
  t.equal(code, 0, out)
  t.match(out, /^copied \S+ to \S+monday in \d+\.\d s: log [0-9a-z]+, 1 queue, \d+ messages, every checksum is right\n/)
  t.ok(out.endsWith(`to restore it, start on it: waybill serve --data ${target}\n`))
  t.notOk(
    readdirSync(target).some((name) => name.startsWith('owner') || name.startsWith('spare')),
    'neither the lock nor spare room is copied',
  )

  const restored = await running(t, target)
  const numbers = await numbersIn(restored.connection, 'work')
  const first = numbers[0] === 0 ? 0 : 1
  t.same(
    numbers,
    Array.from({ length: numbers.length }, (_, i) => i + first),
    'all of them up to some moment, none missing, in order',
  )
  t.ok(numbers.length + first >= 50)
})

t.test('backup - what is damaged in every copy is named, and the exit code is 1', async (t) => {
  const directory = place(t)
  const [data, target] = [join(directory, 'data'), join(directory, 'copy')]
  const { connection, close } = await running(t, data)
  await connection.declareQueue('work')
  for (let n = 0; n < 50; n++) await connection.sendToQueue('work', n)
  await close()
  writeFileSync(join(data, 'segment-00000001.log'), 'x', { flag: 'r+' })
  const { code, out } = await backup(target, '--data', data)
  t.match(out, /\ndamaged: segment-00000001\.log offset 0: /)
  t.equal(code, 1)
})

t.test('backup - what cannot be copied, or not there, is one line, exit code 2, and leaves nothing', async (t) => {
  const directory = place(t)
  for (const name of ['full', 'empty']) mkdirSync(join(directory, name))
  writeFileSync(join(directory, 'full', 'file'), '')
  const at = (name: string) => join(directory, name)
  t.match(await backup(), { code: 2, out: '', err: /^waybill backup needs a directory to copy to; / })
  t.match(await backup(at('full'), '--data', at('empty')), { code: 2, err: /full is not empty; name a directory that is not there yet\n$/ })
  t.match(await backup(at('copy'), '--data', at('empty')), { code: 2, err: `there are no data of a broker in ${at('empty')}\n` })
  t.match(await backup(at('copy'), '--data', at('nowhere')), { code: 2, err: /^cannot list .*nowhere: ENOENT/ })
  t.match(await backup(join(at('copies'), 'of', 'monday'), '--data', at('empty')), { code: 2, err: /^there are no data/ })
  t.match(await backup(at('empty'), '--data', at('nowhere')), { code: 2, err: /^cannot list .*nowhere: ENOENT/ })
  t.match(await backup('', '--data', at('full')), { code: 2, err: 'the name of the directory to copy to is empty; give its path\n' })
  t.match(await backup(at('copy'), '--data', ''), { code: 2, err: 'the name of the data directory is empty; give its path\n' })
  t.same(readdirSync(directory).sort(), ['empty', 'full'], 'neither the directory nor those above it, but what was there before')
  symlinkSync(at('nowhere'), at('link'))
  const fix = /link is a link to .*nowhere, which is not there; make that directory, or remove the link\n$/
  t.match(await backup(at('link'), '--data', at('full')), { code: 2, err: fix })
  t.match(await backup(at('copy'), '--data', at('link')), { code: 2, err: fix })
  appendFileSync(at('a-file'), '')
  t.match(await backup(at('a-file'), '--data', at('empty')), { code: 2, err: /a-file: .*a-file is there, and is not a directory$/m })
})
