import { resolve } from 'node:path'
import t from 'tap'
import { type BrokerOptions, completeConfig, isLoopback } from '../../dist/config/config.js'
import { ConfigError } from '../../dist/config/config-error.js'
import { readTls } from '../../dist/config/tls.js'

const machine = { totalMemorySize: 8 * 2 ** 30, readText: () => undefined }
const passwordHash = `scrypt$32768$8$1$${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}`
const tls = { key: '-----BEGIN PRIVATE KEY-----\nsecret', cert: '-----BEGIN CERTIFICATE-----\n' }
const users = [{ name: 'ann', passwordHash }]

function problemsOf(options: unknown): string[] {
  try {
    completeConfig(options as BrokerOptions, machine)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

t.test('config - nothing said gives a broker for this machine, with a warning', async (t) => {
  const config = completeConfig({}, machine)
  t.same(config.listen, { host: 'localhost', port: 7670 })
  t.same(config.vhosts, ['default'])
  t.same(config.users, [])
  t.equal(config.tls, undefined)
  t.equal(config.log, 'text')
  t.equal(config.limits.memorySize, 2 * 2 ** 30)
  t.same(config.warnings, ['no users are configured: every program on this machine may do everything'])
  t.same(completeConfig({ listen: false }, machine).warnings, [])
})

t.test('config - everything said is kept', async (t) => {
  const log = () => undefined
  const config = completeConfig(
    { listen: { host: '0.0.0.0', port: 0 }, tls, users, vhosts: ['default', 'shop'], limits: { queueCount: 7 }, log },
    machine,
  )
  t.same(config.listen, { host: '0.0.0.0', port: 0 })
  t.equal(config.limits.queueCount, 7)
  t.equal(config.limits.bindingCount, 1_000_000)
  t.equal(config.log, log)
  t.same(config.warnings, [])
})

t.test('config - every problem names its path, what was found, and the fix', async (t) => {
  const problems: [unknown, string][] = [
    [
      { listen: { port: 'many' } },
      'listen.port: must be a whole number from 0 to 65535, found "many"; change it, or leave it out for 7670',
    ],
    [{ listen: { port: 65_536 } }, 'listen.port: must be a whole number from 0 to 65535, found 65536; change it, or leave it out for 7670'],
    [{ listen: { port: 1.5 } }, 'listen.port: must be a whole number from 0 to 65535, found 1.5; change it, or leave it out for 7670'],
    [{ listen: true }, 'listen: must be an object with host and port, or false, found true; change it'],
    [{ listen: 7670 }, 'listen: must be an object with host and port, or false, found 7670; change it'],
    [{ lisen: {} }, 'lisen: must be a known option, found another; did you mean listen?'],
    [{ listen: { prot: 1 } }, 'listen.prot: must be a known option, found another; did you mean port?'],
    [{ listen: { backlog: 1 } }, 'listen.backlog: must be a known option, found another; there are host, port'],
    [{ log: 'xml' }, 'log: must be one of "json", "text", "none", found "xml"; change it, or leave it out for "text"'],
    [{ tls: { key: 'k' } }, 'tls.cert: must be given, found nothing; add it'],
    [{ vhosts: [] }, 'vhosts: must be a list of 1 to 1000, found []; change it, or leave it out for ["default"]'],
    [{ vhosts: ['a', 'b', 'a'] }, 'vhosts: must name each once, found "a" twice; leave one out'],
    [{ vhosts: [''] }, 'vhosts[0]: must be a text of 1 to 255 characters, found ""; change it'],
    [{ users: [{ name: 'a', password: 'hunter2' }] }, 'users[0].passwordHash: must be given, found nothing; add it'],
    [
      { users: [{ name: 'a', passwordHash: 'hunter2' }] },
      'users[0].passwordHash: must be a hash, found something else: it is not of the form scrypt$N$r$p$salt$hash; make one with waybill hash-password',
    ],
    [{ users: [...users, ...users] }, "users[1].name: must not be that of another user, found 'ann' again; leave one out"],
    [
      { limits: { queueCount: 0 } },
      'limits.queueCount: must be a whole number from 1 to 10000000, found 0; change it, or leave it out for 100000',
    ],
    [{ limits: { queues: 1 } }, 'limits.queues: must be a known option, found another; there are memorySize'],
    [{ limits: { heartbeatMs: 1 } }, 'limits.heartbeatMs: must be 0 or at least 5000: below it a busy program looks dead; found 1'],
    [JSON.parse('{"__proto__": 1}'), '__proto__: must be a known option, found another; there are listen'],
    [{ constructor: 1 }, 'constructor: must be a known option, found another; there are listen'],
  ]
  for (const [options, expected] of problems) {
    const found = problemsOf(options)
    t.ok(
      found.some((line) => line.startsWith(expected)),
      `${JSON.stringify(options)}: ${found.join(' | ')}`,
    )
  }
})

t.test('config - all problems are told at once, each once', async (t) => {
  t.equal(problemsOf({ listen: { port: 'a', host: '' }, vhosts: 3, limits: { queueCount: 'x', frameMs: -1 } }).length, 5)
})

t.test('config - secrets are not repeated', async (t) => {
  const text = problemsOf({ tls: { key: 4711, cert: ['x'] }, users: [{ name: 'a', passwordHash: 12345, password: 'hunter2' }] }).join('\n')
  t.match(text, /tls.key/)
  t.match(text, /did you mean passwordHash/)
  t.notMatch(text, /4711|12345|hunter2/)
})

t.test('config - other machines need users and TLS, or the word that plain is meant', async (t) => {
  const listen = { host: '0.0.0.0' }
  t.match(problemsOf({ listen })[0], /^listen.host: must be localhost as long as there are no users, found '0.0.0.0'.*add users$/)
  t.match(problemsOf({ listen, allowPlaintext: true })[0], /no users/)
  t.match(problemsOf({ listen, tls })[0], /no users/)
  t.match(problemsOf({ listen, users })[0], /no tls.*allowPlaintext/)
  t.same(problemsOf({ listen, users, tls }), [])
  t.match(completeConfig({ listen, users, allowPlaintext: true }, machine).warnings[0], /without TLS/)
  for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '::1', '[::1]']) t.ok(isLoopback(host), host)
  for (const host of ['', '0.0.0.0', '::', '10.0.0.1', 'localhost.example.org', '127.0.0.1.example.org', '1270.0.0.1'])
    t.notOk(isLoopback(host), host)
})

