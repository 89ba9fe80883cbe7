/** `npm start` and its like, from the second time on: nothing about installing or building, and no process in between. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../prepare.mjs'

const data = mkdtempSync(join(tmpdir(), 'waybill-start-'))
t.teardown(() => rmSync(data, { recursive: true, force: true }))

/** A command of package.json, run as npm runs it; ended with the test. */
function start(t, ...args) {
  const child = spawn(process.execPath, ['scripts/run.mjs', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  for (const name in output) child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
  return { child, output, ended: once(child, 'close') }
}

async function listening({ child, output, ended }) {
  const left = ended.then(() => {
    throw new Error(`ended before it listened: ${output.stdout}${output.stderr}`)
  })
  while (!/^listening /m.test(output.stdout)) await Promise.race([once(child.stdout, 'data'), left])
  left.catch(() => {})
}

t.test('commands - the second build says nothing', async (t) => {
  const { output, ended } = start(t, 'build')
  t.same(await ended, [0, null])
  t.same(output, { stdout: '', stderr: '' })
})

t.test('commands - an unknown command is named, with those there are, and fails', async (t) => {
  const { output, ended } = start(t, 'sing')
  t.same(await ended, [1, null])
  t.match(output.stderr, "no command 'sing'; there are build, start")
})

t.test('commands - one Ctrl-C is heard as one, though npm passes on what the terminal has sent already', async (t) => {
  const broker = start(t, 'start', '--port', '0', '--data', data)
  const { child, ended } = broker
  await listening(broker)
  child.kill('SIGINT')
  child.stdout.once('data', () => child.kill('SIGINT'))
  t.same(await ended, [0, null])
})

t.test('commands - the second start listens in under 3 s, and SIGTERM reaches the broker', async (t) => {
  const began = performance.now()
  const broker = start(t, 'start', '--port', '0', '--data', data)
  const { child, output, ended } = broker
  await listening(broker)
  t.ok(performance.now() - began < 3000, `listening after ${Math.round(performance.now() - began)} ms`)
  child.kill('SIGTERM')
  t.same(await ended, [0, null])
  t.notMatch(output.stderr, /installing|building/)
})
