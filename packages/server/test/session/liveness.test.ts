import t from 'tap'
import { bytesOf } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

t.test('liveness - who has sent nothing for half of heartbeatMs sends HEARTBEAT, and not before', async (t) => {
  const stage = new Stage()
  const peer = stage.connect()
  peer.hello()
  const beats: number[] = []
  for (let ms = 0; ms < 38_000; ms += 100) {
    stage.pass(100)
    if (peer.heardAll().length > 0) beats.push(ms + 100)
  }
  t.same(beats, [10_000, 20_000, 30_000])
})

t.test('liveness - anything that is sent counts as a heartbeat', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  stage.pass(6_000)
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  stage.pass(9_900)
  t.same(peer.heardAll(), [])
  stage.pass(100)
  t.match(peer.heardAll(), [{ type: 'HEARTBEAT' }])
})

t.test('limit heartbeatMs - a peer that says nothing for two intervals is given up, one that says a byte is not', async (t) => {
  const stage = new Stage()
  const silent = stage.connect()
  const talking = stage.connect()
  silent.hello()
  talking.hello()
  const byte = bytesOf([{ type: 'HEARTBEAT' }])
  for (let i = 0; i < byte.length; i++) {
    stage.pass(3_990)
    talking.send(byte.subarray(i, i + 1))
  }
  stage.pass(8_070)
  t.notOk(silent.isOver)
  stage.pass(20)
  t.match(silent.heard(), [{ type: 'ERROR', json: { name: 'heartbeatTimeout' } }])
  t.ok(silent.isOver)
  t.notOk(talking.isOver)
})

t.test('liveness - a client chooses its interval, or none', async (t) => {
  const stage = new Stage()
  const quick = stage.connect()
  const never = stage.connect()
  t.match(quick.hello({ heartbeatMs: 5_000 }), { heartbeatMs: 5_000 })
  t.match(never.hello({ heartbeatMs: 0 }), { heartbeatMs: 0 })
  stage.pass(10_010)
  t.ok(quick.isOver)
  stage.pass(1_000_000)
  t.notOk(never.isOver)
  t.same(never.heardAll(), [])
})

t.test('limit heartbeatMsMin, limit heartbeatMsMax - what is outside of them is refused', async (t) => {
  for (const [heartbeatMs, isGood] of [
    [4_999, false],
    [5_000, true],
    [600_000, true],
    [600_001, false],
  ] as const) {
    const answer = new Stage().connect().hello({ heartbeatMs })
    t.match(answer, isGood ? { heartbeatMs } : { name: 'requestInvalid' })
  }
})

t.test('liveness - nobody is given up for the time that this process stood still', async (t) => {
  const stage = new Stage()
  const peer = stage.connect()
  peer.hello()
  stage.pass(15_000)
  stage.clock.stall(300_000)
  t.notOk(peer.isOver, 'the timers ran before anything was read')
  stage.pass(5_000)
  t.notOk(peer.isOver)
  peer.say({ type: 'HEARTBEAT' })
  stage.pass(39_990)
  t.notOk(peer.isOver)
  stage.pass(20)
  t.ok(peer.isOver)
})

t.test('liveness - the socket is read once more before a peer is given up', async (t) => {
  const stage = new Stage()
  const peer = stage.connect()
  peer.hello()
  stage.pass(40_000)
  t.notOk(peer.isOver)
  peer.say({ type: 'HEARTBEAT' })
  stage.pass(39_000)
  t.notOk(peer.isOver)
})

t.test('limit frameMs - a frame that has begun is whole within 30,000 ms, however its bytes come', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const frame = bytesOf([{ type: 'DECLARE_QUEUE', channel: 1, correlation: 9, json: { queue: 'slow' } }])
  for (const byte of frame) {
    peer.send(Buffer.of(byte))
    stage.pass(Math.floor(29_900 / frame.length))
  }
  t.match(peer.heard(), [{ type: 'RESULT', correlation: 9 }])
  for (const byte of frame) {
    if (!peer.isOver) peer.send(Buffer.of(byte))
    stage.pass(Math.ceil(30_500 / (frame.length - 1)))
  }
  t.match(peer.heard(), [{ type: 'ERROR', json: { name: 'frameTimeout', scope: 'connection' } }])
  t.ok(peer.isOver)
})

t.test('liveness - frames that are split without end cost one timer, and are never late if each is whole in time', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const frame = bytesOf([{ type: 'WINDOW', channel: 1, consumer: 1, messageCount: 1, size: 1 }])
  const before = stage.turn.timers.size
  peer.send(frame.subarray(0, 5))
  for (let i = 0; i < 1_000; i++) {
    stage.pass(100)
    peer.send(Buffer.concat([frame.subarray(5), frame.subarray(0, 5)]))
    t.ok(stage.turn.timers.size <= before + 1) || t.bailout()
  }
  t.notOk(peer.isOver)
})

t.test('liveness - a connection that is closed leaves no timer behind', async (t) => {
  const stage = new Stage()
  for (let i = 0; i < 10; i++) {
    const peer = stage.connect().open()
    peer.send(bytesOf([{ type: 'HEARTBEAT' }]).subarray(0, 5))
    peer.cut()
  }
  t.equal(stage.turn.timers.size, 0)
})
