import { type Message, RejectError, RemoteError, RetryError } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { bodyText, error, FakeBroker, failure, settle, silence } from '../support/fake-broker.js'

async function asking() {
  const broker = new FakeBroker()
  const connection = await broker.connect()
  /** Answers the last request that was published. */
  const reply = async (body: unknown, properties: object = {}): Promise<void> => {
    await settle()
    const { replyTo, correlationId } = broker.peer.records.at(-1)?.properties ?? {}
    t.ok(replyTo)
    const contentType = 'application/json'
    const hex = Buffer.from(JSON.stringify(body)).toString('hex')
    broker.peer.deliver(1, [{ routingKey: replyTo, properties: { contentType, correlationId, ...properties }, body: hex }])
  }
  return { broker, connection, reply }
}

t.test('request - is published mandatory with a reply queue of its own, and resolves to the reply', async (t) => {
  const { broker, connection, reply } = await asking()
  const asked = connection.request<{ cents: number }>('', 'quotes', { sku: 'A1' })
  await reply({ cents: 5 })
  t.same((await asked).body, { cents: 5 })
  const declared = broker.peer.of('DECLARE_QUEUE')[0].json
  t.match(declared, { exclusive: true, durable: false })
  t.match(broker.peer.of('CONSUME')[0].json, { queue: declared.queue, ack: 'none' })
  t.match(broker.peer.of('PUBLISH')[0], {
    flags: ['CONFIRM', 'MANDATORY'],
    records: [{ routingKey: 'quotes', properties: { replyTo: declared.queue } }],
  })

  const again = connection.request('', 'quotes', { sku: 'A2' })
  await reply({ cents: 6 })
  await again
  t.equal(broker.peer.of('DECLARE_QUEUE').length, 1, 'one queue for all')
  t.not(broker.peer.records[0].properties.correlationId, broker.peer.records[1].properties.correlationId)
})

t.test('request - many at once get each their own reply, in any order', async (t) => {
  const { broker, connection } = await asking()
  const asked = ['a', 'b', 'c'].map((body) => connection.request('', 'quotes', body))
  await settle()
  for (const { properties, body } of [...broker.peer.records].reverse()) {
    broker.peer.deliver(1, [{ properties: { contentType: 'text/plain', correlationId: properties.correlationId }, body }])
  }
  broker.peer.deliver(1, [{ properties: { correlationId: 'nobody' } }, {}])
  t.same(
    (await Promise.all(asked)).map(({ body }) => body),
    ['a', 'b', 'c'],
  )
})

t.test('request - asking nobody fails at once', async (t) => {
  const { broker, connection } = await asking()
  broker.confirms = false
  const rejected = failure(connection.request('', 'nobody', {}))
  await broker.peer.got('PUBLISH')
  broker.peer.confirm(1, 1, { exceptions: [{ sequence: 1, code: 312, queueCount: 0, detail: 'no queue takes it' }] })
  t.match(await rejected, { name: 'PublishError', code: 'UNROUTABLE', stored: 'no' })
  t.equal(broker.clock.timerCount, 1, 'only the sweep of the channel is left')
})

t.test('request - no reply in time', async (t) => {
  const { broker, connection } = await asking()
  const usual = failure(connection.request('', 'quotes', {}))
  const short = failure(connection.request('', 'quotes', {}, { timeoutMs: 2_000 }))
  await broker.clock.advance(2_000)
  t.match(await short, { code: 'TIMEOUT', retryable: true })
  await broker.clock.advance(8_000)
  t.match(await usual, { code: 'TIMEOUT' })
})

t.test('request - what the handler threw is a RemoteError', async (t) => {
  const { connection, reply } = await asking()
  const asked = failure(connection.request('', 'quotes', {}))
  await reply({ code: 'NO_SUCH_SKU', message: 'A1 is not sold' }, { type: 'waybill.error' })
  const remote = await asked
  t.ok(remote instanceof RemoteError)
  t.match(remote, { code: 'NO_SUCH_SKU', message: 'A1 is not sold' })
  const odd = failure(connection.request('', 'quotes', {}))
  await reply(null, { type: 'waybill.error' })
  t.match(await odd, { name: 'RemoteError', code: 'REMOTE_ERROR' })
})

t.test('request - a signal ends it', async (t) => {
  const { connection } = await asking()
  const controller = new AbortController()
  const rejected = failure(connection.request('', 'quotes', {}, { signal: controller.signal }))
  await settle()
  controller.abort('enough')
  t.match(await rejected, { code: 'ABORTED', cause: 'enough' })
  t.match(await failure(connection.request('', 'quotes', {}, { signal: controller.signal })), { code: 'ABORTED' })
})

