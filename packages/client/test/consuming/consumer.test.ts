import { type ConsumeOptions, type Message, UsageError } from '@waybill/client'
import t from 'tap'
import { Collected, deferred } from '../support/collect.js'
import { consuming } from '../support/consuming.js'
import { error, FakeBroker, failure, settle, silence } from '../support/fake-broker.js'

t.test('consumer - defaults of window and concurrency', async (t) => {
  const windows: [ConsumeOptions, number, string][] = [
    [{}, 32, 'manual'],
    [{ concurrency: 20 }, 40, 'manual'],
    [{ concurrency: 10 }, 32, 'manual'],
    [{ ack: 'manual' }, 256, 'manual'],
    [{ ack: 'none' }, 1_000, 'none'],
    [{ prefetch: 7 }, 7, 'manual'],
    [{ ack: 'none', prefetch: 5 }, 5, 'none'],
  ]
  for (const [options, prefetch, ack] of windows) {
    const { broker } = await consuming(() => {}, options)
    t.match((await broker.peer.got('CONSUME')).json, {
      queue: 'work',
      ack,
      prefetch,
      prefetchSize: 8 * 1024 * 1024,
      exclusive: false,
      priority: 0,
    })
  }
  const { broker } = await consuming(() => {}, { prefetchSize: 1_000, exclusive: true, priority: 3 })
  t.match((await broker.peer.got('CONSUME')).json, { prefetchSize: 1_000, exclusive: true, priority: 3 })
})

t.test('consumer - the window can be changed while it consumes; 0 pauses', async (t) => {
  const { broker, consumer } = await consuming(() => {})
  consumer.setPrefetch(0)
  consumer.setPrefetch(100, 5_000)
  await settle()
  t.same(
    broker.peer.of('WINDOW').map(({ consumer: id, messageCount, size }) => [id, messageCount, size]),
    [
      [1, 0, 8 * 1024 * 1024],
      [1, 100, 5_000],
    ],
  )
  for (const wrong of [-1, 1.5, Number.NaN, 2 ** 32]) t.throws(() => consumer.setPrefetch(wrong), UsageError)
})

t.test('consumer - flush resolves when the broker has what was settled', async (t) => {
  const { broker, consumer } = await consuming(() => {})
  await consumer.flush()
  t.equal(broker.peer.of('SETTLE').length, 0, 'there was nothing')
  broker.peer.deliver(1, ['a'])
  await settle()
  broker.answers.SETTLE = silence
  let flushed = false
  const flush = consumer.flush().then(() => {
    flushed = true
  })
  await settle()
  t.notOk(flushed)
  const frame = broker.peer.of('SETTLE').at(-1)
  t.ok(frame?.correlation)
  if (frame !== undefined) broker.peer.answer(frame, {})
  await flush
})

t.test('consumer - a settlement goes before the request that follows it', async (t) => {
  const messages = new Collected<Message>()
  const { broker, connection } = await consuming((message) => messages.add(message), { ack: 'manual' })
  broker.peer.deliver(
    1,
    Array.from({ length: 60 }, () => 'x'),
  )
  await settle()
  for (const message of messages.all) message.ack()
  await connection.checkQueue('work')
  t.same(
    broker.peer.frames.slice(-2).map(({ type }) => type),
    ['SETTLE', 'CHECK_QUEUE'],
  )
})

t.test('consumer - close stops, requeues what has not started, waits for handlers, settles', async (t) => {
  const work = deferred()
  const started = new Collected<string>()
  const { broker, consumer, settled } = await consuming(async (message) => {
    started.add(message.content.toString())
    await work.promise
  })
  broker.peer.deliver(1, ['a', 'b', 'c'])
  await started.next()
  let closed = false
  const close = consumer.close().then(() => {
    closed = true
  })
  await settle()
  t.equal(broker.peer.of('CANCEL').length, 1)
  t.same(settled(), ['2-3 requeue'])
  broker.peer.deliver(1, ['late'])
  await settle()
  t.same(settled(), ['2-3 requeue', '4 requeue'])
  t.notOk(closed)
  t.equal(consumer.running, 1)
  work.resolve()
  await close
  t.same(settled(), ['2-3 requeue', '4 requeue', '1 ack'])
  t.ok(broker.peer.of('SETTLE').at(-1)?.correlation, 'and is sure that the broker has it')
  t.same(await consumer.closed, { reason: 'closed' })
  t.equal(started.all.length, 1)
  await consumer.close()
})

t.test('consumer - at the deadline signals are aborted and the rest goes back', async (t) => {
  const signals = new Collected<AbortSignal>()
  const { broker, consumer, settled, clock } = await consuming(
    (message) => {
      signals.add(message.signal)
      return new Promise(() => {})
    },
    { concurrency: 2 },
  )
  broker.peer.deliver(1, ['a', 'b', 'c'])
  await settle()
  const close = consumer.close({ timeoutMs: 5_000 })
  await clock.advance(4_999)
  t.notOk(signals.all[0].aborted)
  await clock.advance(1)
  await close
  t.ok(signals.all.every(({ aborted }) => aborted))
  t.match(signals.all[0].reason, { code: 'CLOSED' })
  t.same(settled(), ['3 requeue', '1-3 requeue'], 'tag 3 is settled already, which the broker skips')
  t.equal(broker.clock.timerCount, 0)
})

t.test('consumer - with none, what has come is handled before the end, for nobody else will get it', async (t) => {
  const seen: string[] = []
  const gate = deferred()
  const { broker, consumer } = await consuming(
    async (message) => {
      await gate.promise
      seen.push(message.content.toString())
    },
    { ack: 'none', concurrency: 1 },
  )
  broker.peer.deliver(1, ['a', 'b', 'c'])
  await settle()
  const close = consumer.close()
  gate.resolve()
  await close
  t.same(seen, ['a', 'b', 'c'])
})

