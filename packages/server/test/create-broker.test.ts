/** A broker in a process: what it is started with, where it says it is, and how it ends. */
import { connect } from '@waybill/client'
import { ConfigError, createBroker, loadConfig } from '@waybill/server'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import t from 'tap'

t.test('createBroker - takes what loadConfig returns, made sure of already', async (t) => {
  const files: Record<string, string> = { 'waybill.json': '{ "limits": { "queueCount": 1 }, "vhosts": ["shop"], "log": "none" }' }
  const machine = { totalMemorySize: 8 * 2 ** 30, readText: (path: string) => files[path] }
  const config = loadConfig({ file: 'waybill.json', flags: { port: '0', host: '127.0.0.1' } }, machine)
  const broker = await createBroker(config)
  t.teardown(() => broker.close({ graceMs: 0 }))
  t.match(broker.address, { address: '127.0.0.1', port: Number })
  const connection = await connect(`waybill://127.0.0.1:${broker.address!.port}/shop`)
  await connection.declareQueue('one')
  await t.rejects(connection.declareQueue('two'), { code: 'LIMIT_EXCEEDED' })
  await connection.close()
})

t.test('createBroker - options that cannot be used reject with everything that is wrong, and nothing listens', async (t) => {
  const error: unknown = await createBroker({ listen: { port: 70_000 }, limits: { queueCount: -1 } }).catch((problem: unknown) => problem)
  t.ok(error instanceof ConfigError)
  t.match((error as ConfigError).message, /listen\.port[\s\S]*limits\.queueCount/)
})

t.test('createBroker - without a listener there is no address, and a port that is taken rejects', async (t) => {
  const inside = await createBroker({ listen: false, log: 'none' })
  t.equal(inside.address, undefined)
  await inside.close()
  const first = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
  await t.rejects(createBroker({ listen: { host: '127.0.0.1', port: first.address!.port }, log: 'none' }), { code: 'EADDRINUSE' })
  await first.close()
})

t.test('createBroker - when it has closed nobody is answered any more, and closing again changes nothing', async (t) => {
  const broker = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
  const { port } = broker.address!
  const connection = await connect(broker, { recovery: false, log: () => {} })
  await broker.close({ graceMs: 0 })
  await broker.close()
  t.equal(connection.status.state, 'closed')
  const socket = connectSocket(port, '127.0.0.1')
  const [error] = await once(socket, 'error')
  t.match(error, { code: 'ECONNREFUSED' })
})
