import type { Refusal } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { bodyText, FakeBroker, failure, settle } from '../support/fake-broker.js'

async function publishing(options: object = {}, credit = { creditSequence: 100_000, creditSize: 100_000_000 }) {
  const broker = new FakeBroker()
  broker.credit = credit
  broker.confirms = false
  const connection = await broker.connect()
  const publisher = connection.publisher('x', options)
  let confirmed = 0
  const confirmTo = (through: number): void => {
    const run = {
      firstSequence: confirmed + 1,
      firstMessageId: confirmed + 1,
      count: through - confirmed,
      queueCount: 1,
      level: 'received',
    }
    confirmed = through
    broker.peer.confirm(1, through, { runs: [run] })
  }
  return { broker, connection, publisher, confirmTo }
}

t.test('publisher - numbers its messages from 1 and flush waits for their confirms', async (t) => {
  const { broker, publisher, confirmTo } = await publishing()
  t.same([publisher.send('k', 'a'), publisher.send('k', 'b'), publisher.send('k', 'c')], [1, 2, 3])
  let flushed = false
  const flush = publisher.flush().then(() => {
    flushed = true
  })
  await settle()
  t.same(broker.peer.of('PUBLISH').length, 1)
  t.match(broker.peer.of('PUBLISH')[0], { flags: ['CONFIRM'], records: [{ exchange: 'x' }, {}, {}] })
  confirmTo(2)
  await settle()
  t.notOk(flushed)
  confirmTo(3)
  await flush
})

t.test('publisher - flush waits for what was sent before it, not for what follows', async (t) => {
  const { publisher, confirmTo } = await publishing()
  publisher.send('k', 'a')
  const flush = publisher.flush()
  publisher.send('k', 'b')
  await settle()
  confirmTo(1)
  await flush
  t.equal(publisher.send('k', 'c'), 3)
})

t.test('publisher - is full at its window, and ready again at half of it', async (t) => {
  const { publisher, confirmTo } = await publishing({ window: 10 })
  for (let i = 0; i < 9; i++) publisher.send('k', 'a')
  t.notOk(publisher.full)
  await publisher.ready()
  publisher.send('k', 'a')
  t.ok(publisher.full)
  let isReady = false
  const ready = publisher.ready().then(() => {
    isReady = true
  })
  await settle()
  confirmTo(4)
  await settle()
  t.notOk(isReady)
  confirmTo(5)
  await ready
  t.notOk(publisher.full)
  t.equal(publisher.send('k', 'a'), 11)
})

t.test('publisher - takes what it is given beyond the window, and throws at sizeMax', async (t) => {
  const { publisher, confirmTo } = await publishing({ window: 1, sizeMax: 1_000 })
  publisher.send('k', Buffer.alloc(400))
  publisher.send('k', Buffer.alloc(400))
  t.ok(publisher.full)
  t.equal(publisher.send('k', Buffer.alloc(400)), 3, 'the one that reaches sizeMax is taken')
  t.throws(() => publisher.send('k', Buffer.alloc(400)), { name: 'PublishError', code: 'PUBLISHER_FULL', stored: 'no', retryable: true })
  await settle()
  confirmTo(3)
  await publisher.ready()
  t.equal(publisher.send('k', Buffer.alloc(5_000)), 4, 'one message always; the one that was thrown has no number')
})

t.test('publisher - who waits while it is full never meets PUBLISHER_FULL, whatever the sizes', async (t) => {
  const { publisher, confirmTo } = await publishing({ window: 100, sizeMax: 1_000 })
  let waits = 0
  for (let i = 1; i <= 20; i++) {
    if (publisher.full) {
      waits++
      const ready = publisher.ready()
      await settle()
      confirmTo(i - 1)
      await ready
    }
    t.equal(publisher.send('k', Buffer.alloc(i % 2 === 0 ? 400 : 150)), i)
  }
  t.ok(waits > 2)
})

t.test('publisher - waiting to be ready ends with a signal', async (t) => {
  const { publisher, confirmTo } = await publishing({ window: 1 })
  publisher.send('k', 'a')
  const controller = new AbortController()
  const rejected = failure(publisher.ready({ signal: controller.signal }))
  controller.abort('enough')
  t.match(await rejected, { code: 'ABORTED', cause: 'enough' })
  t.match(await failure(publisher.ready({ signal: controller.signal })), { code: 'ABORTED' })
  const ready = publisher.ready({ signal: new AbortController().signal })
  confirmTo(1)
  await ready
})

