/** The program itself, as its users start it: `waybill serve` and `waybill debug` as processes of their own, with signals and pipes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { cert, key } from './certificate.js'

const program = fileURLToPath(new URL('../dist/bin.js', import.meta.url))
const timeoutMs = 20_000

interface Run {
  readonly child: ChildProcess
  out: string
  err: string
  /** Resolves when standard output has this text. */
  printed(text: string | RegExp): Promise<void>
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
}

function waybill(t: Test, args: readonly string[], env: Record<string, string> = {}): Run {
  const { npm_lifecycle_event: _npm, ...outer } = process.env
  const child = spawn(process.execPath, [program, ...args], { env: { ...outer, ...env }, timeout: timeoutMs, killSignal: 'SIGKILL' })
  t.teardown(() => child.kill('SIGKILL'))
  const run: Run = {
    child,
    out: '',
    err: '',
    printed: (text) =>
      new Promise((resolve, reject) => {
        const has = (): boolean => (typeof text === 'string' ? run.out.includes(text) : text.test(run.out))
        const look = (): void => {
          if (has()) resolve()
        }
        child.stdout.on('data', look)
        child.once('close', () => reject(new Error(`ended without printing ${text}: ${run.out}${run.err}`)))
        look()
      }),
    ended: once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals),
  }
  child.stdout.on('data', (text) => {
    run.out += text
  })
  child.stderr.on('data', (text) => {
    run.err += text
  })
  child.stdin.on('error', () => {})
  return run
}

/** A broker that keeps nothing, unless it is told to. */
async function serve(t: Test, ...args: string[]): Promise<Run & { address: string; port: number }> {
  const run = waybill(t, ['serve', '--data', 'none', '--host', '127.0.0.1', '--port', '0', '--log', 'none', ...args])
  await run.printed('README.md')
  const port = Number(/listening waybill:\/\/127\.0\.0\.1:(\d+) {2}this machine only: no users yet/.exec(run.out)![1])
  return Object.assign(run, { address: `127.0.0.1:${port}`, port })
}

function type(run: Run, ...lines: string[]): void {
  run.child.stdin!.write(lines.map((line) => `${line}\n`).join(''))
}

t.test('waybill - a broker is started, talked to through a pipe, and told to stop', async (t) => {
  const broker = await serve(t)
  const tool = waybill(t, ['debug', broker.address])
  type(tool, 'declare queue emails', 'send emails {"id":1}', 'get emails ack=none', 'quit')
  t.equal(await tool.ended, 0, 'though its standard input is still open')
  t.equal(tool.err, '')
  t.match(
    tool.out,
    '← DELIVER ch 1 consumer 1, tag 1, message 1\n    "" › emails  persistent contentType=application/json  8 B  {"id":1}\n',
  )

  const failing = waybill(t, ['debug', broker.address])
  failing.child.stdin!.end('check queue nope\n')
  t.equal(await failing.ended, 1)
  t.match(failing.err, /^line 1: failed: 404 notFound: /)

  broker.child.kill('SIGTERM')
  t.equal(await broker.ended, 0)
  t.ok(broker.out.endsWith('finishing 0 deliveries … done\n'), broker.out)
  t.equal(broker.err, '')
})

t.test('waybill - told to stop, a broker waits for the deliveries in flight', async (t) => {
  const broker = await serve(t)
  const tool = waybill(t, ['debug', broker.address])
  type(tool, 'declare queue emails', 'consume emails', 'send emails hello count=3', 'wait 3 messages', 'status')
  await tool.printed('last tag')
  broker.child.kill('SIGINT')
  await broker.printed('finishing 3 deliveries … ')
  await tool.printed('← STATUS {"state":"draining"')
  t.notMatch(broker.out, 'done')
  type(tool, 'ack 1-3', 'quit')
  await tool.printed('→ SETTLE ch 1')
  t.equal(await broker.ended, 0)
  t.ok(broker.out.endsWith('finishing 3 deliveries … done\n'), broker.out)
})

t.test('waybill - a second Ctrl-C does not wait', async (t) => {
  const broker = await serve(t)
  const tool = waybill(t, ['debug', broker.address])
  type(tool, 'declare queue emails', 'consume emails', 'send emails hello', 'wait 1 message', 'status')
  await tool.printed('last tag')
  broker.child.kill('SIGINT')
  await broker.printed('finishing 1 delivery … ')
  // Two at once are one Ctrl-C that came twice; so it is pressed until it is heard.
  const again = setInterval(() => broker.child.kill('SIGINT'), 100)
  t.equal(await broker.ended, 130)
  clearInterval(again)
  t.ok(broker.out.endsWith('finishing 1 delivery … not waited for\n'), broker.out)
  tool.child.stdin!.end()
  t.equal(await tool.ended, 2)
  t.match(tool.err, 'the connection is gone')
})

