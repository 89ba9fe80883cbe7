import t from 'tap'
import { bytesOf, type Peer } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

const MiB = 1 << 20
const KiB = 1 << 10

/** A consumer on a connection that takes nothing from now on, and a queue with more than it could take. */
function slowReader(stage: Stage, bodySize: number, count: number): { reader: Peer; publisher: Peer } {
  const publisher = stage.connect().open()
  const reader = stage.connect().open()
  publisher.request('DECLARE_QUEUE', 1, { queue: 'q' })
  const batch = Math.min(count, Math.floor(50_000 / bodySize))
  for (let sent = 0; sent < count; sent += batch) publisher.publish(1, 'q', new Array(batch).fill('x'.repeat(bodySize)), [])
  reader.transport.capacity = 0
  reader.say({
    type: 'CONSUME',
    channel: 1,
    correlation: 9,
    json: { consumer: 1, queue: 'q', prefetch: 4_000_000_000, prefetchSize: 4_000_000_000 },
  })
  return { reader, publisher }
}

t.test(
  'limit outboxSizeMax - from 8 MiB that wait on, the consumers of a connection are held, and its messages stay for others',
  async (t) => {
    const stage = new Stage()
    const { reader, publisher } = slowReader(stage, 1_000, 20_000)
    const { pendingSize } = reader.transport
    t.ok(pendingSize >= 8 * MiB, `${pendingSize} bytes wait`)
    t.ok(pendingSize < 8 * MiB + 300 * KiB, 'and not much more')
    const { unsettledCount, messageCount } = publisher.request('CHECK_QUEUE', 1, { queue: 'q' }) as {
      unsettledCount: number
      messageCount: number
    }
    t.ok(messageCount > 5_000)
    t.equal(messageCount + unsettledCount, 20_000)

    const other = stage.connect().open()
    other.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 4_000_000_000, prefetchSize: 4_000_000_000 })
    t.match(publisher.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 0 })
    stage.turn.invariants()
  },
)

t.test('congestion - consumers are released when half of it has gone', async (t) => {
  const stage = new Stage()
  const { reader, publisher } = slowReader(stage, 1_000, 20_000)
  const ready = () => publisher.request('CHECK_QUEUE', 1, { queue: 'q' }).messageCount as number
  const before = ready()
  reader.transport.take(4 * MiB - 100 * KiB)
  stage.clock.settle()
  t.equal(ready(), before)
  reader.transport.take(500 * KiB)
  stage.clock.settle()
  t.ok(ready() < before)
  reader.transport.take(Number.POSITIVE_INFINITY)
  stage.clock.settle()
  t.equal(ready(), 0)
  const bodies = reader.delivered()
  t.equal(bodies.length, 20_000)
  stage.turn.invariants()
})

t.test('congestion - a settlement, a request and a heartbeat of a slow reader are taken all the time', async (t) => {
  const stage = new Stage()
  const { reader, publisher } = slowReader(stage, 1_000, 20_000)
  reader.settle(1, 1, 1_000)
  reader.say({ type: 'DECLARE_QUEUE', channel: 1, correlation: 10, json: { queue: 'another' } })
  t.notOk(reader.transport.isPaused)
  t.match(publisher.request('CHECK_QUEUE', 1, { queue: 'another' }), { queue: 'another' })
  stage.turn.invariants()
})

t.test('congestion - a window of gigabytes and a queue of as many small messages do not fill the memory in one turn', async (t) => {
  const stage = new Stage()
  const { reader } = slowReader(stage, 16, 200_000)
  t.ok(reader.transport.pendingSize < 8 * MiB + 300 * KiB)
  t.ok(stage.turn.broker.slabs.usedSize < 32 * MiB)
})