t.test('request - a reply queue that cannot be made is an error of that request, the next one tries again', async (t) => {
  const { broker, connection, reply } = await asking()
  const usual = broker.answers.DECLARE_QUEUE
  broker.answers.DECLARE_QUEUE = () => error('limitExceeded', 'too many queues')
  t.match(await failure(connection.request('', 'quotes', {})), { code: 'LIMIT_EXCEEDED' })
  broker.answers.DECLARE_QUEUE = usual
  const asked = connection.request('', 'quotes', {})
  await reply('fine')
  t.equal((await asked).body, 'fine')
})

t.test('request - a reply may come over the next connection, to the queue of the same name', async (t) => {
  const { broker, connection } = await asking()
  const asked = connection.request('', 'quotes', {})
  await settle()
  const { replyTo, correlationId } = broker.peer.records[0].properties
  broker.peer.reset()
  await broker.clock.advance(1_000)
  t.equal(broker.peer.of('DECLARE_QUEUE')[0].json.queue, replyTo)
  broker.peer.deliver(1, [{ properties: { contentType: 'text/plain', correlationId }, body: '6f6b' }])
  t.equal((await asked).body, 'ok')
})

t.test('request - when replies cannot come any more, who waits is told, and the next request starts anew', async (t) => {
  const { broker, connection, reply } = await asking()
  const rejected = failure(connection.request('', 'quotes', {}))
  await settle()
  broker.peer.send({ type: 'CANCELLED', channel: 1, json: { consumer: 1, reason: 'queue-deleted' } })
  t.match(await rejected, { code: 'CLOSED' })
  const asked = connection.request('', 'quotes', {})
  await settle()
  const { correlationId } = broker.peer.records[1].properties
  broker.peer.deliver(2, [{ properties: { contentType: 'text/plain', correlationId }, body: '6f6b' }])
  t.equal((await asked).body, 'ok')
  t.ok(reply)
})

t.test('request - its own properties are not for the program to set', async (t) => {
  const { connection } = await asking()
  t.throws(() => connection.request('', 'quotes', {}, { replyTo: 'mine' }), { code: 'OPTION_INVALID' })
  t.throws(() => connection.request('', 'quotes', {}, { correlationId: 'mine' }), { code: 'OPTION_INVALID' })
})

async function answering(handler: (message: Message) => unknown, options: object = {}) {
  const broker = new FakeBroker()
  const log = new Collected<{ event: string }>()
  const connection = await broker.connect({ log: log.add })
  const consumer = await connection.respond('quotes', handler, options)
  const ask = async (body: unknown, properties: object = { replyTo: 'replies', correlationId: 'c1' }) => {
    const hex = Buffer.from(JSON.stringify(body)).toString('hex')
    broker.peer.deliver(1, [{ properties: { contentType: 'application/json', ...properties }, body: hex }])
    for (let i = 0; i < 3; i++) await settle()
    return broker.peer.records.at(-1)
  }
  const outcomes = (): string[] => broker.peer.of('SETTLE').flatMap(({ entries }) => entries.map(({ outcome }) => outcome))
  return { broker, connection, consumer, ask, outcomes, log }
}

t.test('respond - what the handler returns is the reply, acked when it is safe', async (t) => {
  const { broker, ask, outcomes } = await answering(async (message) => ({ cents: (message.body as { sku: string }).sku.length }))
  broker.confirms = false
  const reply = await ask({ sku: 'A1' })
  t.match(reply, { exchange: '', routingKey: 'replies', properties: { correlationId: 'c1', contentType: 'application/json' } })
  t.same(JSON.parse(bodyText(reply as never)), { cents: 2 })
  t.same(outcomes(), [])
  broker.peer.confirm(1, 1, { runs: [{ firstSequence: 1, firstMessageId: 1, count: 1, queueCount: 1, level: 'received' }] })
  await settle()
  t.same(outcomes(), ['ack'])
})

t.test('respond - nothing returned is null, a Buffer is a Buffer', async (t) => {
  const { ask } = await answering((message) => (message.body === 'raw' ? Buffer.from('raw') : undefined))
  t.equal(bodyText((await ask('nothing')) as never), 'null')
  const raw = await ask('raw')
  t.equal(bodyText(raw as never), 'raw')
  t.same(raw?.properties, { correlationId: 'c1' })
})

t.test('respond - what the handler throws is told to the requester and to this side', async (t) => {
  const { consumer, ask, outcomes } = await answering((message) => {
    if (message.body === 'reject') throw new RejectError('never')
    throw Object.assign(new Error('not sold'), { code: 'NO_SUCH_SKU' })
  })
  const errors = new Collected<unknown>()
  consumer.on('error', errors.add)
  const reply = await ask('x')
  t.match(reply?.properties, { type: 'waybill.error', correlationId: 'c1' })
  t.same(JSON.parse(bodyText(reply as never)), { code: 'NO_SUCH_SKU', message: 'not sold' })
  t.same(outcomes(), ['ack'], 'it has been answered')
  t.same(JSON.parse(bodyText((await ask('reject')) as never)), { code: 'REMOTE_ERROR', message: 'never' })
  t.same(outcomes(), ['ack', 'reject'])
  t.equal(errors.all.length, 2)
})

