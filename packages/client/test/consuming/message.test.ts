import { type Message, RejectError, UsageError } from '@waybill/client'
import type { RecordNotation } from '@waybill/protocol/testing'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { FakeBroker, settle } from '../support/fake-broker.js'

const hex = (text: string): string => Buffer.from(text).toString('hex')

async function received(
  messages: readonly (string | Partial<RecordNotation>)[],
  more: object = {},
): Promise<{ broker: FakeBroker; messages: Message[] }> {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const collected = new Collected<Message>()
  await connection.consume('work', collected.add, { ack: 'manual' })
  broker.peer.deliver(1, messages, more)
  await settle()
  return { broker, messages: collected.all }
}

t.test('message - has everything that was published, and where it comes from', async (t) => {
  const record = {
    exchange: 'orders',
    routingKey: 'order.paid',
    persistent: false,
    properties: { contentType: 'application/json', messageId: 'm', replyTo: 'r', timestamp: 17 },
    headers: { n: 1, s: 'é', bytes: { bytes: 'AQI=' } },
    body: hex('{"cents":2}'),
  }
  const { messages } = await received(['before', record], {
    firstMessageId: 40,
    flags: ['REDELIVERED', 'COUNTS'],
    deliveryCount: 3,
    failureCount: 1,
  })
  const [, message] = messages
  t.equal(message.id, 'log-41')
  t.same(message.body, { cents: 2 })
  t.equal(message.body, message.body, 'decoded once')
  t.same(message.content, Buffer.from('{"cents":2}'))
  t.match(message, { exchange: 'orders', routingKey: 'order.paid', queue: 'work', redelivered: true, deliveryCount: 3, failureCount: 1 })
  t.match(message.properties, { contentType: 'application/json', messageId: 'm', replyTo: 'r', timestamp: 17, persistent: false })
  t.match(message.headers, { n: 1, s: 'é' })
  t.same(message.headers.bytes, Buffer.from([1, 2]))
  t.equal(messages[0].exchange, '')
  t.equal(messages[0].routingKey, 'work', 'each has its own names')
})

t.test('message - the body is read by its content type', async (t) => {
  const typed = (contentType: string | undefined, body: string, more: object = {}): Partial<RecordNotation> => ({
    properties: { ...(contentType === undefined ? {} : { contentType }), ...more },
    body: hex(body),
  })
  const { messages } = await received([
    typed(undefined, 'raw'),
    typed('text/plain', 'grüße'),
    typed('application/json', '[1]'),
    typed('image/png', 'png'),
    typed('application/json', '[1]', { contentEncoding: 'gzip' }),
    typed('application/json', ''),
    typed('application/vnd.shop+json; charset=utf-8', '"x"'),
  ])
  const bodies = messages.slice(0, 5).map(({ body }) => body)
  t.same(bodies, [Buffer.from('raw'), 'grüße', [1], Buffer.from('png'), Buffer.from('[1]')])
  t.throws(() => messages[5].body, RejectError)
  t.equal(messages[6].body, 'x')
})

t.test('message - bodies stay what they are while the buffers behind them are used again', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const kept: { message: Message; content: Buffer; expected: string }[] = []
  await connection.consume(
    'work',
    async (message) => {
      const { content } = message
      const expected = content.toString()
      await new Promise((resolve) => setImmediate(resolve))
      kept.push({ message, content, expected })
    },
    { concurrency: 50, prefetch: 1_000 },
  )
  for (let round = 0; round < 40; round++) {
    broker.pieceSize = 1 + ((round * 331) % 5_000)
    broker.peer.deliver(
      1,
      Array.from({ length: 25 }, (_, i) => `${round}/${i}/${'x'.repeat((i * 97) % 900)}`),
    )
    await settle()
  }
  while (kept.length < 1_000) await settle()
  for (const { message, content, expected } of kept) {
    if (content.toString() !== expected || message.content.toString() !== expected) t.fail(expected)
  }
  t.equal(new Set(kept.map(({ expected }) => expected)).size, 1_000)
})

t.test('message - headers and properties cannot be changed, and reserved names are names like any other', async (t) => {
  const { messages } = await received([
    {
      headers: Object.fromEntries([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]) as never,
      body: '',
    },
  ])
  const { headers } = messages[0]
  t.equal(headers.constructor, 'y')
  t.equal(Object.getPrototypeOf(headers), null)
  t.throws(() => {
    ;(headers as Record<string, unknown>).added = 1
  })
  t.throws(() => {
    ;(messages[0].properties as { messageId: string }).messageId = 'x'
  })
})

t.test('message - is settled once, in one of four ways', async (t) => {
  const { broker, messages } = await received(['a', 'b', 'c', 'd', 'e'])
  messages[0].ack()
  messages[1].requeue()
  messages[2].retry()
  messages[3].retry({ delayMs: 1_500, reason: 'busy' })
  messages[4].reject({ reason: 'never' })
  for (const message of messages) {
    for (const again of ['ack', 'requeue', 'retry', 'reject'] as const)
      t.throws(() => message[again](), { name: 'UsageError', code: 'SETTLED' })
  }
  await settle()
  t.same(broker.peer.of('SETTLE')[0].entries, [
    { firstTag: 1, count: 1, outcome: 'ack', delayMs: null, reason: '' },
    { firstTag: 2, count: 1, outcome: 'requeue', delayMs: null, reason: '' },
    { firstTag: 3, count: 1, outcome: 'retry', delayMs: null, reason: '' },
    { firstTag: 4, count: 1, outcome: 'retry', delayMs: 1_500, reason: 'busy' },
    { firstTag: 5, count: 1, outcome: 'reject', delayMs: null, reason: 'never' },
  ])
  t.equal(broker.peer.of('SETTLE').length, 1)
})

t.test('message - a delay that cannot be is a mistake, and the message is not settled by it', async (t) => {
  const { messages } = await received(['a'])
  for (const delayMs of [-1, Number.NaN, 2 ** 32]) t.throws(() => messages[0].retry({ delayMs }), UsageError)
  messages[0].ack()
})

t.test('message - its signal is made when asked for, aborted with the connection, and not by settling', async (t) => {
  const { broker, messages } = await received(['a', 'b', 'c'])
  const [a, b, c] = messages
  t.equal(a.signal, a.signal)
  t.notOk(a.signal.aborted)
  const settled = b.signal
  b.ack()
  broker.down = true
  broker.peer.reset()
  await settle()
  t.ok(a.signal.aborted)
  t.match(a.signal.reason, { code: 'CONNECTION_LOST' })
  t.notOk(settled.aborted, 'it was done')
  t.ok(c.signal.aborted, 'asked for afterwards')
  c.ack()
  t.throws(() => c.ack(), { code: 'SETTLED' }, 'settling what is no longer ours does nothing, once')
})

t.test('message - as JSON it has no body', async (t) => {
  const { messages } = await received(['secret'])
  const json = JSON.stringify(messages[0])
  t.match(JSON.parse(json), { id: 'log-1', queue: 'work', routingKey: 'work' })
  t.notMatch(json, /secret/)
})