t.test('limit outboxStallMs - who takes nothing for 60,000 ms is given up, who takes a byte is not', async (t) => {
  const stage = new Stage({ limits: { heartbeatMs: 0 } })
  const { reader, publisher } = slowReader(stage, 1_000, 20_000)
  for (let i = 0; i < 5; i++) {
    stage.pass(59_000)
    reader.transport.take(1)
  }
  t.notOk(reader.isOver)
  stage.pass(61_000)
  t.notOk(reader.isOver, 'that was the end of a time with a byte in it')
  stage.pass(60_000)
  t.ok(reader.transport.isClosed)
  t.match(stage.logged('connection-failed'), [{ error: 'outboxStalled' }])
  t.match(publisher.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 20_000, unsettledCount: 0 }, 'nothing is lost')
  stage.turn.invariants()
})

t.test('congestion - who asks thousands of things in one breath is answered in order, some in a turn, and others in between', async (t) => {
  const stage = new Stage()
  const greedy = stage.connect().open()
  const modest = stage.connect().open()
  const ask = (count: number) =>
    bytesOf(Array.from({ length: count }, (_, i) => ({ type: 'CHECK_QUEUE', channel: 1, correlation: 10 + i, json: { queue: 'q' } })))
  greedy.send(ask(1_000))
  greedy.heard()
  greedy.drop(ask(5_000))
  t.ok(greedy.transport.isPaused, 'it is not read any further')
  modest.drop(ask(1))
  stage.clock.turn()
  t.equal(modest.heard().length, 1)
  const first = greedy.heard().length
  t.ok(first > 0 && first < 400, `${first} answers`)
  stage.clock.settle()
  t.same(
    greedy.heard().map(({ correlation }) => correlation),
    Array.from({ length: 5_000 - first }, (_, i) => 10 + first + i),
  )
  t.notOk(greedy.transport.isPaused)
})

t.test('congestion - an end behind many requests comes when they have been answered', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const requests = bytesOf(
    Array.from({ length: 3_000 }, (_, i) => ({ type: 'CHECK_QUEUE', channel: 1, correlation: 10 + i, json: { queue: 'q' } })),
  )
  peer.send(requests)
  peer.heard()
  peer.drop(requests)
  peer.transport.handler!.ended()
  t.notOk(peer.isOver)
  stage.clock.settle()
  t.equal(peer.heard().length, 3_000)
  t.ok(peer.isOver)
})

t.test('congestion - a peer that is not read for a while is not taken for dead', async (t) => {
  const stage = new Stage({ limits: { outboxStallMs: 300_000 } })
  const peer = stage.connect().open()
  peer.transport.capacity = 0
  const requests = new Array(1_000).fill({ type: 'CHECK_QUEUE', channel: 1, correlation: 7, json: { queue: 'x'.repeat(255) } })
  while (!peer.transport.isPaused) peer.say(...requests)
  stage.pass(100_000)
  t.notOk(peer.isOver)
  peer.transport.take(Number.POSITIVE_INFINITY)
  stage.clock.settle()
  stage.pass(39_000)
  t.notOk(peer.isOver)
  stage.pass(2_000)
  t.ok(peer.isOver)
})

t.test('congestion - who asks and does not read the answers is not read any further, until it does', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.transport.capacity = 0
  const request = { type: 'CHECK_QUEUE', channel: 1, correlation: 7, json: { queue: 'x'.repeat(255) } }
  const requests = new Array(1_000).fill(request)
  let rounds = 0
  while (!peer.transport.isPaused && rounds++ < 200) peer.say(...requests)
  t.ok(peer.transport.isPaused)
  t.ok(peer.transport.pendingSize >= 16 * MiB)
  t.ok(peer.transport.pendingSize < 17 * MiB)
  peer.transport.take(7 * MiB)
  t.ok(peer.transport.isPaused)
  peer.transport.take(Number.POSITIVE_INFINITY)
  stage.clock.settle()
  t.notOk(peer.transport.isPaused)
  t.equal(peer.heard().length, rounds * 1_000, 'every request is answered')
})

