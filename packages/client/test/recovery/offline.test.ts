import t from 'tap'
import { bodyText, FakeBroker, failure, settle, silence } from '../support/fake-broker.js'
import { connected } from '../support/reconnecting.js'

t.test('offline - requests in flight are asked again, and made while offline wait', async (t) => {
  const { broker, connection, clock } = await connected()
  broker.answers.CHECK_QUEUE = silence
  const inFlight = connection.checkQueue('a')
  await settle()
  broker.down = true
  broker.peer.reset()
  await clock.advance(500)
  const offline = connection.declareQueue('b')
  const consumer = connection.consume('b', () => {})
  broker.answers.CHECK_QUEUE = new FakeBroker().answers.CHECK_QUEUE
  broker.down = false
  await clock.advance(2_000)
  t.equal((await inFlight).queue, 'a')
  t.equal((await offline).queue, 'b')
  await consumer
  t.equal(broker.peer.of('CONSUME').length, 1, 'declared once')
})

t.test('offline - a request finds no connection in time', async (t) => {
  const { broker, connection, clock } = await connected()
  broker.down = true
  broker.peer.reset()
  await settle()
  const rejected = failure(connection.checkQueue('a'))
  const channel = failure(connection.channel())
  await clock.advance(30_000)
  t.match(await rejected, { code: 'OFFLINE', retryable: true })
  t.match(await channel, { code: 'OFFLINE' })
})

t.test('offline - publishes in flight are rejected: nobody knows', async (t) => {
  const { broker, connection, reconnect } = await connected()
  broker.confirms = false
  const all = Array.from({ length: 3 }, () => failure(connection.publish('x', 'k', 'a')))
  await settle()
  await reconnect()
  for (const rejected of all) t.match(await rejected, { name: 'PublishError', code: 'CONNECTION_LOST', stored: 'unknown', retryable: true })
  t.equal(broker.peer.records.length, 0)
})

