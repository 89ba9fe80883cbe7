import type { WaybillError } from '@waybill/client'
import t from 'tap'
import { FakeBroker, failure, settle, silence } from '../support/fake-broker.js'

/** A broker that has this many messages for GET. */
function stocked(count: number): FakeBroker {
  const broker = new FakeBroker()
  let left = count
  broker.answers.GET = ({ json, channel }, peer) => {
    if (left-- <= 0) return { found: false }
    peer.consumers.set(json.consumer, { channel, json })
    peer.deliver(json.consumer, ['hello'])
    return { found: true }
  }
  return broker
}

t.test('get - one message, to be settled by hand', async (t) => {
  const broker = stocked(1)
  const connection = await broker.connect()
  const message = await connection.get('work')
  t.match((await broker.peer.got('GET')).json, { queue: 'work', ack: 'manual', waitMs: 0 })
  t.equal(String(message?.body), 'hello')
  t.equal(message?.queue, 'work')
  await settle()
  t.equal(broker.peer.of('SETTLE').length, 0)
  message?.ack()
  t.match((await broker.peer.got('SETTLE')).entries, [{ firstTag: 1, outcome: 'ack' }])
  t.equal(await connection.get('work'), undefined)
})

t.test('get - each has a number of its own while it lasts', async (t) => {
  const broker = stocked(3)
  const connection = await broker.connect()
  await Promise.all([connection.get('a'), connection.get('b'), connection.consume('c', () => {}), connection.get('d')])
  const ids = [...broker.peer.of('GET'), ...broker.peer.of('CONSUME')].map(({ json }) => json.consumer)
  t.equal(new Set(ids).size, 4)
})

t.test('get - waits as long as it is told, also over a reconnect', async (t) => {
  const broker = new FakeBroker()
  broker.answers.GET = silence
  const connection = await broker.connect()
  const got = connection.get('work', { waitMs: 5_000 })
  t.equal((await broker.peer.got('GET')).json.waitMs, 5_000)
  await broker.clock.advance(2_000)
  broker.answers.GET = () => ({ found: false })
  broker.peer.reset()
  await broker.clock.advance(1_000)
  await broker.connections(2)
  t.equal(await got, undefined)
  const { waitMs } = (await broker.peer.got('GET')).json
  t.ok(waitMs <= 3_000 && waitMs >= 2_000, `${waitMs} ms were left`)
})

t.test('get - without a connection it is OFFLINE, 30 s after the time it was given, however often one came and went', async (t) => {
  for (const losses of [1, 2]) {
    const broker = new FakeBroker()
    broker.answers.GET = silence
    const connection = await broker.connect()
    const lose = async (): Promise<void> => {
      broker.down = true
      broker.peer.reset()
      await settle()
    }
    if (losses === 1) await lose()
    let error: WaybillError | undefined
    const rejected = failure(connection.get('work', { waitMs: 20_000 })).then((caught) => {
      error = caught
    })
    if (losses === 2) {
      await broker.peer.got('GET')
      await broker.clock.advance(8_000)
      await lose()
    }
    await broker.clock.advance(losses === 1 ? 49_999 : 41_999)
    t.equal(error, undefined)
    await broker.clock.advance(1)
    await rejected
    t.match(error, { code: 'OFFLINE', retryable: true }, `${losses} losses`)
    await connection.close()
  }
})

t.test('get - a signal ends the waiting, and a message that comes nevertheless goes back', async (t) => {
  const broker = new FakeBroker()
  broker.answers.GET = silence
  const connection = await broker.connect()
  const controller = new AbortController()
  const rejected = failure(connection.get('work', { waitMs: 60_000, signal: controller.signal }))
  const frame = await broker.peer.got('GET')
  controller.abort('enough')
  t.match(await rejected, { code: 'ABORTED', cause: 'enough' })
  broker.peer.consumers.set(frame.json.consumer, { channel: 1, json: {} })
  broker.peer.deliver(frame.json.consumer, ['late'])
  broker.peer.answer(frame, { found: true })
  t.match((await broker.peer.got('SETTLE')).entries, [{ firstTag: 1, outcome: 'requeue' }])
  t.match(await failure(connection.get('work', { signal: controller.signal })), { code: 'ABORTED' })
})

t.test('get - what it got is no longer ours when the connection is lost', async (t) => {
  const broker = stocked(1)
  const connection = await broker.connect()
  const message = await connection.get('work')
  const { signal } = message as { signal: AbortSignal }
  broker.peer.reset()
  await settle()
  t.ok(signal.aborted)
  await broker.clock.advance(1_000)
  await broker.connections(2)
  message?.ack()
  await connection.checkQueue('work')
  t.equal(broker.peer.of('SETTLE').length, 0, 'its tag means another message now')
})

t.test('get - mistakes are thrown at once', async (t) => {
  const connection = await new FakeBroker().connect()
  t.throws(() => connection.get('work', { waitMs: -1 }), { code: 'OPTION_INVALID' })
  t.throws(() => connection.get('work', { wait: 1 } as object), { code: 'OPTION_UNKNOWN' })
})