t.test('congestion - lists wait for who does not read them: one in a turn, none while it is behind', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const { broker } = stage.turn
  const host = broker.virtualHosts.get('default')!
  const options = { durable: false, exclusive: false, autoDelete: false, expiresMs: undefined }
  for (let i = 0; i < 5_000; i++) broker.makeQueue(host, `${i}`.padStart(255, 'q'), options, 0)
  peer.transport.capacity = 0
  const lists = Array.from({ length: 100 }, (_, i) => ({ type: 'LIST', correlation: 100 + i, json: { kind: 'queues', limit: 1_000 } }))
  peer.say(...lists)
  t.ok(peer.transport.pendingSize < 9 * MiB, `${peer.transport.pendingSize} bytes wait`)
  for (let i = 0; i < 100; i++) {
    peer.transport.take(2 * MiB)
    stage.clock.settle()
  }
  t.same(
    peer.heard().map(({ correlation }) => correlation),
    lists.map(({ correlation }) => correlation),
  )
})

t.test('congestion - a range that is under way survives settle, purge, cancel, and the end of its channel', async (t) => {
  const ends: [string, (reader: Peer, publisher: Peer) => void][] = [
    ['settle', (reader) => reader.settle(1, 1, 20)],
    ['purge', (_reader, publisher) => publisher.request('PURGE_QUEUE', 1, { queue: 'q' })],
    ['cancel', (reader) => reader.say({ type: 'CANCEL', channel: 1, correlation: 50, json: { consumer: 1 } })],
    ['delete', (_reader, publisher) => publisher.request('DELETE_QUEUE', 1, { queue: 'q' })],
    ['close', (reader) => reader.say({ type: 'CLOSE', channel: 1, correlation: 50, json: {} })],
  ]
  for (const ack of ['manual', 'none']) {
    for (const [name, end] of ends) {
      const stage = new Stage()
      const publisher = stage.connect().open()
      const reader = stage.connect().open()
      publisher.request('DECLARE_QUEUE', 1, { queue: 'q' })
      reader.transport.capacity = 10_000
      const bodies = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i).repeat(i % 2 === 0 ? 20_000 : 200))
      for (const body of bodies) publisher.publish(1, 'q', [body], [])
      reader.say({ type: 'CONSUME', channel: 1, correlation: 9, json: { consumer: 1, queue: 'q', ack } })
      if (ack === 'manual' || name !== 'settle') end(reader, publisher)
      else reader.settle(1, 1, 20)
      // Others write where the records lay.
      publisher.request('DECLARE_QUEUE', 1, { queue: 'other' })
      for (let i = 0; i < 60; i++) publisher.publish(1, 'other', ['!'.repeat(40_000)], [])
      reader.transport.take(Number.POSITIVE_INFINITY)
      t.same(reader.delivered(), bodies, `${ack} ${name}`)
      stage.turn.invariants()
    }
  }
})

t.test('congestion - a slow reader that says goodbye gets what it was sent, and the answer', async (t) => {
  const stage = new Stage()
  const { reader } = slowReader(stage, 1_000, 3_000)
  reader.say({ type: 'CLOSE', correlation: 99, json: {} })
  for (let i = 0; i < 8; i++) {
    stage.pass(3_000)
    reader.transport.take(500_000)
  }
  t.notOk(reader.transport.isClosed)
  const frames = reader.heard()
  t.match(frames.at(-1), { type: 'RESULT', correlation: 99 })
  stage.pass(6_000)
  t.ok(reader.transport.isClosed)
})

t.test('congestion - a peer that has been told to go and takes nothing is cut off', async (t) => {
  const stage = new Stage()
  const { reader } = slowReader(stage, 1_000, 3_000)
  reader.say({ type: 'CLOSE', correlation: 99, json: {} })
  stage.pass(5_010)
  t.ok(reader.transport.isClosed)
  t.equal(stage.turn.timers.size, 1, 'only the heartbeat of the other one')
})
