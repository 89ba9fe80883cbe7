/** The client and a broker that keeps: what a confirm and an answer promise, held against a broker that is started again on the same directory. */
import { type Connection, connect, type Message, type Status } from '@waybill/client'
import { type Broker, createBroker } from '@waybill/server'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Collected } from './support/collect.js'
import { failure } from './support/fake-broker.js'

/** A directory, and brokers on it, one after the other. */
class Kept {
  readonly #data: string
  #broker: Broker | undefined
  readonly #connections: Connection[] = []

  constructor(t: Test) {
    this.#data = mkdtempSync(join(tmpdir(), 'waybill-client-'))
    t.teardown(async () => {
      await this.#end()
      rmSync(this.#data, { recursive: true, force: true })
    })
  }

  /** Starts a broker in this process and connects without a socket. */
  async start(): Promise<Connection> {
    await this.#end()
    this.#broker = await createBroker({ listen: false, log: 'none', data: this.#data })
    return this.#join(connect(this.#broker, { log: () => {} }))
  }

  /** The same over TCP; port 0 is any that is free. */
  async listen(port = 0): Promise<number> {
    await this.#broker?.close({ graceMs: 0 })
    this.#broker = await createBroker({ listen: { host: '127.0.0.1', port }, log: 'none', data: this.#data })
    return this.#broker.address!.port
  }

  async connect(port: number, onStatus: (status: Status) => void): Promise<Connection> {
    const connection = await this.#join(
      connect(`waybill://127.0.0.1:${port}`, { log: () => {}, recovery: { backoffMs: 10, backoffMaxMs: 50 } }),
    )
    return connection.on('status', onStatus)
  }

  async #join(connecting: Promise<Connection>): Promise<Connection> {
    const connection = await connecting
    this.#connections.push(connection)
    return connection
  }

  async #end(): Promise<void> {
    await Promise.all(this.#connections.splice(0).map((connection) => connection.close({ timeoutMs: 100 })))
    await this.#broker?.close({ graceMs: 0 })
    this.#broker = undefined
  }
}

async function received(connection: Connection, queue: string, count: number): Promise<Message[]> {
  const messages = new Collected<Message>()
  const consumer = await connection.consume(queue, messages.add, { ack: 'manual' })
  const all: Message[] = []
  while (all.length < count) all.push(await messages.next())
  await consumer.flush()
  return all
}

t.test('durable - a queue says that it is, a confirm says synced, and both are there after a restart', async (t) => {
  const kept = new Kept(t)
  const before = await kept.start()
  await before.declareExchange('orders', { type: 'topic' })
  t.match(await before.declareQueue('billing'), { created: true, durable: true })
  await before.bindQueue('billing', 'orders', 'order.*')
  const sent = [1, 2, 3].map((n) => before.publish('orders', 'order.paid', { n }, { headers: { n }, messageId: `order-${n}` }))
  const confirmations = await Promise.all(sent)
  for (const confirmation of confirmations) t.match(confirmation, { level: 'synced', queues: 1 })

  const after = await kept.start()
  t.match(await after.checkExchange('orders'), { type: 'topic', durable: true })
  t.match(await after.declareQueue('billing'), { created: false, durable: true, messageCount: 3 })
  const messages = await received(after, 'billing', 3)
  t.same(
    messages.map(({ body }) => body),
    [{ n: 1 }, { n: 2 }, { n: 3 }],
    'in the order published',
  )
  t.same(
    messages.map(({ id }) => id),
    confirmations.map(({ id }) => id),
    'under the same ids',
  )
  t.match(messages[2], { redelivered: true, routingKey: 'order.paid', headers: { n: 3 }, properties: { messageId: 'order-3' } })

  const next = await after.publish('orders', 'order.paid', 'new')
  t.notOk(
    confirmations.some(({ id }) => id === next.id),
    'an id is given once',
  )
})