t.test('waybill - one Ctrl-C that comes twice, as under npm, is one', async (t) => {
  const broker = await serve(t)
  broker.child.kill('SIGINT')
  setImmediate(() => broker.child.kill('SIGINT'))
  t.equal(await broker.ended, 0)
})

t.test('waybill - a port that is taken is one line with the fix, and exit code 1', async (t) => {
  const broker = await serve(t)
  const second = waybill(t, ['serve', '--data', 'none', '--host', '127.0.0.1', '--port', String(broker.port)])
  t.equal(await second.ended, 1)
  const next = broker.port === 65_535 ? 7670 : broker.port + 1
  t.equal(second.err, `${broker.address} is taken, perhaps by another waybill; take another port: waybill serve --port ${next}\n`)
  t.equal(second.out, '')
})

t.test('waybill - what cannot be started is one line, and exit code 2', async (t) => {
  for (const args of [['--data'], ['--host', '0.0.0.0'], ['--prot', '1'], ['--config', '/nowhere.json']]) {
    const run = waybill(t, ['serve', ...args])
    t.equal(await run.ended, 2, args.join(' '))
    t.equal(run.err.trimEnd().split('\n').length, 1)
    t.equal(run.out, '')
  }
})

t.test('waybill - somebody with telnet gets one line that helps', async (t) => {
  const broker = await serve(t)
  const socket = connect(broker.port, '127.0.0.1')
  socket.setEncoding('utf8')
  let said = ''
  socket.on('data', (text) => {
    said += text
  })
  socket.write('hello?\r\n')
  await once(socket, 'close')
  t.match(said, /^[^\r\n]*waybill debug[^\r\n]*\r\n$/)
})

t.test('waybill - a reader that has seen enough ends the tool without a noise', async (t) => {
  const broker = await serve(t)
  const tool = waybill(t, ['debug', broker.address])
  await tool.printed('OPEN')
  tool.child.stdout!.destroy()
  type(tool, 'list queues')
  t.equal(await tool.ended, 0)
  t.equal(tool.err, '')
})

t.test('waybill - Ctrl-C and SIGTERM end the tool with a goodbye, while it waits too', async (t) => {
  const broker = await serve(t)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const tool = waybill(t, ['debug', broker.address])
    await tool.printed('← RESULT ch 1')
    type(tool, 'wait 1 message')
    await tool.printed('> wait 1 message')
    tool.child.kill(signal)
    t.equal(await tool.ended, 1)
    t.match(tool.out, '→ CLOSE #3 {}\n← RESULT #3 {}\n')
  }
})

t.test('waybill - users and TLS: the hash that it makes is the password that it takes', async (t) => {
  const hashing = waybill(t, ['hash-password'])
  hashing.child.stdin!.end('correct horse')
  t.equal(await hashing.ended, 0)
  const users = [{ name: 'ada', passwordHash: hashing.out.trim(), permissions: { configure: ['*'], write: ['*'], read: ['*'] } }]
  const directory = t.testdir({
    'cert.pem': cert,
    'key.pem': key,
    'waybill.json': JSON.stringify({ listen: { host: '127.0.0.1', port: 0 }, data: false, users, log: 'none' }),
  })
  const tls = ['--tls-key', `${directory}/key.pem`, '--tls-cert', `${directory}/cert.pem`]
  const broker = waybill(t, ['serve', '--config', `${directory}/waybill.json`, ...tls])
  await broker.printed('README.md')
  t.match(broker.out, /listening waybills:\/\/127\.0\.0\.1:\d+ {2}this machine only: 1 user\n/)
  const address = /waybills:\/\/127\.0\.0\.1:\d+/.exec(broker.out)![0]

  const good = waybill(t, ['debug', address, '--user', 'ada', '--ca', `${directory}/cert.pem`], { WAYBILL_PASSWORD: 'correct horse' })
  good.child.stdin!.end('declare queue emails\ncheck queue emails\n')
  t.equal(await good.ended, 0, good.err)
  const bad = waybill(t, ['debug', address, '--user', 'ada', '--ca', `${directory}/cert.pem`], { WAYBILL_PASSWORD: 'hunter2' })
  bad.child.stdin!.end('declare queue emails\n')
  t.equal(await bad.ended, 2)
  t.match(bad.err, /^401 authenticationFailed: /)
  t.notMatch(good.out + bad.out + broker.err, /horse|hunter2/)
})

t.test('waybill - a password goes in through a pipe and comes out as a hash', async (t) => {
  const run = waybill(t, ['hash-password'])
  run.child.stdin!.end('correct horse\n')
  t.equal(await run.ended, 0)
  t.match(run.out, /^scrypt\$/)
})
