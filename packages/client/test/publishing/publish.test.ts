import { type PublishError, UsageError } from '@waybill/client'
import type { RecordNotation } from '@waybill/protocol/testing'
import t from 'tap'
import { bodyText, FakeBroker, failure, settle } from '../support/fake-broker.js'

async function published(
  ...args: Parameters<Awaited<ReturnType<FakeBroker['connect']>>['publish']>
): Promise<{ record: RecordNotation; flags: unknown; level: unknown }> {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  await connection.publish(...args)
  const frame = await broker.peer.got('PUBLISH')
  return { record: frame.records[0], flags: frame.flags, level: frame.level }
}

t.test('publish - is persistent, confirmed, and says what its body is', async (t) => {
  t.match(await published('x', 'k', { a: 1 }), {
    record: { exchange: 'x', routingKey: 'k', persistent: true, properties: { contentType: 'application/json' }, headers: {} },
    flags: ['CONFIRM'],
    level: undefined,
  })
  t.match((await published('x', 'k', 'text')).record, {
    properties: { contentType: 'text/plain' },
    body: Buffer.from('text').toString('hex'),
  })
  t.same((await published('x', 'k', Buffer.from('raw'))).record.properties, {})
})

t.test('publish - options become flags, properties and headers', async (t) => {
  const properties = {
    contentType: 'text/html',
    contentEncoding: 'identity',
    messageId: 'm1',
    correlationId: 'c1',
    replyTo: 'r',
    type: 'greeting',
    appId: 'app',
    timestamp: 1_700_000_000_000,
    traceparent: '00-1-2-01',
    tracestate: 'a=b',
  }
  const { record, flags, level } = await published('x', 'k', 'text', {
    ...properties,
    persistent: false,
    headers: { n: 1, big: 2n ** 60n, f: 0.5, s: 'text', no: false, nil: null, bytes: Buffer.from([1, 2]) },
    mandatory: true,
    confirm: 'received',
  })
  t.same(flags, ['CONFIRM', 'MANDATORY'])
  t.equal(level, 'received')
  t.equal(record.persistent, false)
  t.match(record.properties, properties)
  t.same(record.headers, { n: 1, big: { i64: String(2n ** 60n) }, f: 0.5, s: 'text', no: false, nil: null, bytes: { bytes: 'AQI=' } })
})

t.test('publish - synced is asked for by name', async (t) => {
  t.equal((await published('x', 'k', 'a', { confirm: 'synced' })).level, 'synced')
  t.equal((await published('x', 'k', 'a', { persistent: true })).level, undefined, 'otherwise the best that there is')
})

t.test('publish - resolves with what the confirm says', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const connection = await broker.connect()
  const both = Promise.all([connection.publish('x', 'k', 'a'), connection.publish('x', 'k', 'b')])
  await broker.peer.got('PUBLISH')
  broker.peer.confirm(1, 2, {
    runs: [
      { firstSequence: 1, firstMessageId: 41, count: 1, queueCount: 3, level: 'synced' },
      { firstSequence: 2, firstMessageId: 99, count: 1, queueCount: 0, level: 'written' },
    ],
  })
  const [first, second] = await both
  t.same(JSON.parse(JSON.stringify(first)), { id: 'log-41', level: 'synced', queues: 3 })
  t.match(second, { id: 'log-99', level: 'written', queues: 0 })
})

t.test('publish - one refused among others rejects alone', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const connection = await broker.connect()
  const outcomes = Promise.allSettled(['a', 'b', 'c'].map((body) => connection.publish('x', 'k', body, { mandatory: true })))
  await broker.peer.got('PUBLISH')
  broker.peer.confirm(1, 3, {
    runs: [
      { firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' },
      { firstSequence: 3, firstMessageId: 2, count: 1, queueCount: 1, level: 'received' },
    ],
    exceptions: [{ sequence: 2, code: 312, queueCount: 0, detail: 'no queue takes it' }],
  })
  const [a, b, c] = await outcomes
  t.match([a.status, c.status], ['fulfilled', 'fulfilled'])
  t.match((b as PromiseRejectedResult).reason, { name: 'PublishError', code: 'UNROUTABLE', stored: 'no', message: 'no queue takes it' })
})

t.test('publish - a decision that says nothing of a confirm leaves it unknown', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const connection = await broker.connect()
  const rejected = failure(connection.publish('x', 'k', 'a'))
  await broker.peer.got('PUBLISH')
  broker.peer.confirm(1, 1)
  t.match(await rejected, { code: 'CONFIRM_MISSING', stored: 'unknown' })
})

