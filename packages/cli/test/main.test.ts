import t from 'tap'
import { main } from '../dist/main.js'
import { FakeIo } from './fake-io.js'

async function run(...args: string[]) {
  const io = new FakeIo()
  io.stdin.end()
  const code = await main(args, io)
  return { code, out: io.out, err: io.err }
}

t.test('waybill - help names every command; help of a command explains it', async (t) => {
  const { code, out } = await run('--help')
  t.equal(code, 0)
  for (const name of [
    'waybill serve',
    'waybill inspect DIR',
    'waybill backup TARGET',
    'waybill debug [host:port]',
    'waybill hash-password',
  ])
    t.match(out, name)
  for (const name of ['serve', 'inspect', 'backup', 'debug', 'hash-password']) {
    const own = await run(name, '--help')
    t.equal(own.code, 0)
    t.ok(own.out.startsWith(`waybill ${name}`))
    t.same(await run('help', name), own)
    t.same(await run(name, '-h'), own)
  }
})

t.test('waybill - the help of serve names every flag and variable', async (t) => {
  const { out } = await run('serve', '--help')
  for (const text of [
    '--config FILE',
    '--data DIR',
    '--data none',
    'WAYBILL_DATA',
    '--port',
    'WAYBILL_PORT',
    '--queue-count',
    'WAYBILL_QUEUE_COUNT',
    '--allow-plaintext',
  ])
    t.match(out, text)
})

t.test('waybill - the version is that of the package', async (t) => {
  const { code, out } = await run('--version')
  t.equal(code, 0)
  t.match(out, /^waybill \d+\.\d+\.\d+/)
  t.same(await run('-v'), { code, out, err: '' })
})

t.test('waybill - without a command, or with another, it says which there are', async (t) => {
  const nothing = await run()
  t.equal(nothing.code, 2)
  t.match(nothing.err, 'waybill serve')
  t.same(await run('sing'), {
    code: 2,
    out: '',
    err: "waybill has no command 'sing'; there are serve, inspect, backup, debug, hash-password\n",
  })
  t.same(await run('help', 'sing'), {
    code: 2,
    out: '',
    err: "waybill has no command 'sing'; there are serve, inspect, backup, debug, hash-password\n",
  })
})

t.test('waybill debug - a command line that makes no sense is one line, and exit code 2', async (t) => {
  const problems: [args: string[], line: string][] = [
    [['debug', '--prot', '1'], 'waybill debug has no option --prot; see waybill debug --help\n'],
    [['debug', 'a', 'b'], "'b' is one word too many for waybill debug; see waybill debug --help\n"],
    [['debug', 'a:b'], "'a:b' is no address; say host, host:port or waybill://host:port\n"],
    [['debug', '--user'], '--user needs a value; see waybill debug --help\n'],
    [['debug', '--tls=1'], '--tls takes no value\n'],
    [['debug', '--user', 'ada'], 'the password of ada is missing: set WAYBILL_PASSWORD\n'],
  ]
  for (const [args, line] of problems) t.same(await run(...args), { code: 2, out: '', err: line }, args.join(' '))
  t.match(await run('debug', '--ca', '/nowhere/ca.pem'), { code: 2, err: /^--ca \/nowhere\/ca\.pem: ENOENT/ })
})