t.test('publisher - a refused message is told with its number and key', async (t) => {
  const { broker, publisher } = await publishing()
  const refusals = new Collected<Refusal>()
  publisher.on('refused', refusals.add)
  for (const key of ['a', 'b', 'c']) publisher.send(key, 'x')
  await settle()
  const runs = [
    { firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' },
    { firstSequence: 3, firstMessageId: 2, count: 1, queueCount: 1, level: 'received' },
  ]
  broker.peer.confirm(1, 3, { runs, exceptions: [{ sequence: 2, code: 506, queueCount: 0, detail: 'no memory' }] })
  t.match(await refusals.next(), { sequence: 2, routingKey: 'b', error: { code: 'RESOURCE_EXHAUSTED', stored: 'no' } })
  await publisher.flush()
})

t.test('publisher - flush rejects once when something was refused and nobody listened', async (t) => {
  const { broker, publisher, confirmTo } = await publishing()
  publisher.send('a', 'x')
  await settle()
  const rejected = failure(publisher.flush())
  broker.peer.confirm(1, 1, { exceptions: [{ sequence: 1, code: 403, queueCount: 0, detail: 'not yours' }] })
  t.match(await rejected, { code: 'FORBIDDEN', message: 'not yours' })
  await publisher.flush()
  confirmTo(1)
})

t.test('publisher - without confirms it is limited by credit alone, and still hears of refusals', async (t) => {
  const { broker, publisher } = await publishing({ confirm: false, window: 5 }, { creditSequence: 20, creditSize: 100_000 })
  const refusals = new Collected<Refusal>()
  publisher.on('refused', refusals.add)
  for (let i = 1; i <= 20; i++) {
    t.notOk(publisher.full)
    publisher.send(`k${i}`, `${i}`)
  }
  await publisher.flush()
  t.equal(broker.peer.records.length, 20)
  t.same((await broker.peer.got('PUBLISH')).flags, [])
  publisher.send('k21', '21')
  t.ok(publisher.full, 'it waits for credit')
  const ready = publisher.ready()
  broker.peer.send({ type: 'CREDIT', channel: 1, creditSequence: 40, creditSize: 100_000 })
  await ready
  broker.peer.confirm(1, 21, { creditSequence: 40, exceptions: [{ sequence: 7, code: 404, queueCount: 0, detail: 'no exchange' }] })
  t.match(await refusals.next(), { sequence: 7, routingKey: 'k7', error: { code: 'NOT_FOUND' } })
})

t.test('publisher - a hundred thousand without confirm and without a CONFIRM are not remembered for ever', async (t) => {
  const { broker, publisher } = await publishing({ confirm: false }, { creditSequence: 200_000, creditSize: 100_000_000 })
  const refusals = new Collected<Refusal>()
  publisher.on('refused', refusals.add)
  for (let i = 1; i <= 100_000; i++) {
    publisher.send('k', 'x')
    if (i % 10_000 === 0) await publisher.flush()
  }
  const exceptions = [1, 60_000, 99_999].map((sequence) => ({ sequence, code: 404, queueCount: 0, detail: '' }))
  broker.peer.confirm(1, 100_000, { exceptions })
  t.equal((await refusals.next()).sequence, 99_999, 'the last ones are known')
  t.equal(refusals.all.length, 1)
})

t.test('publisher - what finds no credit in time is refused, so that every wait ends', async (t) => {
  const { broker, publisher } = await publishing({}, { creditSequence: 1, creditSize: 1_000 })
  const refusals = new Collected<Refusal>()
  publisher.on('refused', refusals.add)
  publisher.send('sent', 'x')
  publisher.send('waits', 'x')
  const flushed = publisher.flush()
  const ready = publisher.ready()
  await broker.clock.advance(30_020)
  t.match(await refusals.next(), { sequence: 1, error: { code: 'TIMEOUT', stored: 'unknown' } })
  t.match(await refusals.next(), { sequence: 2, error: { code: 'BLOCKED', stored: 'no' } })
  await Promise.all([flushed, ready])
})

t.test('publisher - order is kept between what goes out at once and what waits', async (t) => {
  const { broker, connection, publisher } = await publishing({}, { creditSequence: 3, creditSize: 10_000 })
  for (let i = 1; i <= 5; i++) publisher.send('k', `${i}`)
  connection.publish('x', 'k', '6').catch(() => {})
  publisher.send('k', '7')
  broker.peer.send({ type: 'CREDIT', channel: 1, creditSequence: 100, creditSize: 10_000 })
  publisher.send('k', '8')
  await settle()
  t.equal(broker.peer.records.map(bodyText).join(''), '12345678')
})

t.test('publisher - a listener may publish again what was refused', async (t) => {
  const { broker, publisher } = await publishing({}, { creditSequence: 2, creditSize: 10_000 })
  publisher.on('refused', ({ routingKey }) => {
    if (routingKey === 'first') publisher.send('again', 'x')
  })
  publisher.send('first', 'x')
  publisher.send('second', 'x')
  publisher.send('third', 'x')
  await settle()
  const run = { firstSequence: 2, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' }
  broker.peer.confirm(1, 2, {
    creditSequence: 9,
    creditSize: 10_000,
    runs: [run],
    exceptions: [{ sequence: 1, code: 506, queueCount: 0, detail: '' }],
  })
  await settle()
  t.same(
    broker.peer.records.map(({ routingKey }) => routingKey),
    ['first', 'second', 'third', 'again'],
  )
})

t.test('publisher - a listener that throws is logged, one that has been taken off is not called', async (t) => {
  const broker = new FakeBroker()
  broker.confirms = false
  const log = new Collected<{ event: string }>()
  const connection = await broker.connect({ log: log.add })
  const publisher = connection.publisher('x')
  const never = (): void => {
    t.fail('it was taken off')
  }
  publisher
    .on('refused', never)
    .on('refused', () => {
      throw new Error('mistake')
    })
    .off('refused', never)
  publisher.send('k', 'a')
  await settle()
  broker.peer.confirm(1, 1, { exceptions: [{ sequence: 1, code: 506, queueCount: 0, detail: '' }] })
  await publisher.flush()
  t.ok(log.all.some(({ event }) => event === 'listener-failed'))
})

t.test('publisher - properties travel with each message', async (t) => {
  const { broker, publisher } = await publishing()
  publisher.send('k', 'a', { persistent: false, headers: { n: 1 }, messageId: 'm' })
  publisher.send('k', Buffer.from('b'), { persistent: false })
  await settle()
  t.match(broker.peer.records, [
    { persistent: false, headers: { n: 1 }, properties: { messageId: 'm', contentType: 'text/plain' } },
    { persistent: false, headers: {}, properties: {} },
  ])
  t.throws(() => publisher.send('k', 'a', { priority: 1 }), { code: 'PROPERTY_UNSUPPORTED' })
  t.equal(publisher.send('k', 'c'), 3, 'what was thrown has no number')
})

t.test('publisher - close flushes, and then nothing can be sent', async (t) => {
  const { publisher, confirmTo } = await publishing()
  publisher.send('k', 'a')
  const closed = publisher.close()
  t.throws(() => publisher.send('k', 'b'), { name: 'PublishError', code: 'CLOSED', stored: 'no' })
  await settle()
  confirmTo(1)
  await closed
  await publisher[Symbol.asyncDispose]()
})

t.test('publisher - options that do not exist or do not fit are mistakes', async (t) => {
  const { connection, publisher } = await publishing()
  t.throws(() => connection.publisher('x', { confirms: false } as object), { code: 'OPTION_UNKNOWN' })
  t.throws(() => connection.publisher('x', { window: 0 }), { code: 'OPTION_INVALID' })
  t.throws(() => connection.publisher('x', { sizeMax: 0 }), { code: 'OPTION_INVALID' })
  t.throws(() => connection.publisher('x'.repeat(300)), { code: 'NAME_INVALID' })
  t.throws(() => publisher.on('error' as 'refused', () => {}), { code: 'EVENT_UNKNOWN' })
})