t.test('consumer - close with manual waits for the program to settle', async (t) => {
  const messages = new Collected<Message>()
  const { broker, consumer, settled } = await consuming(messages.add, { ack: 'manual' })
  broker.peer.deliver(1, ['a', 'b'])
  await settle()
  const close = consumer.close()
  await settle()
  messages.all[0].ack()
  messages.all[1].retry()
  await close
  t.same(settled(), ['1 ack', '2 retry'])
})

t.test('consumer - await using closes it', async (t) => {
  const { broker, consumer } = await consuming(() => {})
  await consumer[Symbol.asyncDispose]()
  t.equal(broker.peer.of('CANCEL').length, 1)
})

t.test('consumer - its signal closes it', async (t) => {
  const controller = new AbortController()
  const { broker, consumer } = await consuming(() => {}, { signal: controller.signal })
  controller.abort()
  t.same(await consumer.closed, { reason: 'closed' })
  t.equal(broker.peer.of('CANCEL').length, 1)
  const connection = await new FakeBroker().connect()
  t.match(await failure(connection.consume('work', () => {}, { signal: AbortSignal.abort() })), { code: 'ABORTED' })
})

t.test('consumer - the broker ends it with a reason', async (t) => {
  const signals = new Collected<AbortSignal>()
  const { broker, consumer, connection } = await consuming((message) => {
    signals.add(message.signal)
    return new Promise(() => {})
  })
  await connection.declareQueue('work')
  broker.peer.deliver(1, ['a'])
  await settle()
  broker.peer.send({ type: 'CANCELLED', channel: 1, json: { consumer: 1, reason: 'queue-deleted' } })
  t.same(await consumer.closed, { reason: 'queue-deleted' })
  t.ok(signals.all[0].aborted)
  await consumer.close()
  t.equal(broker.peer.of('CANCEL').length, 0, 'there is nothing to cancel')
  consumer.setPrefetch(5)
  broker.peer.reset()
  await broker.clock.advance(1_000)
  await broker.connections(2)
  await settle()
  t.same(
    broker.peer.frames.map(({ type }) => type),
    ['HELLO', 'OPEN'],
    'neither it nor its queue comes back',
  )
})

t.test('consumer - one that is refused rejects with the reason', async (t) => {
  const broker = new FakeBroker()
  broker.answers.CONSUME = () => error('notFound', "no queue 'work'")
  const connection = await broker.connect()
  t.match(await failure(connection.consume('work', () => {})), { code: 'NOT_FOUND', message: "no queue 'work'" })
})

t.test('consumer - deliveries for nobody go back to their place', async (t) => {
  const { broker, settled } = await consuming(() => {})
  broker.peer.consumers.set(99, { channel: 1, json: {} })
  broker.peer.deliver(99, ['a', 'b'])
  await settle()
  t.same(settled(), ['1-2 requeue'])
})

t.test('consumer - a handler may close everything in the middle of a frame', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  let count = 0
  await connection.consume(
    'work',
    () => {
      if (++count === 2) connection.close({ timeoutMs: 10 }).catch(() => {})
    },
    { ack: 'none' },
  )
  broker.peer.deliver(
    1,
    Array.from({ length: 5 }, () => 'x'),
  )
  await broker.clock.advance(1_000)
  t.equal(count, 5, 'with none what has come is handled')
  t.match(connection.status, { state: 'closed' })
})

t.test('consumer - a handler may close everything before consume has resolved: it resolves all the same', async (t) => {
  for (const close of ['connection', 'channel'] as const) {
    const broker = new FakeBroker()
    const connection = await broker.connect()
    const channel = await connection.channel()
    const closing: Promise<void>[] = []
    // The answer and the first message come in one read of the socket.
    broker.answers.CONSUME = (frame, peer) => {
      peer.answer(frame, {})
      peer.deliver(frame.json.consumer, ['a', 'b'])
      return undefined
    }
    const consumer = await channel.consume('work', () => {
      closing.push({ connection, channel }[close].close())
    })
    await Promise.all(closing)
    t.match(await consumer.closed, { reason: 'closed' })
    t.equal(closing.length, 1, 'what has not been started goes back')
    const entries = broker.peer.of('SETTLE').flatMap((frame) => frame.entries)
    t.match(entries, [{ outcome: 'ack' }, { outcome: 'requeue' }])
  }
})

t.test('consumer - closed before anything came of it, it has not begun', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const controller = new AbortController()
  const rejected = failure(connection.consume('work', () => {}, { signal: controller.signal }))
  controller.abort()
  t.match(await rejected, { code: 'CLOSED', message: /before it had begun/ })
  await broker.peer.got('CANCEL')
})

t.test('consumer - options that do not exist or do not fit are mistakes, thrown at once', async (t) => {
  const connection = await new FakeBroker().connect()
  const handler = (): void => {}
  const wrong: object[] = [
    { prefech: 1 },
    { ack: 'auto' },
    { concurrency: 0 },
    { prefetch: -1 },
    { prefetchSize: 0.5 },
    { parse: 'schema' },
    { priority: 1.5 },
  ]
  for (const options of wrong) {
    t.throws(() => connection.consume('work', handler, options), UsageError, JSON.stringify(options))
    t.throws(() => connection.messages('work', options), UsageError)
  }
  t.throws(() => connection.consume('work', undefined as never), UsageError)
  t.throws(() => connection.consume('x'.repeat(256), handler), UsageError)
})
