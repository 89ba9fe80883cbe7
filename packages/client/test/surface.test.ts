/** The surface as a program meets it: what is there, and what `await using` does to each part of it, against the broker of this repository. */
import { connect } from '@waybill/client'
import { createBroker } from '@waybill/server'
import { basename } from 'node:path'
import t, { type Test } from 'tap'
import { failure } from './support/fake-broker.js'

async function meet(t: Test) {
  const broker = await createBroker({ listen: false, log: 'none' })
  t.teardown(() => broker.close({ graceMs: 0 }))
  const connection = await connect(broker, { log: () => {} })
  t.teardown(() => connection.close({ timeoutMs: 100 }))
  return connection
}

const ofChannel = [
  ...['declareQueue', 'declareExchange', 'checkQueue', 'checkExchange', 'deleteQueue', 'deleteExchange', 'purgeQueue'],
  ...['bindQueue', 'unbindQueue', 'bindExchange', 'unbindExchange', 'list'],
  ...['publish', 'sendToQueue', 'publisher', 'consume', 'messages', 'get', 'request', 'respond', 'close'],
]

t.test('surface - a connection is a channel too, and a channel has everything but channels and a status', async (t) => {
  const connection = await meet(t)
  const channel = await connection.channel()
  for (const name of ofChannel) {
    t.type(connection[name as keyof typeof connection], 'function', `connection.${name}`)
    t.type(channel[name as keyof typeof channel], 'function', `channel.${name}`)
  }
  t.match(connection.status, { state: 'connected', attempt: 1, restored: { queues: 0, bindings: 0, consumers: 0 }, failed: [] })
  t.notOk('channel' in channel)
})

t.test('surface - each of connection, channel, consumer and publisher ends with the block that uses it', async (t) => {
  const connection = await meet(t)
  await connection.declareQueue('work')
  const channel = await connection.channel()
  const consumer = await channel.consume('work', () => {})
  const publisher = channel.publisher('')
  publisher.send('work', 'x')
  await publisher[Symbol.asyncDispose]()
  t.throws(() => publisher.send('work', 'y'), { code: 'CLOSED' })
  await consumer[Symbol.asyncDispose]()
  t.match(await consumer.closed, { reason: 'closed' })
  await channel[Symbol.asyncDispose]()
  t.match(await failure(channel.checkQueue('work')), { code: 'CLOSED' })
  t.match(await connection.checkQueue('work'), { consumerCount: 0, messageCount: 0 }, 'the connection goes on')
  await connection[Symbol.asyncDispose]()
  t.same(connection.status, { state: 'closed' })
})

t.test('surface - a connection is shown under the name of its program, or the one that it is given', async (t) => {
  const connection = await meet(t)
  const [shown] = await connection.list('connections')
  t.match(shown, { client: { name: `${basename(process.argv[1]!)} ${process.pid}`, product: '@waybill/client' } })
  const broker = await createBroker({ listen: false, log: 'none' })
  t.teardown(() => broker.close({ graceMs: 0 }))
  const named = await connect(broker, { name: 'billing', log: () => {} })
  t.match(await named.list('connections'), [{ client: { name: 'billing' } }])
  await named.close()
})

t.test('surface - safe by default: a named queue is asked to be durable, a publish confirmed and mandatory to a queue', async (t) => {
  const connection = await meet(t)
  t.match(await connection.declareQueue('work'), { queue: 'work', created: true, messageCount: 0, consumerCount: 0 })
  t.match(await failure(connection.declareQueue('work', { durable: false })), {
    code: 'PRECONDITION_FAILED',
    differences: [{ option: 'durable', wanted: false, actual: true }],
  })
  t.match(await connection.sendToQueue('work', 'x'), { level: 'received', queues: 1 })
  t.match(await failure(connection.sendToQueue('nobody', 'x')), { code: 'UNROUTABLE', stored: 'no' })
  t.match(await failure(connection.sendToQueue('work', 'x', { confirm: 'synced' })), { code: 'LEVEL_UNAVAILABLE', stored: 'no' })
  t.match(await connection.get('work'), { properties: { persistent: true, contentType: 'text/plain' }, body: 'x' })
})
