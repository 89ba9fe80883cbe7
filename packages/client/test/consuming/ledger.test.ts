/** What `flush` and `close` of a consumer promise: resolved, the broker has every settlement; otherwise so many were not kept, said once. */
import type { Consumer, ConsumeOptions, Message } from '@waybill/client'
import { encodeFrame } from '@waybill/protocol/testing'
import t from 'tap'
import { Collected, deferred } from '../support/collect.js'
import { error, failure, settle, silence } from '../support/fake-broker.js'
import { connected } from '../support/reconnecting.js'

/** A consumer that settles by hand, and so many messages that it holds. */
async function holding(count: number, options: ConsumeOptions = {}, connect: object = {}) {
  const all = await connected(connect)
  const { broker, connection, statuses } = all
  const messages = new Collected<Message>()
  const consumer = await connection.consume('work', messages.add, { ack: 'manual', ...options })
  const deliver = async (more: number): Promise<Message[]> => {
    broker.peer.deliver(
      1,
      Array.from({ length: more }, () => 'x'),
    )
    const come: Message[] = []
    while (come.length < more) come.push(await messages.next())
    return come
  }
  /** Loses the connection; it does not come back by itself. */
  const lose = async (): Promise<void> => {
    broker.peer.reset()
    await statuses.find(({ state }) => state === 'reconnecting')
  }
  return { ...all, consumer, deliver, lose, held: await deliver(count) }
}

const notKept = (count: number): object => ({
  name: 'WaybillError',
  code: 'CONNECTION_LOST',
  retryable: false,
  message: new RegExp(`^${count} settlements? .*'work'.* not kept.* again, redelivered`),
})

t.test(
  'ledger - a flush whose connection is lost before the answer is rejected with how many were not kept, and the next one is clean',
  async (t) => {
    const { broker, consumer, held, lose, clock, deliver } = await holding(3)
    broker.answers.SETTLE = silence
    held[0].ack()
    held[1].reject()
    const flush = failure(consumer.flush())
    await broker.peer.got('SETTLE')
    await lose()
    t.match(await flush, notKept(2))
    await consumer.flush()
    broker.answers.SETTLE = () => ({})
    await clock.advance(200)
    await broker.connections(2)
    await broker.peer.got('CONSUME')
    await settle()
    const [again] = await deliver(1)
    again.ack()
    await consumer.flush()
  },
)

t.test('ledger - each flush that is under way at the loss hears of it', async (t) => {
  const { broker, consumer, held, lose } = await holding(2)
  broker.answers.SETTLE = silence
  held[0].ack()
  const flushes = [failure(consumer.flush())]
  held[1].ack()
  flushes.push(failure(consumer.flush()))
  await broker.peer.got('SETTLE')
  await lose()
  for (const flush of flushes) t.match(await flush, notKept(2))
  await consumer.flush()
})

t.test('ledger - what was settled without a flush and then lost is told after the reconnect, together with what went well', async (t) => {
  const { broker, consumer, held, deliver, reconnect } = await holding(3)
  held[0].ack()
  held[1].retry()
  await broker.peer.got('SETTLE')
  await reconnect()
  const [again] = await deliver(1)
  again.ack()
  t.match(await failure(consumer.flush()), notKept(2))
  t.match(broker.peer.of('SETTLE').at(-1)?.entries, [{ firstTag: 1, outcome: 'ack' }], 'what could be kept has been')
  await consumer.flush()
})

t.test('ledger - settling a message whose connection has been lost counts, before the reconnect and behind it', async (t) => {
  const { broker, consumer, held, lose, clock } = await holding(3)
  await lose()
  held[0].ack()
  t.match(await failure(consumer.flush()), notKept(1))
  held[1].ack()
  await clock.advance(200)
  await broker.connections(2)
  await broker.peer.got('CONSUME')
  await settle()
  held[2].reject()
  t.match(await failure(consumer.flush()), notKept(2))
  await consumer.flush()
  t.equal(broker.peer.of('SETTLE').length, 0, 'there was nothing to send')
})

