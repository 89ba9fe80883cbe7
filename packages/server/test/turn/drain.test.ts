import t from 'tap'
import { Stage } from '../stage/stage.js'

function holding(stage: Stage, count: number) {
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.publish(
    1,
    'q',
    Array.from({ length: count }, (_, i) => `${i}`),
  )
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 2 })
  peer.heard()
  return peer
}

function drain(stage: Stage, graceMs: number): () => boolean {
  let isDone = false
  stage.turn.drain(graceMs, () => {
    isDone = true
  })
  stage.clock.settle()
  return () => isDone
}

t.test('drain - clients are told, get nothing more, settle what they hold, and are ended when everything is settled', async (t) => {
  const stage = new Stage()
  const peer = holding(stage, 5)
  const idle = stage.connect().open()
  const isDone = drain(stage, 10_000)
  t.match(peer.heardOne(), { type: 'STATUS', json: { state: 'draining', deadlineMs: 10_000 } })
  t.match(idle.heardOne(), { type: 'STATUS', json: { state: 'draining', deadlineMs: 10_000 } })
  peer.settle(1, 1)
  t.same(peer.heard(), [], 'nothing new comes in its place')
  t.match(peer.request('GET', 1, { consumer: 2, queue: 'q' }), { found: false })
  peer.say({ type: 'CONSUME', channel: 1, correlation: 70, json: { consumer: 3, queue: 'q' } })
  t.match(peer.heardOne(), { type: 'RESULT' }, 'and a new consumer gets nothing either')
  peer.publish(1, 'q', ['result'])
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 6 }, 'a worker may still publish what it has made')
  t.notOk(peer.isOver)
  peer.settle(1, 2)
  t.match(peer.heardOne(), { type: 'ERROR', json: { name: 'shuttingDown', scope: 'connection' } })
  t.ok(peer.isOver)
  t.ok(idle.isOver)
  t.notOk(isDone())
  peer.cut()
  idle.cut()
  t.ok(isDone())
  t.notOk(
    stage.log.some(({ level }) => level === 'warn' || level === 'error'),
    'nothing has gone wrong with anybody',
  )
})

t.test('drain - when the time is up everybody is ended', async (t) => {
  const stage = new Stage()
  const peer = holding(stage, 5)
  const isDone = drain(stage, 10_000)
  stage.pass(9_990)
  t.notOk(peer.isOver)
  stage.pass(20)
  t.match(peer.heard().at(-1), { type: 'ERROR', json: { name: 'shuttingDown' } })
  t.notOk(isDone())
  stage.pass(1_010)
  t.ok(isDone(), 'a peer that does not go is cut off')
  stage.turn.invariants()
})

t.test('drain - asked again it does not wait', async (t) => {
  const stage = new Stage()
  const peer = holding(stage, 5)
  drain(stage, 10_000)
  t.notOk(peer.isOver)
  drain(stage, 10_000)
  t.ok(peer.isOver)
})

t.test('drain - with nobody there it is done at once, and who comes later is turned away', async (t) => {
  const stage = new Stage()
  const isDone = drain(stage, 10_000)
  t.ok(isDone())
  const late = stage.connect()
  t.match(late.heardBytes().subarray(8).toString(), /shuttingDown/)
  t.ok(late.isOver)
})

t.test('drain - who is in the middle of its handshake is turned away', async (t) => {
  const stage = new Stage()
  const peer = stage.connect()
  drain(stage, 10_000)
  t.match(peer.heardBytes().subarray(8).toString(), /shuttingDown/)
})

t.test('drain - a delivery of mode none is not waited for', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.publish(1, 'q', ['a'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q', ack: 'none' })
  t.equal(stage.turn.unsettledCount, 0)
  drain(stage, 10_000)
  t.ok(peer.isOver)
})

t.test('drain - a reader that is held is not released by it', async (t) => {
  const stage = new Stage({ limits: { outboxSizeMax: 64 << 10 } })
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  for (let i = 0; i < 50; i++) peer.publish(1, 'q', ['x'.repeat(5_000)])
  peer.heard()
  peer.transport.capacity = 0
  peer.say({ type: 'CONSUME', channel: 1, correlation: 9, json: { consumer: 1, queue: 'q' } })
  const held = stage.turn.unsettledCount
  drain(stage, 10_000)
  peer.transport.take(Number.POSITIVE_INFINITY)
  stage.clock.settle()
  t.equal(stage.turn.unsettledCount, held)
})
