/** The client and the broker of this repository together: over TCP, over TLS, and in one process. */
import { type Connection, connect, type Message, RejectError, type Status } from '@waybill/client'
import { type BrokerOptions, createBroker, hashPassword } from '@waybill/server'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { cert, key } from './support/certificates.js'
import { Collected, deferred } from './support/collect.js'
import { failure } from './support/fake-broker.js'

type Way = 'tcp' | 'tls' | 'embedded'
const ways: readonly Way[] = ['tcp', 'tls', 'embedded']

async function meeting(t: Test, way: Way, options: BrokerOptions = {}) {
  const listen = way === 'embedded' ? (false as const) : { host: 'localhost', port: 0 }
  const broker = await createBroker({ listen, log: 'none', ...(way === 'tls' ? { tls: { cert, key } } : {}), ...options })
  const port = (broker.address as AddressInfo | undefined)?.port
  const target = way === 'embedded' ? broker : `${way === 'tls' ? 'waybills' : 'waybill'}://localhost:${port}`
  const joined: Connection[] = []
  const join = async (more: object = {}): Promise<Connection> => {
    const connection = await connect(target, { log: () => {}, ...(way === 'tls' ? { tls: { ca: cert } } : {}), ...more })
    joined.push(connection)
    return connection
  }
  t.teardown(() => Promise.all(joined.map((connection) => connection.close({ timeoutMs: 100 }))))
  t.teardown(() => broker.close({ graceMs: 0 }))
  return { broker, join, port }
}

for (const way of ways) {
  t.test(`broker, ${way} - from declare to ack`, async (t) => {
    const { join } = await meeting(t, way)
    const connection = await join()
    t.match(await connection.declareExchange('orders', { type: 'topic' }), { created: true })
    t.match(await connection.declareQueue('billing'), { queue: 'billing', created: true, durable: false })
    await connection.bindQueue('billing', 'orders', 'order.*.paid')
    const messages = new Collected<Message>()
    const consumer = await connection.consume('billing', messages.add)
    const confirmation = await connection.publish('orders', 'order.eu.paid', { id: 1 }, { headers: { big: 2n ** 60n }, messageId: 'm' })
    const message = await messages.next()
    t.equal(message.id, confirmation.id)
    t.equal(confirmation.queues, 1)
    t.equal(confirmation.level, 'received')
    t.same(message.body, { id: 1 })
    t.match(message, {
      exchange: 'orders',
      routingKey: 'order.eu.paid',
      queue: 'billing',
      redelivered: false,
      deliveryCount: 1,
      failureCount: 0,
    })
    t.equal(message.headers.big, 2n ** 60n)
    t.equal(message.properties.messageId, 'm')
    await consumer.flush()
    t.match(await connection.checkQueue('billing'), { messageCount: 0, unsettledCount: 0, consumerCount: 1 })
    t.equal((await connection.publish('orders', 'nobody.listens', 'x')).queues, 0)
    await connection.close()
  })

  t.test(`broker, ${way} - ten thousand messages of every size arrive once, in order, unchanged`, async (t) => {
    const { join } = await meeting(t, way)
    const [producer, worker] = [await join(), await join()]
    await worker.declareQueue('work')
    const count = 10_000
    const size = (i: number): number => (i % 1_000 === 999 ? 300_000 : (i * 7_919) % (i % 10 === 0 ? 5_000 : 200))
    const done = deferred()
    let next = 0
    let wrong = 0
    await worker.consume(
      'work',
      (message) => {
        const { content } = message
        const i = next++
        if (
          content.length !== 4 + size(i) ||
          content.readUInt32BE(0) !== i ||
          (content.length > 4 && content[content.length - 1] !== (i & 0xff))
        )
          wrong++
        if (next === count) done.resolve()
      },
      { prefetch: 500 },
    )
    const publisher = producer.publisher('', { window: 700 })
    for (let i = 0; i < count; i++) {
      if (publisher.full) await publisher.ready()
      const body = Buffer.alloc(4 + size(i), i & 0xff)
      body.writeUInt32BE(i, 0)
      publisher.send('work', body)
    }
    await publisher.flush()
    await done.promise
    t.equal(wrong, 0)
    t.equal(next, count)
    await producer.close()
    await worker.close()
  })

  t.test(`broker, ${way} - a handler that fails gets the message again, later`, async (t) => {
    const { join } = await meeting(t, way)
    const connection = await join()
    await connection.declareQueue('work')
    const attempts = new Collected<Message>()
    const consumer = await connection.consume('work', (message) => {
      attempts.add(message)
      if (message.deliveryCount === 1) message.retry({ delayMs: 20 })
      else if (message.deliveryCount === 2) message.requeue()
      else throw new RejectError('enough')
    })
    consumer.on('error', () => {})
    await connection.sendToQueue('work', 'x')
    const seen = [await attempts.next(), await attempts.next(), await attempts.next()]
    t.same(
      seen.map(({ deliveryCount, failureCount, redelivered }) => [deliveryCount, failureCount, redelivered]),
      [
        [1, 0, false],
        [2, 1, true],
        [3, 1, true],
      ],
    )
    await consumer.flush()
    t.match(await connection.checkQueue('work'), { messageCount: 0, unsettledCount: 0 })
    await connection.close()
  })

  t.test(`broker, ${way} - request and respond`, async (t) => {
    const { join } = await meeting(t, way)
    const [asker, answerer] = [await join(), await join()]
    await answerer.declareQueue('quotes')
    const consumer = await answerer.respond<{ sku: string }>('quotes', (message) => {
      if (message.body.sku === '') throw Object.assign(new Error('no sku'), { code: 'NO_SKU' })
      return { cents: message.body.sku.length }
    })
    consumer.on('error', () => {})
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) => asker.request<{ cents: number }>('', 'quotes', { sku: 'x'.repeat(i + 1) })),
    )
    t.same(
      replies.map(({ body }) => body.cents),
      replies.map((_, i) => i + 1),
    )
    t.match(await failure(asker.request('', 'quotes', { sku: '' })), { name: 'RemoteError', code: 'NO_SKU', message: 'no sku' })
    t.match(await failure(asker.request('', 'nobody', {})), { code: 'UNROUTABLE' })
    await asker.close()
    await answerer.close()
  })

  t.test(`broker, ${way} - get, wait, iterate, list, purge, delete`, async (t) => {
    const { join } = await meeting(t, way)
    const connection = await join()
    await connection.declareQueue('work')
    t.equal(await connection.get('work'), undefined)
    const waited = connection.get('work', { waitMs: 10_000 })
    await connection.sendToQueue('work', 'one')
    const first = await waited
    t.equal(first?.body, 'one')
    first?.requeue()
    await connection.sendToQueue('work', 'two')
    const seen: unknown[] = []
    for await (const message of connection.messages('work', { prefetch: 10 })) {
      seen.push(message.body)
      message.ack()
      if (seen.length === 2) break
    }
    t.same(seen, ['one', 'two'])
    await connection.sendToQueue('work', 'three')
    t.match(await connection.list('queues'), [{ queue: 'work', messageCount: 1 }])
    t.same(await connection.list('queues', { prefix: 'x' }), [])
    t.equal((await connection.list('connections'))[0].client.product, '@waybill/client')
    t.same(await connection.purgeQueue('work'), { messageCount: 1 })
    t.same(await connection.deleteQueue('work'), { deleted: true, messageCount: 0 })
    t.match(await failure(connection.checkQueue('work')), { code: 'NOT_FOUND' })
    await connection.close()
  })
}

