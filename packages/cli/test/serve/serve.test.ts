import { writeFileSync } from 'node:fs'
import t from 'tap'
import type { Broker, Config } from '@waybill/server'
import { serve } from '../../dist/serve/serve.js'
import { FakeIo } from '../fake-io.js'

/** A broker that does what the test says, and remembers how it was started. */
function fakeBroker({ unsettledCount = 0, data }: { unsettledCount?: number; data?: Broker['data'] } = {}) {
  let options: Config | undefined
  let closed: () => void = () => {}
  const isClosed = new Promise<void>((resolve) => {
    closed = resolve
  })
  let graceMs: number | undefined
  return {
    closed,
    options: () => options,
    graceMs: () => graceMs,
    async start(given: Config) {
      options = given
      return {
        address: { address: '127.0.0.1', family: 'IPv4', port: 7670 },
        data,
        unsettledCount,
        close(how?: { graceMs?: number }) {
          graceMs = how?.graceMs
          return isClosed
        },
      }
    },
  }
}

function failing(code: string, syscall = 'listen') {
  return async () => {
    throw Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
  }
}

t.test('serve - says what it is, where it listens, what it keeps, and three next steps', async (t) => {
  const io = new FakeIo()
  const broker = fakeBroker({
    data: { directory: './waybill-data', log: 'k3f9a8c2d1', queueCount: 3, messageCount: 1204, damageCount: 0, ms: 80.4 },
  })
  const ended = serve([], io, broker.start)
  await io.printed('README.md')
  const lines = io.out.split('\n')
  t.match(lines[0], /^waybill \d+\.\d+\.\d+\S*, Node \d+\./)
  t.equal(lines[1], 'listening waybill://localhost:7670  this machine only: no users yet')
  t.equal(lines[2], 'keeping messages in ./waybill-data (log k3f9a8c2d1, 3 queues, 1,204 messages; recovered in 80 ms)')
  t.match(lines[4], /^next {2}waybill debug /)
  t.match(lines[5], /^ {6}npm run demo /)
  t.match(lines[6], /^ {6}README\.md /)
  t.equal(io.err, '')
  t.match(broker.options(), { listen: { host: 'localhost', port: 7670 }, data: './waybill-data', users: [], log: 'text' })
  io.signal('SIGTERM')
  broker.closed()
  t.equal(await ended, 0)
})

t.test('serve - keeps where it is told to, and says so; nothing, when it is told that', async (t) => {
  const file = `${t.testdir()}/waybill.json`
  writeFileSync(file, '{ "data": "from-file" }')
  const told = async (args: string[], env: Record<string, string>, data?: Broker['data']) => {
    const io = new FakeIo(env)
    const broker = fakeBroker({ data })
    void serve(args, io, broker.start)
    await io.printed('README.md')
    return { data: broker.options()!.data, line: io.out.split('\n')[2] }
  }
  const kept = { directory: 'd', log: 'k3f9a', queueCount: 0, messageCount: 0, damageCount: 0, ms: 2 }
  t.same(await told(['--data', '/var/lib/waybill'], { WAYBILL_DATA: 'd' }, kept), {
    data: '/var/lib/waybill',
    line: 'keeping messages in d (log k3f9a, no queue yet; recovered in 2 ms)',
  })
  const one = { ...kept, queueCount: 1, messageCount: 1 }
  t.same(await told(['--config', file], { WAYBILL_DATA: 'd' }, one), {
    data: 'd',
    line: 'keeping messages in d (log k3f9a, 1 queue, 1 message; recovered in 2 ms)',
  })
  t.match(await told(['--config', file], {}, kept), { data: 'from-file' })
  const nothing = { data: false, line: 'keeping nothing, as it was told: messages live in memory and are gone when this stops' }
  t.same(await told(['--data', 'none'], {}), nothing)
  t.same(await told([], { WAYBILL_DATA: 'none' }), nothing)
})

