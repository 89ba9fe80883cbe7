import type { Message } from '@waybill/client'
import t from 'tap'
import { error, FakeBroker, failure, settle, silence } from '../support/fake-broker.js'

async function streaming(options: object = {}, connectOptions: object = {}) {
  const broker = new FakeBroker()
  const connection = await broker.connect(connectOptions)
  const messages = connection.messages('work', options)
  const settled = (): string[] =>
    broker.peer
      .of('SETTLE')
      .flatMap(({ entries }) => entries)
      .map(({ firstTag, count, outcome }) => `${count === 1 ? firstTag : `${firstTag}-${firstTag + count - 1}`} ${outcome}`)
  return { broker, connection, messages, settled }
}

const text = (message: Message): string => message.content.toString()

t.test('stream - messages in order, settled by the program; the consumer is made with the first one', async (t) => {
  const { broker, messages, settled } = await streaming({ prefetch: 10 })
  t.equal(broker.peer.of('CONSUME').length, 0)
  const seen: string[] = []
  const loop = (async () => {
    for await (const message of messages) {
      seen.push(text(message))
      message.ack()
      if (seen.length === 3) break
    }
  })()
  t.match((await broker.peer.got('CONSUME')).json, { queue: 'work', ack: 'manual', prefetch: 10 })
  broker.peer.deliver(1, ['a', 'b'])
  await settle()
  broker.peer.deliver(1, ['c', 'd'])
  await broker.clock.advance(10)
  await loop
  t.same(seen, ['a', 'b', 'c'])
  t.equal(broker.peer.of('CANCEL').length, 1)
  t.same(settled().slice(0, 3), ['1-2 ack', '3 ack', '3-4 requeue'], 'what nobody took goes back; the broker skips what is settled')
})

t.test('stream - leaving the loop requeues what is not settled', async (t) => {
  const { broker, messages, settled } = await streaming()
  const first = messages.next()
  await broker.peer.got('CONSUME')
  broker.peer.deliver(1, ['a', 'b'])
  const { value } = await first
  const end = messages.return?.()
  await broker.clock.advance(1)
  t.same(await end, { done: true, value: undefined })
  t.ok(settled().includes('1-2 requeue'), settled().join(', '))
  value?.ack()
  t.same(await messages.next(), { done: true, value: undefined })
})

t.test('stream - on-success acks when the next one is asked for', async (t) => {
  const { broker, messages, settled } = await streaming({ ack: 'on-success' })
  const first = messages.next()
  await broker.peer.got('CONSUME')
  broker.peer.deliver(1, ['a', 'b'])
  await first
  await settle()
  t.same(settled(), [])
  await messages.next()
  await settle()
  t.same(settled(), ['1 ack'])
})

t.test('stream - none gives the window back message by message, as they are taken', async (t) => {
  const { broker, messages, settled } = await streaming({ ack: 'none', prefetch: 3 })
  const first = messages.next()
  t.match((await broker.peer.got('CONSUME')).json, { ack: 'none', prefetch: 3 })
  broker.peer.deliver(1, ['a', 'b', 'c'])
  await first
  await settle()
  t.same(settled(), ['1 ack'])
})

t.test('stream - ends with the connection', async (t) => {
  const { connection, messages } = await streaming()
  const next = messages.next()
  await settle()
  await connection.close()
  t.same(await next, { done: true, value: undefined })
  t.same(await messages.next(), { done: true, value: undefined })
})

t.test('stream - throws the reason when the connection is gone for good, and then it is over', async (t) => {
  const shutDown = { code: 320, name: 'shuttingDown', scope: 'connection', retryable: true, message: 'good night' }
  for (const [code, recovery, said] of [
    ['CONNECTION_LOST', false, undefined],
    ['SHUTTING_DOWN', false, shutDown],
    ['CONNECT_FAILED', { attempts: 2 }, undefined],
  ] as const) {
    const { broker, messages } = await streaming({}, { recovery })
    const loop = failure(
      (async () => {
        for await (const message of messages) message.ack()
      })(),
    )
    await broker.peer.got('CONSUME')
    broker.peer.deliver(1, ['a'])
    await settle()
    broker.down = true
    if (said !== undefined) broker.peer.send({ type: 'ERROR', json: said })
    await settle()
    broker.peer.reset()
    for (let i = 0; i < 10; i++) await broker.clock.advance(1_000)
    t.match(await loop, { name: 'WaybillError', code })
    t.same(await messages.next(), { done: true, value: undefined })
  }
})

