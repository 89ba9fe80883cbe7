/** A reader that is slow costs itself: from so many bytes on its consumers are held, and after so long without a byte it is given up. [P-7.3] */
import t from 'tap'
import type { Peer } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

const outboxSizeMax = 65_536

/** A peer that takes no more bytes, consumes `work`, and a publisher that fills that queue with messages of 1,000 bytes. */
function stageWithSlowReader(count: number) {
  const stage = new Stage({ limits: { outboxSizeMax } })
  const publisher = stage.connect().open()
  const slow = stage.connect().open()
  publisher.request('DECLARE_QUEUE', 1, { queue: 'work' })
  slow.request('CONSUME', 1, { consumer: 1, queue: 'work', ack: 'none', prefetch: 10_000 })
  slow.transport.capacity = 0
  publish(publisher, count)
  return { stage, publisher, slow }
}

function publish(publisher: Peer, count: number): void {
  for (let i = 0; i < count; i++) {
    publisher.publish(1, 'work', ['x'.repeat(979)])
    publisher.heard()
  }
}

function readyCount(peer: Peer): unknown {
  return peer.request('CHECK_QUEUE', 1, { queue: 'work' }).messageCount
}

t.test('limit outboxSizeMax - below it everything is sent, from there on the consumers of that connection are held', async (t) => {
  const { stage, publisher, slow } = stageWithSlowReader(0)
  let sent = 0
  while (slow.transport.pendingSize < outboxSizeMax) {
    t.equal(readyCount(publisher), 0, `${slow.transport.pendingSize} bytes wait, nothing is held`)
    publish(publisher, 1)
    sent++
  }
  const overshoot = slow.transport.pendingSize - outboxSizeMax
  t.ok(overshoot < 1_100, 'at most one message above it')
  publish(publisher, 50)
  t.equal(readyCount(publisher), 50, 'they stay in their queue')
  t.equal(slow.transport.pendingSize, outboxSizeMax + overshoot)

  const quick = stage.connect().open()
  quick.request('CONSUME', 1, { consumer: 1, queue: 'work', ack: 'none', prefetch: 10 })
  t.equal(readyCount(publisher), 40, 'others are served')
  quick.request('CANCEL', 1, { consumer: 1 })

  slow.transport.take(outboxSizeMax / 4)
  stage.clock.settle()
  t.equal(readyCount(publisher), 40, 'not before half of it has been taken')
  slow.transport.take(outboxSizeMax)
  stage.clock.settle()
  t.equal(readyCount(publisher), 0, 'then it goes on')
  slow.transport.take(Infinity)
  stage.clock.settle()
  t.equal(slow.delivered().length, sent + 40, 'and everything arrives')
})

t.test('limit outboxSizeMax - who holds itself up by answers is not read from above twice of it, until it reads', async (t) => {
  const stage = new Stage({ limits: { outboxSizeMax } })
  const peer = stage.connect().open()
  for (let i = 0; i < 200; i++) peer.request('DECLARE_QUEUE', 1, { queue: `${i}-${'n'.repeat(200)}` })
  peer.transport.capacity = 0
  for (let i = 0; i < 20 && !peer.transport.isPaused; i++) {
    t.ok(peer.transport.pendingSize < 2 * outboxSizeMax)
    peer.say({ type: 'LIST', channel: 0, correlation: 1_000 + i, json: { kind: 'queues' } })
  }
  t.ok(peer.transport.isPaused)
  peer.transport.take(Infinity)
  stage.clock.settle()
  t.notOk(peer.transport.isPaused)
})

t.test('limit outboxStallMs - who takes no byte for 60,000 ms is given up, who takes one in time is not', async (t) => {
  const { stage, publisher, slow } = stageWithSlowReader(0)
  const still = stage.connect().open()
  still.request('CONSUME', 1, { consumer: 1, queue: 'work', ack: 'none', prefetch: 10_000 })
  still.transport.capacity = 0
  publish(publisher, 4)
  t.ok(slow.transport.pendingSize > 0 && still.transport.pendingSize > 0)
  const pass = (ms: number) => {
    for (const peer of [publisher, slow, still]) peer.say({ type: 'HEARTBEAT' })
    stage.pass(ms)
  }
  pass(30_000)
  pass(29_990)
  t.notOk(still.transport.isClosed)
  slow.transport.take(1)
  pass(20)
  t.ok(still.transport.isClosed)
  t.notOk(slow.transport.isClosed)
  t.match(stage.logged('connection-failed'), [{ error: 'outboxStalled', connection: 3 }])
  t.match(publisher.request('CHECK_QUEUE', 1, { queue: 'work' }), { consumerCount: 1 })
  pass(30_000)
  pass(30_010)
  t.ok(slow.transport.isClosed, 'nothing more was taken')
})

t.test('outbox - what a stalled reader held is delivered to another, marked', async (t) => {
  const stage = new Stage({ limits: { outboxSizeMax, outboxStallMs: 1_000 } })
  const publisher = stage.connect().open()
  const slow = stage.connect().open()
  publisher.request('DECLARE_QUEUE', 1, { queue: 'work' })
  slow.request('CONSUME', 1, { consumer: 1, queue: 'work' })
  slow.transport.capacity = 0
  publisher.publish(1, 'work', ['a', 'b'])
  publisher.heard()
  stage.pass(1_010)
  t.ok(slow.transport.isClosed)
  const other = stage.connect().open()
  other.say({ type: 'CONSUME', channel: 1, correlation: 5, json: { consumer: 1, queue: 'work' } })
  t.match(other.heard(), [{ type: 'RESULT' }, { type: 'DELIVER', flags: ['REDELIVERED', 'COUNTS'] }])
})