t.test('publish - sendToQueue goes through the default exchange and is mandatory', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  await connection.sendToQueue('emails', { to: 'a' })
  t.match(await broker.peer.got('PUBLISH'), { flags: ['CONFIRM', 'MANDATORY'], records: [{ exchange: '', routingKey: 'emails' }] })
})

t.test('publish - the body may be changed as soon as the call returns', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const body = Buffer.from('before')
  const confirmed = connection.publish('x', 'k', body)
  body.fill(0)
  await confirmed
  t.equal(bodyText(broker.peer.records[0]), 'before')
})

t.test('publish - mistakes are thrown at once', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const mistakes: [string, unknown[]][] = [
    ['NAME_INVALID', ['x', 'k'.repeat(256), 'a']],
    ['NAME_INVALID', [undefined, 'k', 'a']],
    ['BODY_INVALID', ['x', 'k', undefined]],
    ['PROPERTY_INVALID', ['x', 'k', 'a', { messageId: 7 }]],
    ['PROPERTY_INVALID', ['x', 'k', 'a', { headers: { big: 'x'.repeat(9_000) } }]],
    ['OPTION_INVALID', ['x', 'k', 'a', { confirm: 'maybe' }]],
    ['OPTION_INVALID', ['x', 'k', 'a', { timeoutMs: -1 }]],
  ]
  for (const [code, args] of mistakes) {
    t.throws(() => connection.publish(...(args as ['x', 'k', 'a'])), UsageError, code)
    t.throws(() => connection.publish(...(args as ['x', 'k', 'a'])), { code })
  }
  await settle()
  t.equal(broker.peer.of('PUBLISH').length, 0)
})

t.test('publish - a property that nobody carries out is refused by name', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const priority = (await failure(connection.publish('x', 'k', 'a', { priority: 3 }))) as PublishError
  t.match(priority, { name: 'PublishError', code: 'PROPERTY_UNSUPPORTED', stored: 'no', message: /priority/ })
  t.match(await failure(connection.publish('x', 'k', 'a', { persistant: true } as object)), {
    code: 'PROPERTY_UNSUPPORTED',
    message: /persistant/,
  })
  await connection.publish('x', 'k', 'still fine')
})

t.test('publish - a message larger than the broker takes is refused here', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  t.match(await failure(connection.publish('x', 'k', Buffer.alloc(16_777_216))), { code: 'MESSAGE_TOO_LARGE', stored: 'no' })
  const size = 16_777_216 - 18
  const confirmed = connection.publish('x', 'k', Buffer.alloc(size))
  await confirmed
  t.equal(broker.peer.records[0].body.length, size * 2, 'exactly as large as allowed is fine')
})

t.test('publish - waits for credit, and says when a record is larger than what is left', async (t) => {
  const broker = new FakeBroker()
  broker.credit = { creditSequence: 2, creditSize: 1_000 }
  broker.confirms = false
  const connection = await broker.connect()
  const all = Promise.all(['a', 'b', 'c'].map((body) => connection.publish('x', 'k', body)))
  await settle()
  t.equal(broker.peer.records.length, 2)
  t.equal(broker.peer.of('WINDOW').length, 0, 'bytes are left')

  broker.peer.send({ type: 'CREDIT', channel: 1, creditSequence: 10, creditSize: 1_000 })
  await settle()
  t.equal(broker.peer.records.length, 3)
  const large = connection.publish('x', 'k', Buffer.alloc(2_000))
  const behind = connection.publish('x', 'k', 'behind it')
  await settle()
  t.match(broker.peer.of('WINDOW'), [{ channel: 1, consumer: 0, size: 2_018 }])
  t.equal(broker.peer.records.length, 3, 'what would fit stays behind it')

  broker.peer.send({ type: 'CREDIT', channel: 1, creditSequence: 10, creditSize: 3_000 })
  await settle()
  t.same(
    broker.peer.records.slice(3).map(({ body }) => body.length / 2),
    [2_000, 9],
  )
  broker.peer.confirm(1, 5, { runs: [{ firstSequence: 1, firstMessageId: 1, count: 5, queueCount: 1, level: 'received' }] })
  await Promise.all([all, large, behind])
})

t.test('publish - credit never goes down', async (t) => {
  const broker = new FakeBroker()
  broker.credit = { creditSequence: 5, creditSize: 10_000 }
  const connection = await broker.connect()
  broker.peer.send({ type: 'CREDIT', channel: 1, creditSequence: 1, creditSize: 1 })
  await settle()
  await Promise.all(['a', 'b', 'c'].map((body) => connection.publish('x', 'k', body)))
  t.equal(broker.peer.records.length, 3)
})