t.test('serve - a directory that cannot be used is one line with the fix, and exit code 1', async (t) => {
  const problems: [error: object, line: RegExp][] = [
    [
      { code: 'DATA_OWNED', message: 'the data in ./d are in use by process 42: stop it first, or choose another directory' },
      /^the data in \.\/d are in use by process 42: stop it first, or choose another directory: waybill serve --data DIR$/,
    ],
    [{ code: 'DATA_FORMAT', message: 'waybill.json has format 2' }, /^\.\/d: waybill\.json has format 2$/],
    [
      { name: 'DiskError', kind: 'broken', message: 'cannot make the directory ./d: EACCES: permission denied' },
      /^cannot make the directory \.\/d: EACCES: .*; let this process read and write there, or keep .*--data DIR$/,
    ],
    [
      { name: 'DiskError', kind: 'full', message: 'cannot write to ./d/waybill.json: ENOSPC' },
      /ENOSPC; make space there, or keep the data elsewhere: waybill serve --data DIR$/,
    ],
  ]
  for (const [error, line] of problems) {
    const io = new FakeIo()
    const start = async () => {
      throw Object.assign(new Error(), error)
    }
    t.equal(await serve(['--data', './d'], io, start), 1)
    t.match(io.err.trimEnd(), line)
    t.equal(io.err.trimEnd().split('\n').length, 1, 'one line')
    t.equal(io.out, '')
  }
})

t.test('serve - under npm the next steps are those of npm', async (t) => {
  const io = new FakeIo({ npm_lifecycle_event: 'start' })
  const broker = fakeBroker()
  const ended = serve(['--port', '7777'], io, broker.start)
  await io.printed('README.md')
  t.match(io.out, 'next  npm run debug ')
  io.signal('SIGINT')
  broker.closed()
  t.equal(await ended, 0)
})

t.test('serve - lets the deliveries in flight finish, and says so', async (t) => {
  for (const [unsettledCount, said] of [
    [3, 'finishing 3 deliveries … done\n'],
    [1, 'finishing 1 delivery … done\n'],
    [0, 'finishing 0 deliveries … done\n'],
  ] as const) {
    const io = new FakeIo()
    const broker = fakeBroker({ unsettledCount })
    const ended = serve(['--drain-ms', '4000'], io, broker.start)
    await io.printed('README.md')
    io.signal('SIGINT')
    await io.printed('… ')
    t.notOk(io.out.includes('done'), 'it waits')
    broker.closed()
    t.equal(await ended, 0)
    t.ok(io.out.endsWith(said), said)
    t.equal(broker.graceMs(), 4_000)
  }
})

t.test('serve - a signal that comes twice at once is one; one that comes later does not wait', async (t) => {
  const io = new FakeIo()
  const broker = fakeBroker({ unsettledCount: 1 })
  let now = performance.now()
  t.intercept(performance, 'now', { value: () => now })
  void serve([], io, broker.start)
  await io.printed('README.md')
  io.signal('SIGINT')
  io.signal('SIGINT')
  t.equal(io.exitCode, undefined)
  now += 301
  io.signal('SIGINT')
  t.equal(io.exitCode, 130)
})

t.test('serve - a second SIGTERM does not wait either', async (t) => {
  const io = new FakeIo()
  const broker = fakeBroker()
  let now = performance.now()
  t.intercept(performance, 'now', { value: () => now })
  void serve([], io, broker.start)
  await io.printed('README.md')
  io.signal('SIGTERM')
  now += 1_000
  io.signal('SIGTERM')
  t.equal(io.exitCode, 143)
})

