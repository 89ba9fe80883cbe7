/** A program's mistakes, against a real broker: each is named at once, none is ignored, none ends the process or leaves somebody waiting. */
import { connect, type Message } from '@waybill/client'
import { createBroker } from '@waybill/server'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { cert, key } from './support/certificates.js'
import { Collected } from './support/collect.js'
import { failure } from './support/fake-broker.js'

async function joined(t: Test) {
  const broker = await createBroker({ listen: false, log: 'none' })
  const connection = await connect(broker, { log: () => {} })
  t.teardown(async () => {
    await connection.close({ timeoutMs: 100 })
    await broker.close({ graceMs: 0 })
  })
  await connection.declareQueue('work')
  return { broker, connection }
}

t.test('mistakes - options that do not exist or do not fit are refused by name, nested ones too', async (t) => {
  const { broker, connection } = await joined(t)
  const cases: readonly [string, RegExp, () => unknown][] = [
    ['OPTION_UNKNOWN', /'attempt'/, () => connect(broker, { recovery: { attempt: 3 } } as object)],
    ['OPTION_UNKNOWN', /'rejectUnauthorized'/, () => connect(broker, { tls: { rejectUnauthorized: false } } as object)],
    ['OPTION_INVALID', /connect/, () => connect(broker, null as never)],
    ['OPTION_INVALID', /recovery/, () => connect(broker, { recovery: null } as never)],
    ['OPTION_INVALID', /signal/, () => connect(broker, { signal: 5 } as never)],
    ['OPTION_INVALID', /log/, () => connect(broker, { log: 5 } as never)],
    ['OPTION_UNKNOWN', /'timeout'/, () => connection.close({ timeout: 5 } as object)],
    ['OPTION_INVALID', /timeoutMs/, () => connection.close({ timeoutMs: Number.NaN })],
    ['OPTION_INVALID', /mandatory/, () => connection.publish('', 'work', 1, { mandatory: 'yes' } as never)],
    ['OPTION_INVALID', /persistent/, () => connection.publish('', 'work', 1, { persistent: 'no' } as never)],
    ['OPTION_INVALID', /publish/, () => connection.publish('', 'work', 1, null as never)],
    ['OPTION_INVALID', /signal/, () => connection.publish('', 'work', 1, { signal: 5 } as never)],
    ['OPTION_INVALID', /signal/, () => connection.request('', 'work', 1, { signal: 5 } as never)],
    ['OPTION_INVALID', /request/, () => connection.request('', 'work', 1, null as never)],
    ['PROPERTY_INVALID', /headers/, () => connection.publish('', 'work', 1, { headers: null } as never)],
    ['PROPERTY_INVALID', /headers/, () => connection.bindQueue('work', 'x', '', { headers: 5 } as never)],
    ['OPTION_UNKNOWN', /'mandatory'/, () => connection.publisher('').send('work', 1, { mandatory: true } as object)],
    ['OPTION_INVALID', /properties/, () => connection.publisher('').send('work', 1, null as never)],
    ['OPTION_INVALID', /confirm/, () => connection.publisher('', { confirm: 'received' } as never)],
    ['OPTION_INVALID', /concurrency/, () => connection.consume('work', () => {}, { concurrency: 1.5 })],
    ['OPTION_INVALID', /consumer/, () => connection.consume('work', () => {}, null as never)],
    ['OPTION_INVALID', /signal/, () => connection.get('work', { signal: {} } as never)],
    ['OPTION_UNKNOWN', /'concurrency'/, () => connection.messages('work', { concurrency: 3 } as object)],
    ['OPTION_INVALID', /exclusive/, () => connection.consume('work', () => {}, { exclusive: 'yes' } as never)],
    ['OPTION_INVALID', /prefetch is/, () => connection.consume('work', () => {}, { prefetch: null } as never)],
    ['OPTION_INVALID', /prefetchSize is/, () => connection.consume('work', () => {}, { prefetchSize: null } as never)],
    ['OPTION_INVALID', /waitMs.* 600000/, () => connection.get('work', { waitMs: 1e12 })],
    ['OPTION_INVALID', /window.*whole number/, () => connection.publisher('', { window: '5' } as never)],
    ['OPTION_INVALID', /window.*whole number/, () => connection.publisher('', { window: 1.5 })],
    ['OPTION_INVALID', /sizeMax.*whole number/, () => connection.publisher('', { sizeMax: '1000' } as never)],
    ['OPTION_INVALID', /the option name .*100000 bytes.* 255/, () => connect(broker, { name: 'x'.repeat(100_000) })],
    ['OPTION_INVALID', /the option name .*string/, () => connect(broker, { name: 5 } as never)],
    ['OPTION_INVALID', /the option user .*300 bytes.* 255/, () => connect(broker, { user: 'é'.repeat(150) })],
    ['OPTION_INVALID', /the option vhost .*string/, () => connect(broker, { vhost: null } as never)],
    ['OPTION_INVALID', /the option password .* 1024/, () => connect(broker, { password: 'x'.repeat(1_025) })],
    ['OPTION_INVALID', /the option password .*string/, () => connect(broker, { password: 5 } as never)],
  ]
  for (const [code, message, call] of cases) t.throws(call, { name: 'UsageError', code, message }, String(call))
  await connection.sendToQueue('work', 1)
  const message = (await connection.get('work')) as Message
  t.throws(() => message.retry({ delay: 5 } as object), { code: 'OPTION_UNKNOWN', message: /'delay'/ })
  t.throws(() => message.reject({ reason: 5 } as never), { code: 'OPTION_INVALID', message: /reason/ })
  message.ack()
  t.match(await connection.checkQueue('work'), { messageCount: 0 })
})

