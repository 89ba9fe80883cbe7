import { type Message, RejectError, RetryError } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { consuming } from '../support/consuming.js'
import { settle } from '../support/fake-broker.js'

t.test('handlers - returned is ack, thrown is retry, RejectError is reject', async (t) => {
  const errors = new Collected<unknown>()
  const { broker, consumer, settled } = await consuming((message) => {
    const body = message.content.toString()
    if (body === 'throws') throw new Error('broken')
    if (body === 'rejects') throw new RejectError('not an address')
    if (body === 'waits') throw new RetryError('busy', { delayMs: 700 })
    if (body === 'later') return Promise.reject(new Error('broken later'))
    if (body === 'async') return Promise.resolve('fine')
    return 'fine'
  })
  consumer.on('error', errors.add)
  broker.peer.deliver(1, ['good', 'throws', 'rejects', 'waits', 'later', 'async'])
  await settle()
  t.same(settled(), ['1 ack', '2 retry', '3 reject', '4 retry', '5 retry', '6 ack'])
  const entries = broker.peer.of('SETTLE').flatMap((frame) => frame.entries)
  t.same(
    entries.map(({ reason, delayMs }) => [reason, delayMs]),
    [
      ['', null],
      ['broken', null],
      ['not an address', null],
      ['busy', 700],
      ['broken later', null],
      ['', null],
    ],
  )
  t.equal(errors.all.length, 4)
})

t.test('handlers - what a handler has settled itself is left alone', async (t) => {
  const { broker, settled } = await consuming((message) => {
    message.reject()
    if (message.content.toString() === 'b') throw new Error('afterwards')
  })
  broker.peer.deliver(1, ['a', 'b'])
  await settle()
  t.same(settled(), ['1-2 reject'])
})

t.test('handlers - concurrency is how many handlers work at once, and 1 keeps the order', async (t) => {
  for (const [concurrency, ack, most] of [
    [undefined, 'on-success', 1],
    [3, 'on-success', 3],
    [undefined, 'manual', 8],
    [undefined, 'none', 8],
    [2, 'none', 2],
  ] as const) {
    let running = 0
    let seen = 0
    const order: string[] = []
    const { broker, consumer } = await consuming(
      async (message) => {
        running++
        seen = Math.max(seen, running)
        await settle()
        order.push(message.content.toString())
        running--
      },
      { ack, ...(concurrency === undefined ? {} : { concurrency }) },
    )
    broker.peer.deliver(1, ['0', '1', '2', '3', '4', '5', '6', '7'])
    for (let i = 0; i < 40; i++) await settle()
    t.equal(seen, most, `${ack} ${concurrency}`)
    t.same(order, ['0', '1', '2', '3', '4', '5', '6', '7'])
    t.equal(consumer.running, 0)
  }
})

t.test('handlers - with none the broker gets its window back and nothing else', async (t) => {
  const { broker, settled } = await consuming(
    (message) => {
      if (message.content.toString() === 'b') throw new Error('broken')
    },
    { ack: 'none' },
  )
  broker.peer.deliver(1, ['a', 'b', 'c'])
  await settle()
  t.same(settled(), ['1-3 ack'])
})

t.test('handlers - with manual nothing is settled by itself', async (t) => {
  const messages = new Collected<Message>()
  const { broker, settled } = await consuming(
    (message) => {
      messages.add(message)
      throw new Error('does not matter')
    },
    { ack: 'manual' },
  )
  broker.peer.deliver(1, ['a', 'b'])
  await settle()
  t.same(settled(), [])
  messages.all[1].ack()
  await settle()
  t.same(settled(), ['2 ack'])
})

t.test('handlers - parse types the body, and what it throws rejects with the reason', async (t) => {
  const bodies = new Collected<unknown>()
  const errors = new Collected<unknown>()
  const parse = (body: unknown): string => {
    const text = String(body)
    if (!text.includes('@')) throw new Error(`not an address: ${text}`)
    return text.toUpperCase()
  }
  const { broker, consumer, settled } = await consuming((message) => bodies.add(message.body), { parse })
  consumer.on('error', errors.add)
  broker.peer.deliver(1, ['a@b', 'nobody', 'c@d'])
  await settle()
  t.same(bodies.all, ['A@B', 'C@D'])
  t.same(settled(), ['1 ack', '2 reject', '3 ack'])
  t.equal(broker.peer.of('SETTLE')[0].entries[1].reason, 'not an address: nobody')
  t.equal(errors.all.length, 1)
  t.equal(consumer.running, 0)
})

t.test('handlers - a body that is no JSON is rejected, not retried', async (t) => {
  const { broker, settled } = await consuming((message) => message.body)
  broker.peer.deliver(1, [{ properties: { contentType: 'application/json' }, body: '7b' }])
  await settle()
  t.same(settled(), ['1 reject'])
})

t.test('handlers - those that keep the processor are interrupted, so that the process lives', async (t) => {
  const done: number[] = []
  const { broker, clock } = await consuming((message) => {
    done.push(Number(message.content.toString()))
    // The clock goes on while the handler computes: 30 ms each.
    ;(clock as unknown as { spend(ms: number): void }).spend(30)
  })
  let now = clock.now()
  let spent = 0
  clock.now = () => now + spent
  ;(clock as unknown as { spend(ms: number): void }).spend = (ms) => {
    spent += ms
  }
  broker.peer.deliver(
    1,
    Array.from({ length: 10 }, (_, i) => String(i)),
  )
  await settle()
  t.ok(done.length <= 3, `${done.length} handlers before the event loop got its turn`)
  for (let i = 0; i < 10 && done.length < 10; i++) {
    now += 1
    await clock.advance(1)
  }
  t.same(done, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'in order')
})

t.test('handlers - a RetryError that cannot be is a mistake, and the message is tried again all the same', async (t) => {
  for (const delayMs of [Number.NaN, -1, 2 ** 33, Infinity, '5' as never]) {
    t.throws(() => new RetryError('later', { delayMs }), { name: 'UsageError', code: 'OPTION_INVALID', message: /delayMs/ }, `${delayMs}`)
    const errors = new Collected<unknown>()
    const { broker, consumer, settled } = await consuming((message) => {
      const thrown = Object.assign(new RetryError('changed'), { delayMs })
      if (message.content.toString() === 'at once') throw new RetryError('later', { delayMs })
      if (message.content.toString() === 'changed') throw thrown
      return Promise.reject(thrown)
    })
    consumer.on('error', errors.add)
    broker.peer.deliver(1, ['at once', 'changed', 'in a promise'])
    await settle()
    t.same(settled(), ['1 retry', '2 retry', '3 retry'])
    const entries = broker.peer.of('SETTLE').flatMap((frame) => frame.entries)
    t.same(
      entries.map((entry) => entry.delayMs),
      [null, null, null],
    )
    t.match(entries[0].reason, /delayMs/)
    t.match(entries[1].reason, /^changed$/)
    t.equal(errors.all.length, 3)
  }
  t.equal(new RetryError('later', { delayMs: 0.5 }).delayMs, 0.5)
})
