/**
 * The client in Python, written from spec/ alone: its codec against the vectors, its conversations against the transcripts, and real work
 * against a broker in a process of its own. Skipped where there is no python3 of 3.9 or later.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const folder = fileURLToPath(new URL('../python', import.meta.url))
const command = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url))
const limitMs = 60_000

const isThere = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'], { timeout: limitMs }).status === 0
const options = isThere ? {} : { skip: 'there is no python3 of 3.9 or later here' }

/** Runs python3 in the folder of the client, to its end or for `limitMs`; resolves to all that it printed and its exit code. */
async function python(t: import('tap').Test, args: string[]): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }
  const child = spawn('python3', args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs, killSignal: 'SIGKILL' })
  t.teardown(() => ended(child))
  let output = ''
  const collect = (piece: Buffer) => {
    output += piece
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

/** A broker of its own on a free port; ends with the test. Resolves to where it listens. */
async function broker(t: import('tap').Test): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAYBILL_')))
  const child = spawn(process.execPath, [command, 'serve', '--port', '0', '--data', 'none'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 2 * limitMs,
  })
  t.teardown(() => ended(child))
  for await (const line of createInterface(child.stdout)) {
    const address = /waybill:\/\/(\S+:\d+)/.exec(line)?.[1]
    if (address === undefined) continue
    child.stdout.resume()
    return address
  }
  throw new Error('the broker ended before it said where it listens')
}

/** Kills what is still running and waits until it is gone. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

t.test('python - the client agrees with every vector and survives every transcript for clients', options, async (t) => {
  const { code, output } = await python(t, ['-m', 'unittest'])
  t.equal(code, 0, output)
  t.match(output, /Ran \d\d tests/)
})

t.test('python - the example publishes, consumes and adds up right', options, async (t) => {
  const { code, output } = await python(t, ['example.py', await broker(t)])
  t.equal(code, 0, output)
  t.match(output, 'confirmed: 100\nqueues that took them: 200\n')
  t.match(output, 'sum of all: 5050\n')
  t.match(output, 'left behind: 0\n')
})

t.test('python - the example ends with 1 and says why when there is no broker', options, async (t) => {
  const { code, output } = await python(t, ['example.py', 'localhost:1'])
  t.equal(code, 1)
  t.match(output, 'localhost:1: ')
})