t.test('respond - RetryError answers nothing yet', async (t) => {
  const { broker, ask, outcomes } = await answering(() => {
    throw new RetryError('busy')
  })
  await ask('x')
  t.equal(broker.peer.records.length, 0)
  t.same(outcomes(), ['retry'])
})

t.test('respond - a body that parse refuses is an answer too', async (t) => {
  const parse = (body: unknown): number => {
    if (typeof body !== 'number') throw new Error('a number, please')
    return body
  }
  const { ask, outcomes } = await answering((message) => (message.body as number) + 1, { parse })
  t.equal(bodyText((await ask(1)) as never), '2')
  t.match(JSON.parse(bodyText((await ask('one')) as never)), { message: 'a number, please' })
  t.same(outcomes(), ['ack', 'reject'])
})

t.test('respond - who did not ask for a reply gets none', async (t) => {
  const { broker, ask, outcomes } = await answering(() => 'answer')
  await ask('x', {})
  t.equal(broker.peer.records.length, 0)
  t.same(outcomes(), ['ack'])
})

t.test('respond - is a consumer with its options, checked at once', async (t) => {
  const { broker, connection } = await answering(() => 1, { concurrency: 20 })
  t.match(broker.peer.of('CONSUME')[0].json, { queue: 'quotes', prefetch: 40, ack: 'manual' })
  t.throws(() => connection.respond('quotes', undefined as never), { code: 'OPTION_INVALID' })
  t.throws(() => connection.respond('quotes', () => {}, { parallel: 1 } as object), { code: 'OPTION_UNKNOWN' })
  broker.answers.CONSUME = silence
})

t.test('request - mistakes are thrown at once, by the first request as by every other', async (t) => {
  const { connection, reply } = await asking()
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  const cases: readonly [string, RegExp, () => unknown][] = [
    ...[0, -1, Number.NaN, '5'].map((timeoutMs): [string, RegExp, () => unknown] => [
      'OPTION_INVALID',
      /timeoutMs/,
      () => connection.request('', 'q', 1, { timeoutMs } as never),
    ]),
    ['OPTION_INVALID', /mandatory/, () => connection.request('', 'q', 1, { mandatory: 'yes' } as never)],
    ['OPTION_INVALID', /confirm/, () => connection.request('', 'q', 1, { confirm: 'yes' } as never)],
    ['PROPERTY_INVALID', /headers/, () => connection.request('', 'q', 1, { headers: 5 } as never)],
    ['PROPERTY_INVALID', /'a' is undefined/, () => connection.request('', 'q', 1, { headers: { a: undefined } } as never)],
    ['OPTION_INVALID', /replyTo/, () => connection.request('', 'q', 1, { replyTo: 'mine' })],
    ['NAME_INVALID', /256/, () => connection.request('', 'x'.repeat(256), 1)],
    ['NAME_INVALID', /string/, () => connection.request(5 as never, 'q', 1)],
    ['BODY_INVALID', /JSON/, () => connection.request('', 'q', undefined)],
    ['BODY_INVALID', /JSON/, () => connection.request('', 'q', cyclic)],
  ]
  for (const round of ['first', 'later']) {
    for (const [code, message, call] of cases) t.throws(call, { name: 'UsageError', code, message }, `${round}: ${call}`)
    const asked = connection.request('', 'q', 1)
    await reply(2)
    await asked
  }
  t.match(await failure(connection.request('', 'q', 1, { priority: 1 })), { name: 'PublishError', code: 'PROPERTY_UNSUPPORTED' })
})

t.test('request - the body is what it was when it was asked, as with publish', async (t) => {
  const { broker, connection } = await asking()
  const object = { sku: 'A1' }
  const bytes = Buffer.from('A1')
  const contentType = 'application/vnd.shop+json'
  const asked = [object, bytes, 'A1'].map((body) => failure(connection.request('', 'q', body)))
  asked.push(failure(connection.request('', 'q', object, { contentType })))
  object.sku = 'B2'
  bytes.write('B2')
  await settle()
  t.same(broker.peer.records.map(bodyText), ['{"sku":"A1"}', 'A1', 'A1', '{"sku":"A1"}'])
  t.same(
    broker.peer.records.map(({ properties }) => properties.contentType),
    ['application/json', undefined, 'text/plain', contentType],
  )
  await connection.close()
  for (const each of await Promise.all(asked)) t.match(each, { code: 'CLOSED' })
})