t.test('durable - what is not durable is confirmed as received, and is gone after a restart', async (t) => {
  const kept = new Kept(t)
  const before = await kept.start()
  await before.declareQueue('work')
  t.match(await before.declareQueue('passing', { durable: false }), { durable: false })
  t.match(await before.declareQueue(undefined), { durable: false })
  t.match(await before.sendToQueue('passing', 'persistent in vain'), { level: 'received' })
  t.match(await before.sendToQueue('work', 'passing', { persistent: false }), { level: 'received' })
  t.match(await before.sendToQueue('work', 'not waited for', { confirm: 'received' }), { level: 'received' })
  t.match(await before.sendToQueue('work', 'kept', { confirm: 'synced' }), { level: 'synced' })

  const after = await kept.start()
  t.match(await failure(after.checkQueue('passing')), { code: 'NOT_FOUND' })
  t.same(
    (await after.list('queues')).map(({ queue }) => queue),
    ['work'],
  )
  t.same(
    (await received(after, 'work', 2)).map(({ body }) => body),
    ['not waited for', 'kept'],
    'a close in good order keeps what nobody waited for, too',
  )
})

t.test('durable - what was settled and flushed, deleted or purged does not come back', async (t) => {
  const kept = new Kept(t)
  const before = await kept.start()
  for (const queue of ['settled', 'purged', 'deleted']) {
    await before.declareQueue(queue)
    for (let n = 0; n < 5; n++) await before.sendToQueue(queue, n)
  }
  const messages = new Collected<Message>()
  const consumer = await before.consume('settled', messages.add, { ack: 'manual' })
  for (let n = 0; n < 5; n++) {
    const message = await messages.next()
    if (n < 3) message.ack()
    else if (n === 3) message.reject()
  }
  await consumer.flush()
  await before.purgeQueue('purged')
  await before.deleteQueue('deleted')

  const after = await kept.start()
  t.same(
    (await received(after, 'settled', 1)).map(({ body }) => body),
    [4],
    'the one that was held comes again',
  )
  t.match(await after.checkQueue('purged'), { messageCount: 0 })
  t.match(await failure(after.checkQueue('deleted')), { code: 'NOT_FOUND' })
})

t.test(
  'durable - a connection goes on when its broker is started again: everything is declared as it was, nothing confirmed is missing',
  async (t) => {
    const kept = new Kept(t)
    const port = await kept.listen()
    const statuses = new Collected<Status>()
    const connection = await kept.connect(port, statuses.add)
    await connection.declareExchange('orders', { type: 'fanout' })
    await connection.declareQueue('work')
    await connection.bindQueue('work', 'orders')
    const bodies = new Map<string, boolean>()
    const heard = new Collected<string>()
    await connection.consume<string>(
      'work',
      ({ body, redelivered }) => {
        bodies.set(body, redelivered)
        heard.add(body)
      },
      { parse: String },
    )
    await connection.publish('orders', '', 'before')
    await heard.next()

    await kept.listen(port)
    const { restored, failed } = (await statuses.find(({ state }) => state === 'connected')) as Extract<Status, { state: 'connected' }>
    t.match(restored, { queues: 1, bindings: 1, consumers: 1 })
    t.same(failed, [])
    t.match(await connection.publish('orders', '', 'after'), { level: 'synced', queues: 1 })
    await heard.find((body) => body === 'after')
    t.same([...bodies.keys()], ['before', 'after'])
  },
)

t.test(
  'durable - a flush says how many settlements a broker that went away does not have: their messages come again, redelivered',
  async (t) => {
    const kept = new Kept(t)
    const port = await kept.listen()
    const statuses = new Collected<Status>()
    const connection = await kept.connect(port, statuses.add)
    await connection.declareQueue('work')
    for (const body of ['kept', 'late', 'untouched']) await connection.sendToQueue('work', body)
    const messages = new Collected<Message>()
    const consumer = await connection.consume('work', messages.add, { ack: 'manual' })
    const [first, late] = [await messages.next(), await messages.next(), await messages.next()]
    first.ack()
    await consumer.flush()
    const isBack = statuses.find(({ state }) => state === 'reconnecting').then(() => statuses.find(({ state }) => state === 'connected'))
    await kept.listen(port)
    await isBack
    late.ack()
    t.match(await failure(consumer.flush()), { code: 'CONNECTION_LOST', message: /^1 settlement / })
    const again = [await messages.next(), await messages.next()]
    t.match(again, [
      { body: 'late', redelivered: true },
      { body: 'untouched', redelivered: true },
    ])
    for (const message of again) message.ack()
    await consumer.close()
    t.match(await connection.checkQueue('work'), { messageCount: 0, unsettledCount: 0 })
  },
)
