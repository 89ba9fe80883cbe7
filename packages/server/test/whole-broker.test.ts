/** A broker in this process, with clients over TCP, TLS and memory: who gets in, what is told, and how it goes away. */
import { connect, type Connection } from '@waybill/client'
import { createBroker, hashPassword } from '@waybill/server'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { certificate, tls } from './host/sockets.js'

const quiet = { log: () => undefined, recovery: false } as const

/** Everything that the broker tells. */
function notes() {
  const entries: { level: string; event: string; [field: string]: unknown }[] = []
  return {
    entries,
    log: (entry: { level: string; event: string }) => entries.push(entry),
    named: (event: string) => entries.filter((entry) => entry.event === event),
  }
}

t.test('broker - TLS: a client that trusts the authority talks, one that does not never says its password', async (t) => {
  const { log, named } = notes()
  const broker = await createBroker({ listen: { port: 0 }, tls, log })
  const { port } = broker.address!
  const connection = await connect(`waybills://localhost:${port}`, { ...quiet, tls: { ca: certificate('authority.pem') } })
  const queue = await connection.declareQueue('q')
  t.ok(queue)
  await connection.publish('', 'q', 'hello')
  await connection.close()
  await t.rejects(connect(`waybills://localhost:${port}`, { ...quiet, connectTimeoutMs: 500 }), { code: 'TLS_FAILED' })
  await t.rejects(
    connect(`waybills://127.0.0.1:${port}`, {
      ...quiet,
      connectTimeoutMs: 500,
      tls: { ca: certificate('authority.pem'), serverName: 'example.org' },
    }),
    {
      code: 'TLS_FAILED',
    },
  )
  t.equal(named('connection-opened').length, 1)
  t.match(named('connection-opened'), [{ tls: true }])
  await broker.close({ graceMs: 0 })
})

t.test('broker - TLS: a plain client on its port is refused, and a TLS client on a plain one gets a line', async (t) => {
  const secure = await createBroker({ listen: { port: 0 }, tls, log: 'none' })
  await t.rejects(connect(`waybill://127.0.0.1:${secure.address!.port}`, { ...quiet, connectTimeoutMs: 300 }))
  await secure.close({ graceMs: 0 })

  const plain = await createBroker({ listen: { port: 0 }, log: 'none' })
  const socket = connectTls({ port: plain.address!.port, host: '127.0.0.1' })
  await new Promise<void>((resolve) => socket.once('error', () => resolve()))
  const raw = connectSocket(plain.address!.port, '127.0.0.1')
  raw.write(Buffer.from('16030100c8010000c403', 'hex'))
  const [line] = (await once(raw, 'data')) as [Buffer]
  t.match(line.toString(), /without TLS/)
  raw.destroy()
  await plain.close({ graceMs: 0 })
})

t.test('broker - users: a password opens, a wrong one does not, guessing is slowed down, and neither is ever logged', async (t) => {
  const { log, entries, named } = notes()
  const passwordHash = await hashPassword('correct horse', { cost: 1024 })
  const broker = await createBroker({
    listen: { port: 0 },
    users: [{ name: 'ada', passwordHash, permissions: { configure: ['a.*'], write: ['a.*'], read: ['a.*'] } }],
    log,
  })
  const at = `127.0.0.1:${broker.address!.port}`
  const connection = await connect(`waybill://ada@${at}`, { ...quiet, password: 'correct horse' })
  await connection.declareQueue('a.q')
  await t.rejects(connection.declareQueue('b.q'), { code: 'FORBIDDEN' })
  await connection.close()
  for (const [user, password] of [
    ['ada', 'wrong battery'],
    ['eve', 'correct horse'],
  ]) {
    await t.rejects(connect(`waybill://${user}@${at}`, { ...quiet, password: password! }), { code: 'AUTHENTICATION_FAILED' })
  }
  await t.rejects(connect(`waybill://${at}`, quiet), { code: 'AUTHENTICATION_FAILED' })
  for (let i = 0; i < 6; i++) await connect(`waybill://ada@${at}`, { ...quiet, password: 'guess' }).catch(() => undefined)
  await t.rejects(connect(`waybill://ada@${at}`, { ...quiet, password: 'correct horse' }), { message: /too many failures/ })
  t.ok(named('authentication-failed').length >= 3)
  const text = JSON.stringify(entries)
  for (const secret of ['correct horse', 'wrong battery', passwordHash]) t.notOk(text.includes(secret))
  await broker.close({ graceMs: 0 })
})

t.test('broker - without users it serves this machine, and says so; other machines cannot even be listened for', async (t) => {
  const { log, named } = notes()
  const broker = await createBroker({ listen: { port: 0 }, log })
  t.match(named('configuration'), [{ level: 'warn', message: /no users/ }])
  await broker.close({ graceMs: 0 })
  await t.rejects(createBroker({ listen: { port: 0, host: '0.0.0.0' }, log: 'none' }), { message: /listen\.host.*add users/ })
})