t.test('broker - lists of more than a page come whole', async (t) => {
  const { join } = await meeting(t, 'tcp')
  const connection = await join()
  const names = Array.from({ length: 1_203 }, (_, i) => `q${String(i).padStart(5, '0')}`)
  await Promise.all(names.map((name) => connection.declareQueue(name)))
  t.same(
    (await connection.list('queues')).map(({ queue }) => queue),
    names,
  )
  t.equal((await connection.list('queues', { limit: 1_100 })).length, 1_100)
  await connection.close()
})

t.test('broker - a different declare says what differs, and the channel lives', async (t) => {
  const { join } = await meeting(t, 'tcp')
  const connection = await join()
  await connection.declareQueue('work')
  t.match(await failure(connection.declareQueue('work', { autoDelete: true })), {
    name: 'DeclareError',
    differences: [{ option: 'autoDelete', wanted: true, actual: false }],
  })
  await connection.checkQueue('work')
  await connection.close()
})

t.test('broker - refusals do not use up credit for ever', async (t) => {
  const { join } = await meeting(t, 'tcp')
  const connection = await join()
  await connection.declareQueue('work')
  const body = Buffer.alloc(100_000)
  for (let round = 0; round < 20; round++) {
    const refusals = await Promise.all(Array.from({ length: 10 }, () => failure(connection.sendToQueue('nobody', body))))
    t.ok(refusals.every(({ code }) => code === 'UNROUTABLE'))
  }
  await connection.sendToQueue('work', body, { timeoutMs: 5_000 })
  await connection.close()
})