t.test('offline - with resend they are published again, in order, before what waited', async (t) => {
  const { broker, connection, clock } = await connected({ unconfirmed: 'resend' })
  broker.credit = { creditSequence: 10_000, creditSize: 1_000_000 }
  broker.confirms = false
  const publisher = connection.publisher('x')
  publisher.send('k', '1')
  const two = connection.publish('x', 'k', '2', { headers: { a: 1 } })
  publisher.send('k', '3')
  await settle()
  t.equal(broker.peer.records.length, 3)
  broker.peer.confirm(1, 1, { runs: [{ firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' }] })
  await settle()
  broker.down = true
  broker.peer.reset()
  await settle()
  publisher.send('k', '4')
  broker.down = false
  await clock.advance(1_000)
  t.same(broker.peer.records.map(bodyText), ['2', '3', '4'], 'what was confirmed is not sent again')
  t.equal(broker.peer.of('PUBLISH')[0].firstSequence, 1)
  t.same(broker.peer.records[0].headers, { a: 1 })
  broker.peer.confirm(1, 3, { runs: [{ firstSequence: 1, firstMessageId: 8, count: 3, queueCount: 1, level: 'received' }] })
  t.equal((await two).id, 'log-8')
  await publisher.flush()
})

t.test('offline - thousands in flight are sent again, each once', async (t) => {
  const { broker, connection, reconnect } = await connected({ unconfirmed: 'resend' })
  broker.confirms = false
  const publisher = connection.publisher('x', { window: 5_000 })
  const controller = new AbortController()
  const aborted = failure(connection.publish('x', 'k', 'aborted', { signal: controller.signal }))
  for (let i = 0; i < 3_000; i++) publisher.send('k', String(i))
  await settle()
  controller.abort()
  t.match(await aborted, { stored: 'unknown' })
  broker.confirms = true
  await reconnect()
  await publisher.flush()
  t.same(
    broker.peer.records.map(bodyText),
    Array.from({ length: 3_000 }, (_, i) => String(i)),
    'but the one that nobody waits for',
  )
})

t.test('offline - what was sent before and waits to be sent again may have been stored', async (t) => {
  const { broker, connection, clock } = await connected({ unconfirmed: 'resend' })
  broker.confirms = false
  const sent = failure(connection.publish('x', 'k', 'sent'))
  await settle()
  broker.down = true
  broker.peer.reset()
  await settle()
  const waiting = failure(connection.publish('x', 'k', 'waiting'))
  await clock.advance(31_000)
  t.match(await sent, { code: 'OFFLINE', stored: 'unknown' })
  t.match(await waiting, { code: 'OFFLINE', stored: 'no' })
})

t.test('offline - wait: a publish waits, at most its time', async (t) => {
  const { broker, connection, clock } = await connected()
  broker.down = true
  broker.peer.reset()
  await settle()
  const short = failure(connection.publish('x', 'k', 'short', { timeoutMs: 500 }))
  const long = connection.publish('x', 'k', 'long')
  await clock.advance(1_000)
  t.match(await short, { code: 'OFFLINE', stored: 'no' })
  broker.down = false
  await clock.advance(10_000)
  await long
  t.same(broker.peer.records.map(bodyText), ['long'])
})

t.test('offline - fail: everything rejects at once, also what was waiting', async (t) => {
  const broker = new FakeBroker()
  broker.credit = { creditSequence: 0, creditSize: 0 }
  const connection = await broker.connect({ offline: 'fail' })
  const waiting = failure(connection.publish('x', 'k', 'a'))
  await settle()
  broker.down = true
  broker.peer.reset()
  t.match(await waiting, { code: 'OFFLINE', stored: 'no' })
  t.match(await failure(connection.publish('x', 'k', 'b')), { code: 'OFFLINE', stored: 'no' })
  t.match(await failure(connection.declareQueue('q')), { code: 'OFFLINE' })
  t.match(await failure(connection.channel()), { code: 'OFFLINE' })
  const publisher = connection.publisher('x')
  t.throws(() => publisher.send('k', 'c'), { code: 'OFFLINE' })
  await publisher.flush()
})

t.test('offline - buffer: waits without limit of time, within a limit of size', async (t) => {
  const { broker, connection, clock } = await connected({ offline: 'buffer', offlineSizeMax: 1_000 })
  broker.down = true
  broker.peer.reset()
  await settle()
  const publisher = connection.publisher('x')
  const first = connection.publish('x', 'k', Buffer.alloc(400))
  publisher.send('k', Buffer.alloc(400))
  t.notOk(publisher.full, 'it may go on')
  t.match(await failure(connection.publish('x', 'k', Buffer.alloc(400))), { code: 'OFFLINE_FULL', stored: 'no', retryable: true })
  t.throws(() => publisher.send('k', Buffer.alloc(400)), { code: 'OFFLINE_FULL' })
  const timed = failure(connection.publish('x', 'k', 'x', { timeoutMs: 1_000 }))
  await clock.advance(3_600_000)
  t.match(await timed, { code: 'OFFLINE', stored: 'no' }, 'a time of its own holds')
  broker.down = false
  await clock.advance(20_000)
  await Promise.all([first, publisher.flush()])
  t.equal(broker.peer.records.length, 2)
  broker.down = true
  broker.peer.reset()
  await settle()
  publisher.send('k', Buffer.alloc(900))
  t.pass('the room is free again')
  const closed = connection.close({ timeoutMs: 1 })
  await clock.advance(10)
  await closed
})

t.test('offline - buffered publishes have their usual time once there is a connection', async (t) => {
  const { broker, connection, clock } = await connected({ offline: 'buffer' })
  broker.down = true
  broker.peer.reset()
  await settle()
  const rejected = failure(connection.publish('x', 'k', 'a'))
  await clock.advance(100_000)
  broker.confirms = false
  broker.down = false
  await clock.advance(20_000)
  t.equal(broker.peer.records.length, 1)
  await clock.advance(31_000)
  t.match(await rejected, { code: 'TIMEOUT', stored: 'unknown' })
})

t.test('offline - a publisher goes on over it, and its refusals keep their numbers', async (t) => {
  const { broker, connection, reconnect } = await connected()
  broker.confirms = false
  const publisher = connection.publisher('x')
  const refused: number[] = []
  publisher.on('refused', ({ sequence, error }) => {
    refused.push(sequence)
    t.match(error, { code: 'CONNECTION_LOST', stored: 'unknown' })
  })
  publisher.send('k', '1')
  publisher.send('k', '2')
  await settle()
  await reconnect()
  t.same(refused, [1, 2])
  broker.confirms = true
  t.equal(publisher.send('k', '3'), 3)
  await publisher.flush()
  t.equal(broker.peer.of('PUBLISH')[0].firstSequence, 1, 'sequences on the wire begin again')
})