t.test('ledger - so does a handler that returns when its connection has been lost', async (t) => {
  const { broker, connection, statuses } = await connected()
  const [work, started] = [deferred(), deferred()]
  const consumer = await connection.consume('work', () => {
    started.resolve()
    return work.promise
  })
  broker.peer.deliver(1, ['a', 'b'])
  await started.promise
  broker.peer.reset()
  await statuses.find(({ state }) => state === 'reconnecting')
  await consumer.flush()
  work.resolve()
  await settle()
  t.match(await failure(consumer.flush()), notKept(1), "'b' had not begun")
})

t.test('ledger - what was answered before the loss is kept', async (t) => {
  const { consumer, held, reconnect } = await holding(2)
  held[0].ack()
  await consumer.flush()
  await reconnect()
  await t.resolves(consumer.flush())
})

t.test('ledger - an answer and the loss in one breath: the answer counts', async (t) => {
  const { broker, consumer, held, statuses } = await holding(1)
  broker.answers.SETTLE = silence
  held[0].ack()
  const flush = consumer.flush()
  const { correlation } = await broker.peer.got('SETTLE')
  const answer = encodeFrame({ type: 'RESULT', channel: 1, correlation, json: {} })
  broker.peer.sendBytes(Buffer.concat([answer, Buffer.from('0000000000000000', 'hex')]))
  await statuses.find(({ state }) => state === 'reconnecting')
  await t.resolves(flush)
  await t.resolves(consumer.flush())
})

t.test('ledger - a requeue needs no answer: a loss puts the message back as well', async (t) => {
  const { broker, consumer, held, lose } = await holding(2)
  broker.answers.SETTLE = silence
  held[0].requeue()
  const flush = consumer.flush()
  await broker.peer.got('SETTLE')
  await lose()
  await t.resolves(flush)
  held[1].requeue()
  await t.resolves(consumer.flush())
})

t.test("ledger - with 'none' there is nothing to keep", async (t) => {
  const { broker, connection, reconnect } = await connected()
  const seen = new Collected<Message>()
  const consumer = await connection.consume('work', seen.add, { ack: 'none' })
  broker.peer.deliver(1, ['a', 'b'])
  await seen.next()
  await reconnect()
  await consumer.flush()
  t.equal(seen.all.length, 2)
})

t.test('ledger - each consumer of a channel hears of its own', async (t) => {
  const { connection, consumer, held, reconnect } = await holding(1)
  const other = await connection.consume('other', () => {})
  held[0].ack()
  await reconnect()
  await other.flush()
  t.match(await failure(consumer.flush()), notKept(1))
})

t.test('ledger - a channel that the broker closes has lost what was not answered', async (t) => {
  const { broker, consumer, held } = await holding(1)
  broker.answers.SETTLE = silence
  held[0].ack()
  const flush = failure(consumer.flush())
  await broker.peer.got('SETTLE')
  const body = { code: 421, name: 'sequenceUnexpected', scope: 'channel', retryable: false, message: 'sequence 9 came' }
  broker.peer.send({ type: 'ERROR', channel: 1, json: body })
  t.match(await flush, notKept(1))
  await settle()
  await consumer.flush()
})

t.test('ledger - a broker that says no, or nothing, is asked again by the next flush', async (t) => {
  const { broker, consumer, held, clock } = await holding(2)
  held[0].ack()
  held[1].ack()
  broker.answers.SETTLE = () => error('storageFailed', 'the disk is broken')
  t.match(await failure(consumer.flush()), { code: 'STORAGE_FAILED', message: /^2 settlements .*the disk is broken/ })
  broker.answers.SETTLE = silence
  const silent = failure(consumer.flush())
  await clock.advance(30_000)
  t.match(await silent, { code: 'TIMEOUT', retryable: true })
  broker.answers.SETTLE = () => ({})
  await consumer.flush()
  t.equal(broker.peer.of('SETTLE').filter(({ correlation }) => correlation !== undefined).length, 3)
})

t.test('ledger - a message of a queue that is deleted does not come again, whatever was made of it', async (t) => {
  const { broker, consumer, held, reconnect } = await holding(2)
  held[0].ack()
  broker.peer.send({ type: 'CANCELLED', channel: 1, json: { consumer: 1, reason: 'queue-deleted' } })
  t.match(await consumer.closed, { reason: 'queue-deleted' })
  held[1].ack()
  await reconnect()
  await consumer.flush()
  await consumer.close()
})

