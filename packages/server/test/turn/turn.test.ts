import { preface } from '@waybill/protocol'
import t from 'tap'
import { bytesOf } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

t.test('turn - what came in many reads leaves in one write for each connection', async (t) => {
  const stage = new Stage()
  const reader = stage.connect().open()
  const writers = Array.from({ length: 10 }, () => stage.connect().open())
  reader.request('DECLARE_QUEUE', 1, { queue: 'q' })
  reader.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  reader.heard()
  const before = reader.transport.writeCount
  for (const writer of writers)
    writer.drop(bytesOf([{ type: 'PUBLISH', channel: 1, firstSequence: 1, records: [{ routingKey: 'q', text: 'x' }] }]))
  t.equal(reader.transport.writeCount, before)
  stage.clock.turn()
  t.equal(reader.transport.writeCount, before + 1)
  t.equal(reader.delivered().length, 10)
})

t.test('turn - retries come back when their time has come, with one timer armed', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.publish(1, 'q', ['a'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  peer.settle(1, 1, 1, 'retry', 3_000)
  stage.pass(2_990)
  t.same(peer.heard(), [])
  stage.pass(20)
  t.match(peer.heardOne(), { type: 'DELIVER', firstTag: 2, flags: ['REDELIVERED', 'COUNTS'], deliveryCount: 2, failureCount: 1 })
})

t.test('turn - a log that throws does not stop it', async (t) => {
  const stage = new Stage()
  const peer = stage.connect()
  peer.send(preface)
  t.equal(stage.log.length, 0)
  peer.say({ type: 'OPEN', channel: 1, correlation: 1, json: {} })
  t.match(stage.log, [{ level: 'warn', event: 'connection-failed', error: 'frameUnexpected' }])
})
