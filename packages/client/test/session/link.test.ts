import { DeclareError } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { error, FakeBroker, failure, settle, silence } from '../support/fake-broker.js'

t.test('link - what one turn of the program says leaves in one write', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const before = broker.peer.writes.length
  const done = [
    connection.declareQueue('a'),
    connection.bindQueue('a', 'x'),
    ...Array.from({ length: 100 }, (_, i) => connection.publish('x', 'k', `m${i}`)),
    connection.checkQueue('a'),
  ]
  await Promise.all(done)
  t.equal(broker.peer.writes.length - before, 1)
  t.same(
    broker.peer.frames.slice(-4).map(({ type }) => type),
    ['DECLARE_QUEUE', 'BIND_QUEUE', 'PUBLISH', 'CHECK_QUEUE'],
    'in the order of the calls',
  )
})

t.test('link - an error answers one request, and the channel lives', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const differences = [{ option: 'durable', wanted: true, actual: false }]
  broker.answers.DECLARE_QUEUE = ({ json }) =>
    json.queue === 'a' ? error('preconditionFailed', 'differs', { details: { differences } }) : { ...declared }
  const [refused, other] = await Promise.all([failure(connection.declareQueue('a')), connection.declareQueue('b')])
  t.ok(refused instanceof DeclareError)
  t.same(refused.differences, differences)
  t.equal(other.queue, 'b')
  t.equal(broker.peers.length, 1)
})

const declared = { queue: 'b', created: true, durable: false, messageCount: 0, consumerCount: 0 }

t.test('link - answers belong to their requests whatever their order', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  broker.answers.CHECK_QUEUE = silence
  const [a, b] = [connection.checkQueue('a'), connection.checkQueue('b')]
  const [first, second] = [await broker.peer.got('CHECK_QUEUE'), await broker.peer.got('CHECK_QUEUE')]
  const checked = { durable: false, exclusive: false, autoDelete: false, messageCount: 0, unsettledCount: 0, consumerCount: 0 }
  broker.peer.answer(second, { queue: 'b', ...checked })
  broker.peer.answer(first, { queue: 'a', ...checked })
  t.equal((await a).queue, 'a')
  t.equal((await b).queue, 'b')
})

t.test('link - a request without an answer ends with its time, and a late answer harms nobody', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  broker.answers.PURGE_QUEUE = silence
  const rejected = failure(connection.purgeQueue('a'))
  const request = await broker.peer.got('PURGE_QUEUE')
  await broker.clock.advance(30_000)
  t.match(await rejected, { code: 'TIMEOUT', retryable: true })
  broker.peer.answer(request, { messageCount: 1 })
  await settle()
  t.ok(broker.peer.isOpen)
})

t.test('link - frames of a later version are passed over, and errors of nobody are logged', async (t) => {
  const broker = new FakeBroker()
  const log = new Collected<{ event: string; code?: string }>()
  const connection = await broker.connect({ log: log.add as never })
  broker.peer.send({ type: '0x55', body: '0102', flags: 0 })
  broker.peer.send({ type: 'ERROR', json: { code: 540, name: 'unsupported', scope: 'request', retryable: false, message: 'no such type' } })
  await connection.checkQueue('a')
  t.ok(log.all.some(({ event }) => event === 'frame-unknown'))
  t.ok(log.all.some(({ event, code }) => event === 'broker-error' && code === 'UNSUPPORTED'))
})

t.test('link - STATUS is told as it comes', async (t) => {
  const broker = new FakeBroker()
  broker.hello = { blocked: 'disk' }
  const connection = await broker.connect()
  t.same(connection.status, { state: 'blocked', reason: 'disk' }, 'as HELLO says')
  const statuses = new Collected<{ state: string }>()
  connection.on('status', statuses.add)
  broker.peer.send({ type: 'STATUS', json: { state: 'unblocked' } })
  t.same(await statuses.next(), { state: 'unblocked' })
  t.match(connection.status, { state: 'connected' })
  broker.peer.send({ type: 'STATUS', json: { state: 'blocked', reason: 'memory' } })
  t.same(await statuses.next(), { state: 'blocked', reason: 'memory' })
  broker.peer.send({ type: 'STATUS', json: { state: 'draining', deadlineMs: 5_000 } })
  t.same(await statuses.next(), { state: 'draining', deadline: new Date(broker.clock.now() + 5_000) })
})

t.test('link - a listener that throws is logged and heard no less', async (t) => {
  const broker = new FakeBroker()
  const log = new Collected<{ event: string }>()
  const connection = await broker.connect({ log: log.add })
  const statuses = new Collected<{ state: string }>()
  connection.on('status', () => {
    throw new Error('mistake')
  })
  connection.on('status', statuses.add)
  broker.peer.send({ type: 'STATUS', json: { state: 'blocked', reason: 'memory' } })
  await statuses.next()
  t.ok(log.all.some(({ event }) => event === 'listener-failed'))
})

t.test('link - an event that does not exist is a mistake', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  t.throws(() => connection.on('error' as 'status', () => {}), { code: 'EVENT_UNKNOWN' })
})

const faults: [string, string][] = [
  ['a correlation id of 0', '0000000a 11 01 0001 00000000 7b7d'],
  ['an answer that is not JSON', '0000000a 15 00 0000 6e6f6a736f6e'],
  ['a confirm of what was never published', '00000024 04 00 0001 0000000000000009 0000000000000010 0000000000000010 00000000 00000000'],
  ['a malformed credit', '00000005 05 00 0001 00'],
  [
    'a tag out of order',
    '00000038 02 00 0001 0000000000000005 0000000000000001 00000001 00000001 ' +
      '00000018 01 00 0004 00000000 0000 0000 776f726b 7878787878787878',
  ],
]
for (const [what, hex] of faults) {
  t.test(`link - ${what} ends the connection by name`, async (t) => {
    const broker = new FakeBroker()
    const connection = await broker.connect({ recovery: false })
    const statuses = new Collected<{ state: string }>()
    connection.on('status', statuses.add)
    broker.peer.sendBytes(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
    t.match(await statuses.next(), { state: 'closed', cause: { code: 'PROTOCOL_ERROR' } })
    t.ok(broker.peer.ended)
  })
}
