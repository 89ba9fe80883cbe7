import type { Message } from '@waybill/client'
import { getEventListeners } from 'node:events'
import t from 'tap'
import { FakeBroker, failure, settle, silence } from './support/fake-broker.js'

const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

t.test('signals - one may be shared by any number of calls: Node has nothing to warn of, and they all end with it', async (t) => {
  const warnings: Error[] = []
  const warn = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', warn)
  t.teardown(() => process.off('warning', warn))
  const broker = new FakeBroker()
  broker.confirms = false
  broker.answers.GET = silence
  const connection = await broker.connect()
  const publisher = connection.publisher('x', { window: 1 })
  publisher.send('k', 'a')
  const controller = new AbortController()
  const { signal } = controller
  const consumer = await connection.consume('work', () => {}, { signal })
  const calls: Promise<unknown>[] = []
  for (let i = 0; i < 12; i++) {
    calls.push(connection.publish('x', 'k', i, { signal }), connection.get('work', { waitMs: 1_000, signal }))
    calls.push(connection.request('', 'work', i, { signal }), publisher.ready({ signal }))
  }
  await settle()
  t.equal(listenersOf(signal), 1)
  const rejected = calls.map(failure)
  controller.abort('enough')
  for (const each of await Promise.all(rejected)) t.match(each, { code: 'ABORTED', cause: 'enough' })
  t.match(await consumer.closed, { reason: 'closed' })
  t.equal(listenersOf(signal), 0)
  await new Promise((resolve) => setImmediate(resolve))
  t.same(warnings, [])
})

t.test('signals - nobody listens to one any more when its calls have ended by themselves, however they did', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const { signal } = new AbortController()
  const consumer = await connection.consume('work', () => {}, { signal })
  await Promise.all([connection.publish('x', 'k', 1, { signal }), connection.publish('x', 'k', 2, { signal })])
  t.equal(listenersOf(signal), 1, 'the consumer')
  broker.answers.GET = ({ json }, peer) => {
    peer.deliver(json.consumer, ['a'])
    return { found: true }
  }
  const message = (await connection.get('work', { signal })) as Message
  message.ack()
  broker.confirms = false
  const publisher = connection.publisher('x', { window: 1 })
  publisher.send('k', 'a')
  const ready = publisher.ready({ signal })
  const late = failure(connection.request('', 'work', 1, { signal, timeoutMs: 50 }))
  await settle()
  t.equal(listenersOf(signal), 1, 'for all of them')
  const run = { firstSequence: 3, firstMessageId: 3, count: 1, queueCount: 1, level: 'received' }
  broker.peer.confirm(1, 3, { runs: [run] })
  await ready
  await broker.clock.advance(100)
  t.match(await late, { code: 'TIMEOUT' })
  await consumer.close()
  t.equal(listenersOf(signal), 0)
})