t.test('serve - what did not finish in time is not called done', async (t) => {
  const io = new FakeIo()
  const broker = fakeBroker({ unsettledCount: 1 })
  let now = Math.floor(performance.now()) // whole, so that the difference below is exact
  t.intercept(performance, 'now', { value: () => now })
  const ended = serve(['--drain-ms', '100'], io, broker.start)
  await io.printed('README.md')
  io.signal('SIGTERM')
  now += 100
  broker.closed()
  t.equal(await ended, 0)
  t.match(io.out, 'finishing 1 delivery … not all were settled within 100 ms\n')
})

t.test('serve - a port that cannot be had is one line with the fix, and exit code 1', async (t) => {
  const problems: [code: string, args: string[], env: Record<string, string>, line: string][] = [
    ['EADDRINUSE', [], {}, 'localhost:7670 is taken, perhaps by another waybill; take another port: waybill serve --port 7671'],
    [
      'EADDRINUSE',
      ['--port', '8000'],
      { npm_lifecycle_event: 'start' },
      'localhost:8000 is taken, perhaps by another waybill; take another port: npm start -- --port 8001',
    ],
    [
      'EADDRINUSE',
      ['--port=65535'],
      {},
      'localhost:65535 is taken, perhaps by another waybill; take another port: waybill serve --port 7670',
    ],
    ['EACCES', ['--port', '80'], {}, 'this process may not listen on port 80; take one above 1023: waybill serve --port 7670'],
    [
      'EADDRNOTAVAIL',
      ['--host', '127.0.0.99'],
      {},
      "this machine has no address '127.0.0.99'; take one that it has: waybill serve --host localhost",
    ],
    ['EMFILE', [], {}, 'cannot listen on localhost:7670: listen EMFILE'],
  ]
  for (const [code, args, env, line] of problems) {
    const io = new FakeIo(env)
    t.equal(await serve(args, io, failing(code)), 1, line)
    t.equal(io.err, `${line}\n`)
    t.equal(io.out, '')
  }
})

t.test('serve - a fault of ours is not made to look like a problem of the port', async (t) => {
  const broken = async () => {
    throw new TypeError('undefined is not a function')
  }
  await t.rejects(serve([], new FakeIo(), broken), { message: 'undefined is not a function' })
})

t.test('serve - a configuration that cannot be used is a line with path and fix, and exit code 2', async (t) => {
  const file = `${t.testdir()}/waybill.json`
  writeFileSync(file, '{ "listen": { "port": "seven" } }')
  const problems: [args: string[], env: Record<string, string>, line: RegExp][] = [
    [['--data'], {}, /^data: must have a value, found none; write --data VALUE/],
    [['--config'], {}, /^--config needs a value/],
    [['--host', '0.0.0.0'], {}, /^listen\.host: must be localhost as long as there are no users.*add users.*\(--host\)$/],
    [['--prot', '7671'], {}, /--prot.*did you mean --port/],
    [['7671'], {}, /^waybill serve takes flags alone, not '7671'/],
    [['--port'], {}, /^listen\.port: must have a value/],
    [['--port', 'x'], {}, /^listen\.port: must be a whole number.*\(--port\)$/],
    [[], { WAYBILL_PORT: '70000' }, /^listen\.port: .*65535.*\(WAYBILL_PORT\)$/],
    [['--config', file], {}, /^listen\.port: must be a whole number.*"seven".*waybill\.json\)$/],
    [['--config', `${file}.none`], {}, /the configuration must be a file that can be read/],
  ]
  for (const [args, env, line] of problems) {
    const io = new FakeIo(env)
    t.equal(await serve(args, io, failing('NEVER')), 2, args.join(' '))
    t.match(io.err.trimEnd(), line)
    t.equal(io.err.trimEnd().split('\n').length, 1, 'one line')
    t.equal(io.out, '')
  }
})