t.test('broker - a function that is given as log and throws does not disturb it', async (t) => {
  const broker = await createBroker({
    listen: { port: 0 },
    log: () => {
      throw new Error('the log is full')
    },
  })
  const connection = await connect(`waybill://127.0.0.1:${broker.address!.port}`, quiet)
  t.match(await connection.declareQueue('q'), { created: true })
  await connection.close()
  await broker.close({ graceMs: 0 })
})

/** A consumer that has a message in its hands and settles it when told. */
async function working(connection: Connection): Promise<{ settle: () => void; done: Promise<unknown> }> {
  await connection.declareQueue('work')
  let settle: () => void = () => undefined
  const finished = new Promise<void>((resolve) => {
    settle = resolve
  })
  const started = new Promise<void>((resolve) => {
    void connection.consume('work', async () => {
      resolve()
      await finished
    })
  })
  await connection.publish('', 'work', 'a job')
  await started
  return { settle, done: finished }
}

for (const road of ['TCP', 'memory'] as const) {
  t.test(`broker - close() over ${road}: clients are told, a delivery in hand is finished, then everything ends`, async (t) => {
    const { log, named } = notes()
    const broker = await createBroker({ listen: road === 'TCP' ? { port: 0 } : false, log })
    const connection = await connect(road === 'TCP' ? `waybill://127.0.0.1:${broker.address!.port}` : broker, quiet)
    const states: string[] = []
    connection.on('status', ({ state }) => states.push(state))
    const draining = new Promise<void>((resolve) => connection.on('status', ({ state }) => state === 'draining' && resolve()))
    const { settle } = await working(connection)
    t.equal(broker.unsettledCount, 1)
    let isClosed = false
    const closed = broker.close({ graceMs: 20_000 }).then(() => {
      isClosed = true
    })
    await draining
    t.notOk(isClosed)
    settle()
    await closed
    t.equal(broker.unsettledCount, 0)
    t.match(states, ['draining', 'closed'])
    t.match(named('broker-draining'), [{ unsettledCount: 1, connectionCount: 1 }])
    t.equal(named('broker-stopped').length, 1)
  })

  t.test(
    `broker - close() over ${road}: what is not settled in time is not waited for, and a second close() does not wait at all`,
    async (t) => {
      const inTime = await createBroker({ listen: road === 'TCP' ? { port: 0 } : false, log: 'none' })
      const target = (broker: typeof inTime) => (road === 'TCP' ? `waybill://127.0.0.1:${broker.address!.port}` : broker)
      const first = await connect(target(inTime), quiet)
      const one = await working(first)
      await inTime.close({ graceMs: 50 })
      t.equal(first.status.state, 'closed')
      one.settle()

      const hurried = await createBroker({ listen: road === 'TCP' ? { port: 0 } : false, log: 'none' })
      const second = await connect(target(hurried), quiet)
      const other = await working(second)
      const closing = hurried.close({ graceMs: 1_000_000 })
      await hurried.close()
      await closing
      t.equal(second.status.state, 'closed')
      other.settle()
    },
  )
}

t.test('broker - a client in the middle of its handshake, and one that says nothing, do not hold close() up', async (t) => {
  const broker = await createBroker({ listen: { port: 0 }, log: 'none' })
  const silent = connectSocket(broker.address!.port, '127.0.0.1')
  await once(silent, 'connect')
  const half = connectSocket(broker.address!.port, '127.0.0.1')
  half.write(Buffer.from('5741594201000000', 'hex'))
  await once(half, 'data')
  await broker.close({ graceMs: 20_000 })
  t.equal(broker.unsettledCount, 0)
  silent.destroy()
  half.destroy()
})

t.test('broker - nothing is left when it has closed: the process ends by itself', async (t) => {
  const [server, client] = ['@waybill/server', '@waybill/client'].map((name) => import.meta.resolve(name))
  const program = `
    import { createBroker } from '${server}'
    import { connect } from '${client}'
    const broker = await createBroker({ listen: { port: 0 }, log: 'none' })
    const connection = await connect(broker, { log: () => {}, recovery: false })
    await connection.declareQueue('goes in an hour', { expiresMs: 3_600_000 })
    await broker.close({ graceMs: 0 })
    console.log('closed')`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 })
  t.equal(stdout, 'closed\n')
})

t.test('broker - TLS: somebody who says nothing in the handshake does not hold close() up', async (t) => {
  const broker = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, tls, log: 'none' })
  const silent = connectSocket(broker.address!.port, '127.0.0.1')
  await once(silent, 'connect')
  await connect(`waybills://127.0.0.1:${broker.address!.port}`, { ...quiet, tls: { ca: certificate('authority.pem') } })
  const startedAt = performance.now()
  await broker.close({ graceMs: 0 })
  t.ok(performance.now() - startedAt < 4_000, 'the time of a handshake is not waited for')
  silent.destroy()
})