t.test('publish - without credit in time it is BLOCKED and not stored; one behind it goes on', async (t) => {
  const broker = new FakeBroker()
  broker.credit = { creditSequence: 0, creditSize: 0 }
  const connection = await broker.connect()
  const start = broker.clock.now()
  const short = failure(connection.publish('x', 'k', 'a', { timeoutMs: 1_000 }))
  const usual = failure(connection.publish('x', 'k', 'b'))
  const patient = connection.publish('x', 'k', 'c', { timeoutMs: Infinity })
  await broker.clock.advance(1_010)
  t.match(await short, { code: 'BLOCKED', stored: 'no', retryable: true })
  await broker.clock.advance(29_000)
  t.match(await usual, { code: 'BLOCKED', stored: 'no' })
  t.ok(broker.clock.now() - start <= 30_010)
  await broker.clock.advance(1_000_000)
  broker.credit = { creditSequence: 10, creditSize: 1_000 }
  broker.peer.send({ type: 'CREDIT', channel: 1, ...broker.credit })
  await patient
  t.same(broker.peer.records.map(bodyText), ['c'])
})

t.test('publish - without a confirm in time it is TIMEOUT, and nobody knows', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const connection = await broker.connect()
  const rejected = failure(connection.publish('x', 'k', 'a'))
  await broker.clock.advance(29_000)
  const other = connection.publish('x', 'k', 'b')
  await broker.clock.advance(1_010)
  t.match(await rejected, { code: 'TIMEOUT', stored: 'unknown' })
  broker.peer.confirm(1, 2, { runs: [{ firstSequence: 1, firstMessageId: 1, count: 2, queueCount: 1, level: 'received' }] })
  t.equal((await other).id, 'log-2', 'a late confirm harms nobody')
})

t.test('publish - one timer stands for all of them', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const connection = await broker.connect()
  const before = broker.clock.timerCount
  const all = Array.from({ length: 1_000 }, () => failure(connection.publish('x', 'k', 'a')))
  await settle()
  t.equal(broker.clock.timerCount - before, 1)
  await broker.clock.advance(30_010)
  await Promise.all(all)
  t.equal(broker.clock.timerCount, before)
})

t.test('publish - a signal ends the call whether it waits or is on its way', async (t) => {
  const broker = new FakeBroker()
  broker.credit = { creditSequence: 1, creditSize: 10_000 }
  broker.confirms = false
  const connection = await broker.connect()
  t.match(await failure(connection.publish('x', 'k', 'a', { signal: AbortSignal.abort('before') })), {
    code: 'ABORTED',
    stored: 'no',
    cause: 'before',
  })
  const sent = new AbortController()
  const waiting = new AbortController()
  const first = failure(connection.publish('x', 'k', 'sent', { signal: sent.signal }))
  const second = failure(connection.publish('x', 'k', 'waiting', { signal: waiting.signal }))
  const third = connection.publish('x', 'k', 'third')
  await settle()
  waiting.abort()
  sent.abort()
  t.match(await second, { code: 'ABORTED', stored: 'no' })
  t.match(await first, { code: 'ABORTED', stored: 'unknown' })
  broker.peer.confirm(1, 1, {
    creditSequence: 5,
    runs: [{ firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' }],
  })
  await settle()
  t.same(broker.peer.records.map(bodyText), ['sent', 'third'])
  broker.peer.confirm(1, 2, { runs: [{ firstSequence: 2, firstMessageId: 2, count: 1, queueCount: 1, level: 'received' }] })
  t.equal((await third).id, 'log-2')
})

t.test('publish - ten thousand in flight are confirmed to the right callers in any grouping', async (t) => {
  const broker = new FakeBroker()
  broker.credit = { creditSequence: 100_000, creditSize: 100_000_000 }
  broker.confirms = false
  const connection = await broker.connect()
  const all = Array.from({ length: 10_000 }, (_, i) => connection.publish('x', `k${i % 7}`, `m${i}`))
  await settle()
  const step = 1_237
  for (let first = 1; first <= 10_000; first += step) {
    const count = Math.min(step, 10_001 - first)
    broker.peer.confirm(1, first + count - 1, {
      runs: [{ firstSequence: first, firstMessageId: first * 10, count, queueCount: 1, level: 'received' }],
    })
  }
  const ids = (await Promise.all(all)).map(({ id }) => Number(id.slice(4)))
  t.same(
    ids,
    ids.map((_, i) => (Math.floor(i / step) * step + 1) * 10 + (i % step)),
  )
})
