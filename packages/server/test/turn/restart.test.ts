/** What a broker goes on with after it was killed. */
import t from 'tap'
import { DurableStage } from '../stage/durable-stage.js'
import type { Peer } from '../stage/peer.js'

function publish(peer: Peer, texts: readonly string[], persistent = true): void {
  const records = texts.map((text) => ({ routingKey: 'q', persistent, text }))
  peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: peer.nextSequence(1, texts.length), records })
}

async function withQueue(options: object = {}): Promise<{ stage: DurableStage; peer: Peer }> {
  const stage = await DurableStage.open()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q', durable: true, ...options })
  return { stage, peer }
}

t.test('restart - what was not settled comes again in its order, flagged; what was settled or transient does not', async (t) => {
  const { stage, peer } = await withQueue()
  publish(peer, ['a', 'b', 'c', 'd'])
  publish(peer, ['transient'], false)
  publish(peer, ['e'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 3 })
  peer.settle(1, 2)
  stage.settle()
  const next = await stage.next()
  const other = next.connect().open()
  other.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  next.settle()
  const frames = other.heard().filter(({ type }) => type === 'DELIVER')
  for (const { flags } of frames) t.match(flags, ['REDELIVERED'])
  const bodies = frames.flatMap(({ records }) => (records as { body: string }[]).map(({ body }) => Buffer.from(body, 'hex').toString()))
  t.same(bodies, ['a', 'c', 'd', 'e'])
  t.match(other.request('LIST', 0, { kind: 'queues' }), { items: [{ queue: 'q', restoredCount: 4, lostCount: 0, publishedCount: 0 }] })
})

t.test('restart - no message id is given out twice, not even that of a transient message', async (t) => {
  const { stage, peer } = await withQueue()
  const idsOf = (from: Peer) => from.heard().flatMap(({ type, firstMessageId }) => (type === 'DELIVER' ? [firstMessageId as number] : []))
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  peer.heard()
  publish(peer, ['a'])
  publish(peer, ['t'], false)
  stage.settle()
  const before = idsOf(peer)
  const next = await stage.next()
  const other = next.connect()
  t.equal(other.hello().log, 'paper')
  other.request('OPEN', 1, {})
  other.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  next.settle()
  other.heard()
  publish(other, ['new'], false)
  next.settle()
  const [id] = idsOf(other)
  t.equal(before.length, 2)
  t.ok(id! > Math.max(...before))
})

t.test('restart - a queue that nobody uses expires, counted from the restart', async (t) => {
  const { stage } = await withQueue({ expiresMs: 10_000 })
  stage.pass(9_000)
  const next = await stage.next()
  next.pass(9_000)
  t.equal(next.turn.broker.queueCount, 1)
  next.pass(2_000)
  t.equal(next.turn.broker.queueCount, 0)
  const third = await next.next()
  t.equal(third.turn.broker.queueCount, 0, 'and that is kept')
})

t.test('restart - what virtual hosts had that are not configured now is kept for when they are', async (t) => {
  const stage = await DurableStage.open(undefined, { virtualHosts: ['default', 'shop'] })
  const peer = stage.connect()
  peer.open(1, { vhost: 'shop' })
  peer.request('DECLARE_QUEUE', 1, { queue: 'q', durable: true })
  publish(peer, ['a'])
  stage.settle()
  const without = await stage.next()
  t.equal(without.turn.broker.queueCount, 0)
  without.turn.snapshots!.ask(() => undefined)
  without.settle()
  const again = await without.next({ virtualHosts: ['default', 'shop'] })
  const other = again.connect()
  other.open(1, { vhost: 'shop' })
  t.match(other.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 1, durable: true })
})

t.test('restart - twice in a row is once', async (t) => {
  const { stage, peer } = await withQueue()
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'x', type: 'topic', durable: true })
  peer.request('BIND_QUEUE', 1, { queue: 'q', exchange: 'x', key: 'a.#' })
  publish(peer, ['a', 'b', 'c'])
  stage.settle()
  const once = await stage.next()
  const twice = await once.next()
  t.same(twice.turn.broker.durableState(), once.turn.broker.durableState())
  t.match(twice.turn.broker.durableState().hosts, [{ queues: [{ name: 'q', runs: [{ count: 3 }] }], bindings: [{ key: 'a.#' }] }])
})

t.test('restart - what cannot be read is told, and the broker serves what can be', async (t) => {
  const { stage, peer } = await withQueue()
  publish(peer, ['a'])
  stage.settle()
  stage.paper.append([Buffer.from([99, 0, 0, 0, 0, 0, 0, 0])], 'sync')
  const next = await stage.next()
  t.match(next.logged('data-damaged'), [{ level: 'error', where: /block/, message: /kind 99/ }])
  t.match(next.connect().open().request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 1 })
})
