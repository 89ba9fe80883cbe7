import type { Message, Status } from '@waybill/client'
import t from 'tap'
import { Collected, deferred } from './support/collect.js'
import { bodyText, FakeBroker, failure, settle, silence } from './support/fake-broker.js'

t.test('close - consumers finish, publishers flush, then the broker is told and the socket ends', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const connection = await broker.connect()
  const other = await connection.channel()
  const work = deferred()
  await connection.consume('work', () => work.promise)
  broker.peer.deliver(1, ['a', 'b'])
  const publisher = other.publisher('x')
  publisher.send('k', 'm')
  await settle()
  let closed = false
  const close = connection.close().then(() => {
    closed = true
  })
  await settle()
  t.match(broker.peer.of('SETTLE')[0].entries, [{ firstTag: 2, outcome: 'requeue' }])
  t.equal(broker.peer.of('CLOSE').length, 0)
  work.resolve()
  await settle()
  t.notOk(closed, 'a publish is not confirmed yet')
  broker.peer.confirm(2, 1, { runs: [{ firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' }] })
  await close
  t.same(
    broker.peer.frames.slice(-2).map(({ type, channel }) => [type, channel]),
    [
      ['SETTLE', 1],
      ['CLOSE', 0],
    ],
  )
  t.ok(broker.peer.ended)
  t.same(connection.status, { state: 'closed' })
  t.equal(broker.clock.timerCount, 0)
  await connection.close()
  await connection[Symbol.asyncDispose]()
})

t.test('close - a handler may publish until it has finished', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const work = deferred()
  const published = deferred()
  await connection.consume('work', async () => {
    await work.promise
    await connection.publish('x', 'k', 'result')
    published.resolve()
  })
  broker.peer.deliver(1, ['a'])
  await settle()
  const close = connection.close()
  await settle()
  t.match(await failure(connection.consume('more', () => {})), { code: 'CLOSED' })
  work.resolve()
  await published.promise
  await close
  t.same(broker.peer.records.map(bodyText), ['result'])
  t.match(broker.peer.of('SETTLE')[0].entries, [{ outcome: 'ack' }])
})

t.test('close - at the deadline it ends whatever is left', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const connection = await broker.connect()
  const signals = new Collected<AbortSignal>()
  await connection.consume('work', (message) => {
    signals.add(message.signal)
    return new Promise(() => {})
  })
  broker.peer.deliver(1, ['a'])
  const unconfirmed = failure(connection.publish('x', 'k', 'm'))
  await settle()
  const start = broker.clock.now()
  const close = connection.close({ timeoutMs: 2_000 })
  await broker.clock.advance(2_000)
  await close
  t.ok(broker.clock.now() - start <= 2_000)
  t.ok((await signals.next()).aborted)
  t.match(await unconfirmed, { stored: 'unknown' })
  t.ok(broker.peer.ended)
  t.equal(broker.clock.timerCount, 0)
})

t.test('close - a broker that says nothing any more does not hold it up', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  await connection.consume('work', () => {})
  for (const type of ['CANCEL', 'SETTLE', 'CLOSE']) broker.answers[type] = silence
  const close = connection.close({ timeoutMs: 1_000 })
  await broker.clock.advance(5_000)
  await close
  t.ok(broker.peer.ended)
  t.equal(broker.clock.timerCount, 0)
})

t.test('close - while reconnecting: nothing to send, nothing to wait for', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const consumer = await connection.consume('work', () => {})
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  broker.down = true
  broker.peer.reset()
  await broker.clock.advance(1_000)
  await connection.close()
  t.same(await consumer.closed, { reason: 'closed' })
  t.same(statuses.all.at(-1), { state: 'closed' })
  t.equal(broker.clock.timerCount, 0)
})

t.test('close - while reconnecting: what waits to be published has until the deadline', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  broker.down = true
  broker.peer.reset()
  await settle()
  const published = connection.publish('x', 'k', 'm')
  const close = connection.close({ timeoutMs: 20_000 })
  await broker.clock.advance(1_000)
  broker.down = false
  await broker.clock.advance(10_000)
  await published
  await close
  t.same(broker.peer.records.map(bodyText), ['m'])

  const other = new FakeBroker()
  const second = await other.connect()
  other.down = true
  other.peer.reset()
  await settle()
  const refused = failure(second.publish('x', 'k', 'm'))
  const end = second.close({ timeoutMs: 3_000 })
  await other.clock.advance(3_000)
  await end
  t.match(await refused, { code: 'CLOSED', stored: 'no' })
})

t.test('close - a channel ends alone', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const channel = await connection.channel()
  t.equal((await broker.peer.got('OPEN')).channel, 1)
  t.equal((await broker.peer.got('OPEN')).channel, 2)
  const consumer = await channel.consume('work', () => {})
  await channel.publish('x', 'k', 'a')
  await channel.close()
  t.same(
    broker.peer.frames.slice(-2).map(({ type, channel: number }) => [type, number]),
    [
      ['CANCEL', 2],
      ['CLOSE', 2],
    ],
  )
  t.same(await consumer.closed, { reason: 'closed' })
  t.match(await failure(channel.publish('x', 'k', 'b')), { code: 'CLOSED', stored: 'no' })
  t.match(await failure(channel.declareQueue('q')), { code: 'CLOSED' })
  t.throws(() => channel.publisher('x'), { code: 'CLOSED' })
  await connection.publish('x', 'k', 'c')
  const next = await connection.channel()
  t.equal(broker.peer.of('OPEN').at(-1)?.channel, 2, 'its number is free again')
  await next.publish('x', 'k', 'd')
  t.equal(broker.peer.of('PUBLISH').at(-1)?.firstSequence, 1)
})

t.test('close - a worker leaves with one line', async (t) => {
  const broker = new FakeBroker()
  const handled: string[] = []
  const connection = await broker.connect()
  await connection.consume('work', async (message: Message) => {
    await settle()
    handled.push(message.content.toString())
  })
  broker.peer.deliver(1, ['a', 'b', 'c'])
  await settle()
  await connection.close({ timeoutMs: 25_000 })
  const outcomes = broker.peer.of('SETTLE').flatMap(({ entries }) => entries)
  t.equal(outcomes.find(({ outcome }) => outcome === 'ack')?.count, handled.length)
  t.equal(
    outcomes.reduce((count, entry) => count + entry.count, 0),
    3,
    'each is either done or back',
  )
})