t.test('mistakes - listeners that are none, and events that do not exist, whether they come or go', async (t) => {
  const { connection } = await joined(t)
  const emitters = { status: connection, refused: connection.publisher(''), error: await connection.consume('work', () => {}) }
  for (const [event, emitter] of Object.entries(emitters) as [
    string,
    Record<'on' | 'off', (event: string, listener: unknown) => unknown>,
  ][]) {
    for (const method of ['on', 'off'] as const) {
      const noListener = { name: 'UsageError', code: 'OPTION_INVALID', message: new RegExp(`listener of '${event}' is a function`) }
      for (const listener of [undefined, null, 'print']) t.throws(() => emitter[method](event, listener), noListener)
      const noEvent = { name: 'UsageError', code: 'EVENT_UNKNOWN', message: new RegExp(`has no event 'end'; it has '${event}'`) }
      t.throws(() => emitter[method]('end', () => {}), noEvent)
      t.equal(
        emitter[method](event, () => {}),
        emitter,
      )
    }
  }
})

t.test('mistakes - what is printed to find one shows what it is', async (t) => {
  const { connection } = await joined(t)
  const confirmation = await connection.sendToQueue('work', { to: 'ada' }, { headers: { n: 1 } })
  t.equal(inspect(confirmation), `{ id: '${confirmation.id}', level: 'received', queues: 1 }`)
  const message = (await connection.get('work')) as Message
  const shown = inspect(message)
  for (const part of [`id: '${message.id}'`, "queue: 'work'", "body: { to: 'ada' }", 'redelivered: false', 'n: 1']) t.match(shown, part)
  await connection.sendToQueue('work', 'no JSON', { contentType: 'application/json' })
  t.match(inspect(await connection.get('work')), 'body: <Buffer 6e 6f')
})

t.test('mistakes - whatever a handler throws or returns, the message is settled and the process lives', async (t) => {
  const { connection } = await joined(t)
  const handlers: Record<string, () => unknown> = {
    'an object without a prototype': () => {
      throw Object.create(null)
    },
    'an error whose message is none': () => {
      throw Object.assign(new Error(), { message: { toString: null } })
    },
    'a result whose then throws': () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what is tried
      get then() {
        throw new Error('no')
      },
    }),
  }
  for (const [name, handler] of Object.entries(handlers)) {
    const errors = new Collected<unknown>()
    const consumer = await connection.consume('work', handler)
    consumer.on('error', errors.add)
    await connection.sendToQueue('work', name)
    await errors.next()
    await consumer.close()
    t.match(await connection.list('queues'), [{ messageCount: 0, unsettledCount: 0 }], name)
  }
})

t.test('mistakes - a reply that cannot be sent is an error reply, and the handler is not asked again', async (t) => {
  const { connection } = await joined(t)
  const results: readonly [string, unknown][] = [
    ['BODY_INVALID', 5n],
    ['BODY_INVALID', () => {}],
    ['MESSAGE_TOO_LARGE', Buffer.alloc(16 * 1024 * 1024)],
  ]
  let result: unknown
  const responder = await connection.respond('work', () => result)
  responder.on('error', () => {})
  for (const [code, each] of results) {
    result = each
    t.match(await failure(connection.request('', 'work', 1)), { name: 'RemoteError', code })
    await responder.flush()
    t.match(await connection.list('queues', { prefix: 'work' }), [{ messageCount: 0, unsettledCount: 0, delayedCount: 0 }])
  }
})

t.test('mistakes - a stream that acks on success, and a consumer without a bound of handlers, need no prefetch', async (t) => {
  const { connection } = await joined(t)
  await connection.sendToQueue('work', 'a')
  for await (const message of connection.messages('work', { ack: 'on-success' })) {
    t.equal(message.body, 'a')
    break
  }
  const bodies = new Collected<unknown>()
  await connection.consume('work', (message) => bodies.add(message.body), { concurrency: Infinity })
  t.equal(await bodies.next(), 'a')
})

t.test('mistakes - asking a stream that has been left makes no consumer', async (t) => {
  const { connection } = await joined(t)
  const messages = connection.messages('work')
  await messages.return?.()
  t.same(await messages.next(), { done: true, value: undefined })
  t.match(await connection.checkQueue('work'), { consumerCount: 0 })
})

t.test('mistakes - what comes after the end is rejected, not thrown', async (t) => {
  const { connection } = await joined(t)
  await connection.close()
  t.match(await failure(connection.request('', 'work', 1)), { code: 'CLOSED' })
  t.match(await failure(connection.publish('', 'work', 1)), { code: 'CLOSED', stored: 'no' })
})

t.test('mistakes - a broker that wants TLS, spoken to without', async (t) => {
  const broker = await createBroker({ listen: { host: 'localhost', port: 0 }, tls: { cert, key }, log: 'none' })
  t.teardown(() => broker.close({ graceMs: 0 }))
  const { port } = broker.address as AddressInfo
  const error = await failure(connect(`waybill://localhost:${port}`, { log: () => {}, connectTimeoutMs: 200 }))
  t.match(error, { code: 'CONNECT_FAILED', message: /waybills:\/\// })
})