t.test('serve - flags win over the environment, and that over the file', async (t) => {
  const file = `${t.testdir()}/waybill.json`
  writeFileSync(file, '{ "listen": { "host": "127.0.0.1", "port": 1 }, "limits": { "queueCount": 5 }, "log": "json" }')
  const io = new FakeIo({ WAYBILL_PORT: '2', WAYBILL_QUEUE_COUNT: '6', WAYBILL_PASSWORD: 'for the debug tool' })
  const broker = fakeBroker()
  void serve(['--config', file, '--port=3'], io, broker.start)
  await io.printed('README.md')
  t.match(broker.options(), { listen: { host: '127.0.0.1', port: 3 }, limits: { queueCount: 6 }, log: 'json' })
  t.match(io.out, 'next  waybill debug 127.0.0.1:7670 ')
  t.equal(io.err, '')
})

t.test('serve - with users and TLS it says who may connect, and how to reach it', async (t) => {
  const directory = t.testdir()
  const passwordHash = 'scrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
  const users = [{ name: 'ada', passwordHash }]
  const configured = async (config: object) => {
    writeFileSync(`${directory}/waybill.json`, JSON.stringify(config))
    const io = new FakeIo()
    void serve(['--config', `${directory}/waybill.json`], io, fakeBroker().start)
    await io.printed('README.md')
    return io
  }
  const local = await configured({ users })
  t.match(local.out, 'listening waybill://localhost:7670  this machine only: 1 user\n')
  t.match(local.out, 'next  waybill debug --user ada ')

  const open = await configured({
    listen: { host: '0.0.0.0' },
    users: [...users, { name: 'bob', passwordHash }],
    tls: { key: 'k', cert: 'c' },
  })
  t.match(open.out, 'listening waybills://0.0.0.0:7670  2 users, TLS\n')
  t.match(open.out, 'next  waybill debug waybills://localhost:7670 --user ada ')

  const plain = await configured({ listen: { host: '::' }, users, allowPlaintext: true })
  t.match(plain.out, 'listening waybill://[::]:7670  1 user, and everybody on the way can read along: there is no TLS\n')
})

t.test('serve - a broker without a listener is for programs, not for this command', async (t) => {
  const file = `${t.testdir()}/waybill.json`
  writeFileSync(file, '{ "listen": false }')
  const io = new FakeIo()
  t.equal(await serve(['--config', file], io, failing('NEVER')), 2)
  t.match(io.err, /^listen: false is for a broker inside a program/)
})

t.test('serve - on a terminal the log is warnings alone, and not those that the banner says; asked for, it is all', async (t) => {
  const logOf = async (isTTY: boolean, args: string[], env = {}) => {
    const io = new FakeIo(env)
    Object.assign(io.stderr, { isTTY })
    const broker = fakeBroker()
    void serve(args, io, broker.start)
    await io.printed('README.md')
    return { log: broker.options()!.log, io }
  }
  const { log, io } = await logOf(true, [])
  if (typeof log !== 'function') return t.fail('a function was expected')
  log({ level: 'info', event: 'connection-opened', connection: 1 })
  log({ level: 'warn', event: 'configuration', message: 'no users are configured: every program may do everything' })
  log({ level: 'warn', event: 'publishers-blocked', reason: 'memory', usedSize: 12 })
  log({ level: 'error', event: 'listener-failed', message: 'too many open files' })
  t.equal(io.err, 'warn publishers-blocked reason=memory usedSize=12\nerror listener-failed message=too many open files\n')

  t.equal((await logOf(false, [])).log, 'text')
  t.equal((await logOf(true, ['--log', 'text'])).log, 'text')
  t.equal((await logOf(true, [], { WAYBILL_LOG: 'text' })).log, 'text')
  t.equal((await logOf(true, ['--log=json'])).log, 'json')
})

t.test('serve - a variable that looks like one of ours and is none is told of', async (t) => {
  const io = new FakeIo({ WAYBILL_SOMETHING_ELSE_ALTOGETHER: '1' })
  void serve([], io, fakeBroker().start)
  await io.printed('README.md')
  t.match(io.err, 'the variable WAYBILL_SOMETHING_ELSE_ALTOGETHER is none of the broker')
})
