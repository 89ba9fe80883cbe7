/** What a reader holds that has stopped reading is not lost with it. [P-7.3, P-10] */
import t from 'tap'
import { Stage } from '../stage/stage.js'

t.test('limit outboxStallMs - what a stalled reader held is delivered to another, marked', async (t) => {
  const stage = new Stage({ limits: { outboxStallMs: 1_000 } })
  const publisher = stage.connect().open()
  const slow = stage.connect().open()
  publisher.request('DECLARE_QUEUE', 1, { queue: 'work' })
  slow.request('CONSUME', 1, { consumer: 1, queue: 'work' })
  slow.transport.capacity = 0
  publisher.publish(1, 'work', ['a', 'b'])
  publisher.heard()
  stage.pass(990)
  t.notOk(slow.transport.isClosed)
  stage.pass(20)
  t.ok(slow.transport.isClosed)
  t.match(stage.logged('connection-failed'), [{ error: 'outboxStalled' }])
  const other = stage.connect().open()
  other.say({ type: 'CONSUME', channel: 1, correlation: 5, json: { consumer: 1, queue: 'work' } })
  t.match(other.heard(), [{ type: 'RESULT' }, { type: 'DELIVER', flags: ['REDELIVERED', 'COUNTS'] }])
})