t.test('stream - throws why its channel could not be opened again, though the connection lives', async (t) => {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  const channel = await connection.channel()
  const rejected = failure(channel.messages('work').next())
  await broker.peer.got('CONSUME')
  broker.answers.OPEN = () => error('resourceExhausted', 'too many channels')
  const failed = { code: 506, name: 'resourceExhausted', scope: 'channel', retryable: true, message: 'no memory' }
  broker.peer.send({ type: 'ERROR', channel: 2, json: failed })
  t.match(await rejected, { code: 'RESOURCE_EXHAUSTED' })
  t.equal(connection.status.state, 'connected')
})

t.test('stream - closed by the program while the broker makes it, it ends like any other', async (t) => {
  for (const close of ['connection', 'channel', 'signal'] as const) {
    for (const answers of [true, false]) {
      const broker = new FakeBroker()
      if (!answers) broker.answers.CONSUME = silence
      const connection = await broker.connect()
      const channel = await connection.channel()
      const controller = new AbortController()
      const messages = channel.messages('work', { signal: controller.signal })
      const next = messages.next()
      if (close === 'signal') controller.abort()
      else void { connection, channel }[close].close({ timeoutMs: 100 })
      for (let i = 0; i < 40; i++) await broker.clock.advance(1_000)
      t.same(await next, { done: true, value: undefined }, `${close}, answered: ${answers}`)
    }
  }
})

t.test('stream - asked for after the end, it rejects like every other call', async (t) => {
  const { connection, messages } = await streaming()
  await connection.close()
  t.match(await failure(messages.next()), { code: 'CLOSED' })
})

t.test('stream - throws the reason when the broker ends it', async (t) => {
  const { broker, messages } = await streaming()
  const rejected = failure(messages.next())
  await broker.peer.got('CONSUME')
  broker.peer.send({ type: 'CANCELLED', channel: 1, json: { consumer: 1, reason: 'queue-deleted' } })
  t.match(await rejected, { code: 'QUEUE_DELETED' })
  t.same(await messages.next(), { done: true, value: undefined })

  const refusing = new FakeBroker()
  refusing.answers.CONSUME = () => error('resourceLocked', 'exclusive')
  const other = (await refusing.connect()).messages('work')
  t.match(await failure(other.next()), { code: 'RESOURCE_LOCKED' })
  t.same(await other.return?.(), { done: true, value: undefined })
})

t.test('stream - goes on after a reconnect, without what came before it', async (t) => {
  const { broker, messages, settled } = await streaming()
  const first = messages.next()
  await broker.peer.got('CONSUME')
  broker.peer.deliver(1, ['a', 'stale'])
  t.equal(text((await first).value as Message), 'a')
  broker.peer.reset()
  await broker.clock.advance(1_000)
  await broker.connections(2)
  const next = messages.next()
  await broker.peer.got('CONSUME')
  broker.peer.deliver(1, ['a', 'stale'], { flags: ['REDELIVERED', 'COUNTS'], deliveryCount: 2 })
  const { value } = await next
  t.equal(text(value as Message), 'a')
  t.equal((value as Message).redelivered, true)
  ;(value as Message).ack()
  await settle()
  t.same(settled(), ['1 ack'])
})

t.test('stream - several may ask at once', async (t) => {
  const { broker, messages } = await streaming()
  const three = [messages.next(), messages.next(), messages.next()]
  await broker.peer.got('CONSUME')
  broker.peer.deliver(1, ['a', 'b', 'c'])
  const values = await Promise.all(three)
  t.same(
    values.map(({ value }) => text(value as Message)),
    ['a', 'b', 'c'],
  )
})