t.test('broker - a password that is wrong rejects at once, the right one connects', async (t) => {
  const passwordHash = await hashPassword('lovelace')
  const { join } = await meeting(t, 'tcp', { users: [{ name: 'ada', passwordHash }] })
  t.match(await failure(join({ user: 'ada', password: 'byron' })), { code: 'AUTHENTICATION_FAILED' })
  t.match(await failure(join()), { code: 'AUTHENTICATION_FAILED' })
  const connection = await join({ user: 'ada', password: 'lovelace' })
  t.match(await failure(connection.declareQueue('work')), { code: 'FORBIDDEN' }, 'who may do nothing is told so, and stays connected')
  t.match(connection.status, { state: 'connected' })
  await connection.close()
})

t.test('broker - requests and queues without a name need client.*, and no more of it than the README says', async (t) => {
  const passwordHash = await hashPassword('lovelace')
  const user = (name: string, configure: string[], write: string[], read: string[]) => ({
    name,
    passwordHash,
    permissions: { configure, write, read },
  })
  const { join } = await meeting(t, 'tcp', {
    users: [
      user('asks', ['client.*'], ['shop.quotes'], ['client.*']),
      user('answers', ['shop.*'], ['client.*'], ['shop.*']),
      user('neither', ['shop.*'], ['*'], ['shop.*']),
    ],
  })
  const joined = (name: string): Promise<Connection> => join({ user: name, password: 'lovelace' })
  const [asks, answers, neither] = [await joined('asks'), await joined('answers'), await joined('neither')]
  await answers.declareQueue('shop.quotes')
  await answers.respond<number>('shop.quotes', (message) => message.body * 2)
  t.equal((await asks.request('', 'shop.quotes', 21)).body, 42)
  t.match((await asks.declareQueue()).queue, /^client\.[a-z2-7]{20}$/)
  t.match(await failure(neither.request('', 'shop.quotes', 21)), { code: 'FORBIDDEN', message: /configure queue 'client\./ })
  t.match(await failure(neither.declareQueue()), { code: 'FORBIDDEN', message: /configure queue 'client\./ })
})

t.test('broker - one that goes away is found again, with everything on it', async (t) => {
  const first = await createBroker({ listen: { host: 'localhost', port: 0 }, log: 'none' })
  const port = (first.address as AddressInfo).port
  const connection = await connect(`waybill://localhost:${port}`, { log: () => {}, recovery: { backoffMs: 20 } })
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  await connection.declareExchange('x', { type: 'fanout' })
  const { queue } = await connection.declareQueue()
  await connection.bindQueue(queue, 'x')
  const messages = new Collected<Message>()
  await connection.consume(queue, messages.add)
  await first.close({ graceMs: 0 })
  await statuses.find(({ state }) => state === 'reconnecting')
  const waiting = connection.publish('x', '', 'while away')
  const second = await createBroker({ listen: { host: 'localhost', port }, log: 'none' })
  t.match(await statuses.find(({ state }) => state === 'connected'), { restored: { queues: 1, bindings: 1, consumers: 1 }, failed: [] })
  t.equal((await waiting).queues, 1)
  t.equal((await messages.next()).body, 'while away')
  await connection.close()
  await second.close({ graceMs: 0 })
})

t.test('broker - draining is told, and what is held can be settled', async (t) => {
  const { broker, join } = await meeting(t, 'tcp')
  const connection = await join({ recovery: false })
  await connection.declareQueue('work')
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  const messages = new Collected<Message>()
  await connection.consume('work', messages.add, { ack: 'manual' })
  await connection.sendToQueue('work', 'x')
  const message = await messages.next()
  const closed = broker.close({ graceMs: 10_000 })
  const draining = await statuses.find(({ state }) => state === 'draining')
  t.ok(draining.state === 'draining' && draining.deadline.getTime() > Date.now())
  message.ack()
  await closed
  t.match(await statuses.find(({ state }) => state === 'closed'), { state: 'closed' })
})

t.test('broker - a publisher that outruns it waits, and control on the same connection does not', async (t) => {
  const { join } = await meeting(t, 'tcp', { limits: { memorySize: 64 * 1024 * 1024 } })
  const connection = await join()
  await connection.declareQueue('work')
  const publisher = connection.publisher('', { confirm: false })
  const body = Buffer.alloc(64 * 1024)
  let sent = 0
  const stop = new AbortController()
  const running = (async () => {
    while (!stop.signal.aborted) {
      if (publisher.full) await publisher.ready({ signal: stop.signal })
      publisher.send('work', body)
      sent++
    }
  })().catch(() => {})
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  await statuses.find(({ state }) => state === 'blocked')
  t.ok(publisher.full)
  t.match(await connection.checkQueue('work'), { queue: 'work' })
  const before = sent
  await connection.purgeQueue('work')
  await statuses.find(({ state }) => state === 'unblocked')
  while (sent <= before) await new Promise((resolve) => setImmediate(resolve))
  stop.abort()
  await running
  await connection.purgeQueue('work')
  await connection.close()
})
