// The README's code, run as it stands: its tour with a worker and a broker that are killed in the middle, and its program.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { connect } from '@waybill/client'
import t from 'tap'
import { root } from '../prepare.mjs'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = new Map([...readme.matchAll(/```js\n\/\/ (\S+\.mjs)\n([\s\S]*?)```/g)].map((match) => [match[1], match[2]]))
const folder = mkdtempSync(join(tmpdir(), 'waybill-tour-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'node_modules/@waybill'), { recursive: true })
for (const name of ['client', 'server']) symlinkSync(join(root, 'packages', name), join(folder, 'node_modules/@waybill', name))

/** A program of the README, for a broker on another port than the one a reader would use. */
function program(name, port) {
  writeFileSync(join(folder, name), blocks.get(name).replaceAll('localhost:7670', `127.0.0.1:${port}`))
  return join(folder, name)
}

/** A process whose lines can be waited for; it does not outlive the test. */
function run(t, args) {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = []
  const waiting = []
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  const line = (pattern) =>
    new Promise((resolve) => {
      const look = () => {
        const found = lines.find((each) => pattern.test(each))
        if (found !== undefined) resolve(found)
      }
      waiting.push(look)
      look()
    })
  return { child, lines, line }
}

/** A broker on its data; port 0 is any that is free. */
async function startBroker(t, data, port = 0) {
  const args = ['serve', '--host', '127.0.0.1', '--port', `${port}`, '--data', join(folder, data)]
  const { child, line } = run(t, [join(root, 'packages/cli/dist/bin.js'), ...args])
  return { child, port: Number(/waybill:\/\/[^:]+:(\d+)/.exec(await line(/listening/))[1]) }
}

/** Until so many of the five orders are done with for the broker as well: the worker says so first, and could be killed in between. */
async function settled(port, count) {
  const connection = await connect(`waybill://127.0.0.1:${port}`)
  while ((await connection.checkQueue('emails')).unsettledCount > 5 - count);
  await connection.close()
}

t.test('readme - the tour: a killed worker leaves its order to the next one, marked as delivered again', async (t) => {
  const { port } = await startBroker(t, 'data')
  const worker = run(t, [program('worker.mjs', port)])
  await worker.line(/waiting for orders/)
  const { stdout } = await promisify(execFile)(process.execPath, [program('publisher.mjs', port)])
  t.same(
    stdout.trim().split('\n'),
    [1, 2, 3, 4, 5].map((id) => `order ${id} is in 1 queue`),
  )
  await worker.line(/new order\.eu\.paid .*id: 2/)
  await settled(port, 1)
  worker.child.kill('SIGKILL')
  await once(worker.child, 'exit')
  t.ok(worker.lines.includes('done 1'))
  t.notOk(worker.lines.includes('done 2'))

  const next = run(t, [join(folder, 'worker.mjs')])
  t.match(await next.line(/order\.eu\.paid/), /^again order\.eu\.paid .*id: 2/, 'the order that the killed worker had comes first')
  await next.line(/done 5/)
  t.same(
    next.lines.filter((line) => line.startsWith('done')),
    ['done 2', 'done 3', 'done 4', 'done 5'],
  )
  next.child.kill('SIGTERM')
  const [code] = await once(next.child, 'exit')
  t.equal(code, 0, 'it leaves cleanly')
})

t.test('readme - the tour: a killed broker has every order when it is started again, and the worker goes on by itself', async (t) => {
  const broker = await startBroker(t, 'data-of-another')
  const worker = run(t, [program('worker.mjs', broker.port)])
  await worker.line(/waiting for orders/)
  await promisify(execFile)(process.execPath, [program('publisher.mjs', broker.port)])
  await worker.line(/new order\.eu\.paid .*id: 2/)
  broker.child.kill('SIGKILL')
  await once(broker.child, 'exit')
  await startBroker(t, 'data-of-another', broker.port)
  await worker.line(/done 5/)
  const done = worker.lines.filter((line) => line.startsWith('done'))
  t.same([...new Set(done)].sort(), ['done 1', 'done 2', 'done 3', 'done 4', 'done 5'])
  t.ok(
    worker.lines.some((line) => /^again order\.eu\.paid .*id: 2/.test(line)),
    'what it had when the broker was killed comes again',
  )
  worker.child.kill('SIGTERM')
  t.same(await once(worker.child, 'exit'), [0, null])
})

t.test('readme - the program runs as it stands', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [program('program.mjs', 0)], { cwd: folder, timeout: 20_000 })
  t.same(stdout.trim().split('\n').sort(), [
    'NOT_FOUND',
    'to ada@example.org',
    'to user0@example.org',
    'to user1@example.org',
    'to user2@example.org',
    'twice 21 is 42',
  ])
})