t.test('config - a user who can connect nowhere is a warning', async (t) => {
  const { warnings } = completeConfig({ users: [{ ...users[0]!, vhosts: ['shpo'] }], vhosts: ['shop'] }, machine)
  t.same(warnings, ["user 'ann' may not connect to any of the virtual hosts (shop)"])
})

t.test('tls - paths are read, PEM is taken as it is, and what is neither is named without being shown', async (t) => {
  const files: Record<string, string> = { 'key.pem': tls.key, 'notes.txt': 'the password is hunter2' }
  const reader = { readText: (path: string) => files[path] }
  t.same(readTls({ key: 'key.pem', cert: tls.cert }, reader), tls)
  try {
    readTls({ key: 'missing.pem', cert: 'notes.txt', ca: 'key.pem' }, reader)
    t.fail('must throw')
  } catch (error) {
    const lines = (error as Error).message.split('\n')
    const where = resolve('missing.pem')
    t.equal(lines[0], `tls.key: must be PEM or the path of a PEM file, found nothing that can be read at '${where}'; check the path`)
    t.match(lines[1], `something else at '${resolve('notes.txt')}'`)
    t.match(lines[1], /^tls.cert: /)
    t.notMatch(lines.join(), /hunter2/)
  }
})

t.test('config - nothing is kept unless a directory is named', async (t) => {
  t.equal(completeConfig({}, machine).data, false)
  t.equal(completeConfig({ data: '/var/lib/waybill' }, machine).data, '/var/lib/waybill')
  t.match(problemsOf({ data: '' }), [/^data: must be the path of a directory, or false, found ""/])
  t.match(problemsOf({ data: true }), [/^data: must be the path of a directory, or false, found true/])
  t.match(problemsOf({ data: 7 }), [/^data: must be the path of a directory, or false, found 7/])
})

t.test('config - a twentieth of the disk with the data stays free, at least 1 GB', async (t) => {
  const asked: string[] = []
  const withDisk = (size: number | undefined) => ({
    ...machine,
    diskSize: (directory: string) => {
      asked.push(directory)
      return size
    },
  })
  t.equal(completeConfig({ data: 'there' }, withDisk(100e9)).limits.diskFreeMin, 5e9)
  t.equal(completeConfig({ data: 'there' }, withDisk(10e9)).limits.diskFreeMin, 1e9)
  t.equal(completeConfig({ data: 'there' }, withDisk(undefined)).limits.diskFreeMin, 1e9)
  t.equal(completeConfig({ data: 'there', limits: { diskFreeMin: 0 } }, withDisk(100e9)).limits.diskFreeMin, 0)
  t.same([...new Set(asked)], ['there'])
})
