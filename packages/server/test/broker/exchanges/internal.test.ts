/** An internal exchange takes messages from other exchanges alone; whoever publishes to it is refused, and its channel goes on. */
import { ErrorCode } from '@waybill/protocol'
import t from 'tap'
import { Stage } from '../../stage/stage.js'

t.test('exchange - an internal one refuses publishers and takes what other exchanges send on', async (t) => {
  const peer = new Stage().connect().open()
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'inner', type: 'fanout', internal: true })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'outer', type: 'fanout' })
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('BIND_QUEUE', 1, { queue: 'q', exchange: 'inner', key: '' })
  peer.request('BIND_EXCHANGE', 1, { target: 'inner', source: 'outer', key: '' })
  t.match(peer.request('CHECK_EXCHANGE', 1, { exchange: 'inner' }), { internal: true })

  peer.publish(1, { exchange: 'inner', routingKey: 'k' }, ['refused'])
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 1, runs: [], exceptions: [{ sequence: 1, code: ErrorCode.forbidden.code }] })
  peer.publish(1, { exchange: 'outer', routingKey: 'k' }, ['taken'])
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 2, runs: [{ firstSequence: 2, queueCount: 1 }], exceptions: [] })
  t.match(peer.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 1 })
})

t.test('exchange - as an alternate it takes what the other has no binding for', async (t) => {
  const peer = new Stage().connect().open()
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'lost', type: 'fanout', internal: true })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'orders', type: 'topic', alternate: 'lost' })
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('BIND_QUEUE', 1, { queue: 'q', exchange: 'lost', key: '' })
  peer.publish(1, { exchange: 'orders', routingKey: 'nobody' }, ['lost'])
  t.match(peer.heardOne(), { type: 'CONFIRM', runs: [{ firstSequence: 1, queueCount: 1 }] })
})