// ─── close ────────────────────────────────────────────────────────────────

t.test('ledger - close ends everything, then it is rejected with what was not kept', async (t) => {
  const { broker, connection, consumer, held, lose, clock } = await holding(2)
  broker.answers.SETTLE = silence
  held[0].ack()
  held[1].ack()
  const close = failure(consumer.close())
  await broker.peer.got('SETTLE')
  await lose()
  t.match(await close, notKept(2))
  t.same(await consumer.closed, { reason: 'closed' })
  t.equal(await failure(consumer.close()), await close, 'closing is done once')
  await clock.advance(200)
  await broker.connections(2)
  await connection.checkQueue('work')
  t.equal(broker.peer.of('CONSUME').length, 0)
  await connection.close()
  t.equal(clock.timerCount, 0)
})

t.test('ledger - close says what was lost with the connection, while there is no other', async (t) => {
  const { broker, consumer, held, lose } = await holding(1)
  held[0].ack()
  await broker.peer.got('SETTLE')
  await lose()
  t.match(await failure(consumer.close()), notKept(1))
  t.same(await consumer.closed, { reason: 'closed' })
})

t.test(
  'ledger - close is not about what was lost with a connection before the one that is up, but about what is lost with this one',
  async (t) => {
    const first = await holding(1)
    first.held[0].ack()
    await first.reconnect()
    await first.consumer.close()
    t.same(await first.consumer.closed, { reason: 'closed' })

    const second = await holding(1)
    second.held[0].ack()
    await second.reconnect()
    const [again] = await second.deliver(1)
    again.ack()
    second.broker.answers.SETTLE = silence
    const close = failure(second.consumer.close())
    await second.broker.peer.got('SETTLE')
    await second.lose()
    t.match(await close, notKept(1))
  },
)

t.test('ledger - close of a consumer whose connection has ended for good says it too', async (t) => {
  const { broker, consumer, held } = await holding(2, {}, { recovery: false })
  held[0].ack()
  await broker.peer.got('SETTLE')
  broker.peer.reset()
  t.match(await consumer.closed, { reason: 'closed', error: { code: 'CONNECTION_LOST' } })
  held[1].ack()
  t.match(await failure(consumer.close()), notKept(2))
})

t.test('ledger - what is given back at the deadline and settled behind it was not kept either', async (t) => {
  const { consumer, held, clock } = await holding(1)
  const close = consumer.close({ timeoutMs: 1_000 })
  await clock.advance(1_000)
  await close
  held[0].ack()
  t.match(await failure(consumer.flush()), { code: 'CLOSED', message: /^1 settlement .* again, redelivered/ })
  await consumer.flush()
})

t.test('ledger - whoever closes more than the consumer is not held up by it: it is in the log', async (t) => {
  const controller = new AbortController()
  const ways: Record<string, (all: Awaited<ReturnType<typeof holding>>) => Promise<unknown>> = {
    connection: ({ connection }) => connection.close(),
    signal: ({ consumer }: { consumer: Consumer }) => {
      controller.abort()
      return consumer.closed
    },
  }
  for (const [way, end] of Object.entries(ways)) {
    const all = await holding(1, way === 'signal' ? { signal: controller.signal } : {})
    all.held[0].ack()
    await all.broker.peer.got('SETTLE')
    await all.lose()
    await end(all)
    t.match(
      await all.log.find(({ event }) => event === 'consumer-close-failed'),
      {
        level: 'warn',
        queue: 'work',
        code: 'CONNECTION_LOST',
        message: /^1 settlement/,
      },
      way,
    )
  }
})

t.test('ledger - a loop that is left closes its consumer, and what was not kept is in the log', async (t) => {
  const { broker, connection, log, statuses } = await connected()
  const messages = connection.messages('work')
  const first = messages.next()
  await broker.peer.got('CONSUME')
  await settle()
  broker.peer.deliver(1, ['a'])
  const { value } = await first
  value?.ack()
  await broker.peer.got('SETTLE')
  broker.peer.reset()
  await statuses.find(({ state }) => state === 'reconnecting')
  await messages.return?.()
  t.match(await log.find(({ event }) => event === 'consumer-close-failed'), { level: 'warn', queue: 'work', message: /^1 settlement/ })
})
