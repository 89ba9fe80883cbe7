import { type ConsumeOptions, type Message, RejectError, RetryError, UsageError } from '@waybill/client'
import t from 'tap'
import { Collected, deferred } from '../support/collect.js'
import { error, FakeBroker, failure, settle, silence } from '../support/fake-broker.js'

interface Entry {
  level: string
  event: string
  [key: string]: unknown
}

async function consuming(handler: (message: Message) => unknown, options: ConsumeOptions = {}) {
  const broker = new FakeBroker()
  const log = new Collected<Entry>()
  const connection = await broker.connect({ log: log.add as never })
  const consumer = await connection.consume('work', handler, options)
  /** What has been settled, as `tag outcome` or `first-last outcome`. */
  const settled = (): string[] =>
    broker.peer
      .of('SETTLE')
      .flatMap(({ entries }) => entries)
      .map(({ firstTag, count, outcome }) => `${count === 1 ? firstTag : `${firstTag}-${firstTag + count - 1}`} ${outcome}`)
  return { broker, connection, consumer, log, settled, clock: broker.clock }
}

t.test('consumer - returned is ack, thrown is retry, RejectError is reject', async (t) => {
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

t.test('consumer - what a handler has settled itself is left alone', async (t) => {
  const { broker, settled } = await consuming((message) => {
    message.reject()
    if (message.content.toString() === 'b') throw new Error('afterwards')
  })
  broker.peer.deliver(1, ['a', 'b'])
  await settle()
  t.same(settled(), ['1-2 reject'])
})

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

t.test('consumer - concurrency is how many handlers work at once, and 1 keeps the order', async (t) => {
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

t.test('consumer - with none the broker gets its window back and nothing else', async (t) => {
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

t.test('consumer - with manual nothing is settled by itself', async (t) => {
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

t.test('consumer - parse types the body, and what it throws rejects with the reason', async (t) => {
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

t.test('consumer - a body that is no JSON is rejected, not retried', async (t) => {
  const { broker, settled } = await consuming((message) => message.body)
  broker.peer.deliver(1, [{ properties: { contentType: 'application/json' }, body: '7b' }])
  await settle()
  t.same(settled(), ['1 reject'])
})

t.test('consumer - unheard errors are lines in the log, not too many', async (t) => {
  const { broker, consumer, log, clock } = await consuming(() => {
    throw new Error('broken')
  })
  for (let i = 0; i < 20; i++) {
    broker.peer.deliver(1, ['a'])
    await settle()
  }
  const lines = () => log.all.filter(({ event }) => event === 'handler-failed')
  t.equal(lines().length, 5)
  t.match(lines()[0], { level: 'error', queue: 'work', id: 'log-1', message: 'broken' })
  await clock.advance(10_000)
  broker.peer.deliver(1, ['a'])
  await settle()
  t.match(lines()[5], { suppressed: 15 })
  consumer.on('error', () => {})
  broker.peer.deliver(1, ['a'])
  await settle()
  t.equal(lines().length, 6, 'somebody listens now')
})

t.test('consumer - an error listener that throws is logged', async (t) => {
  const { broker, consumer, log } = await consuming(() => {
    throw new Error('broken')
  })
  consumer.on('error', () => {
    throw new Error('mistake')
  })
  broker.peer.deliver(1, ['a'])
  await settle()
  t.ok(log.all.some(({ event, on }) => event === 'listener-failed' && on === 'error'))
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

t.test('consumer - what one turn settles is one frame', async (t) => {
  const { broker } = await consuming(() => {}, { ack: 'none' })
  broker.peer.deliver(
    1,
    Array.from({ length: 20 }, () => 'x'),
  )
  await settle()
  t.equal(broker.peer.of('SETTLE').length, 1)
})

t.test('consumer - in bulk, settlements are gathered up to a quarter of the window or a millisecond', async (t) => {
  const { broker, settled, clock } = await consuming(() => {}, { ack: 'none', prefetch: 1_000 })
  const hundred = Array.from({ length: 100 }, () => 'x')
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      broker.peer.deliver(1, hundred)
      await settle()
    }
  }
  await turns(2)
  t.same(settled(), ['1-100 ack', '101-200 ack'], 'the first ones are written at once')
  await turns(2)
  t.same(settled().length, 2, 'then they are gathered')
  await turns(1)
  t.same(settled().at(-1), '201-500 ack', 'a quarter of the window')
  await turns(1)
  t.same(settled().length, 3)
  await clock.advance(1)
  t.same(settled().at(-1), '501-600 ack', 'a millisecond')
})

t.test('consumer - who settles now and then is written at once', async (t) => {
  const { broker, settled, clock } = await consuming(() => {})
  for (let i = 1; i <= 10; i++) {
    broker.peer.deliver(1, ['x'])
    await settle()
    t.equal(settled().length, i)
    await clock.advance(1)
  }
})

t.test('consumer - a small window is given back at once', async (t) => {
  const { broker, settled } = await consuming(() => {}, { prefetch: 4 })
  for (let i = 1; i <= 10; i++) {
    broker.peer.deliver(1, ['x'])
    await settle()
    t.equal(settled().length, i)
  }
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

t.test('consumer - handlers that keep the processor are interrupted, so that the process lives', async (t) => {
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

t.test('consumer - holding the whole window for a minute is said once', async (t) => {
  const held = new Collected<Message>()
  const { broker, log, clock } = await consuming(held.add, { ack: 'manual', prefetch: 2 })
  const warnings = () => log.all.filter(({ event }) => event === 'prefetch-held')
  broker.peer.deliver(1, ['a', 'b'])
  await clock.advance(59_000)
  t.equal(warnings().length, 0)
  await clock.advance(1_000)
  t.match(warnings(), [{ level: 'warn', queue: 'work', unsettled: 2 }])
  await clock.advance(600_000)
  t.equal(warnings().length, 1)
})

t.test('consumer - a window that is always full and always moving is not worth a word', async (t) => {
  const held = new Collected<Message>()
  const { broker, log, clock } = await consuming(held.add, { ack: 'manual', prefetch: 1 })
  for (let i = 0; i < 10; i++) {
    broker.peer.deliver(1, ['a'])
    await clock.advance(30_000)
    held.all[i].ack()
  }
  t.equal(log.all.filter(({ event }) => event === 'prefetch-held').length, 0)
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
