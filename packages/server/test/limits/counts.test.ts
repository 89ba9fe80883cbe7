/** How many of each thing there may be: the last one that is allowed, the refusal of the next, and the place that is free again. [P-9] */
import t from 'tap'
import { Stage } from '../stage/stage.js'

/** The answer to one more than a limit allows. */
function refusal(limit: string): object {
  return { name: 'limitExceeded', scope: 'request', retryable: true, details: { limit } }
}

t.test('limit channelCountMax - all of 1,024 channels open, the next does not', async (t) => {
  const peer = new Stage().connect()
  peer.hello()
  for (let channel = 1; channel <= 1_024; channel++) t.has(peer.request('OPEN', channel, {}), { creditSequence: 256 }) || t.bailout()
  t.match(peer.request('OPEN', 1_025, {}), refusal('channelCountMax'))
})

t.test('limit queueConsumerCountMax - of a queue, over all connections', async (t) => {
  const stage = new Stage({ limits: { queueConsumerCount: 2 } })
  const peer = stage.connect().open()
  const other = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('DECLARE_QUEUE', 1, { queue: 'another' })
  t.same(peer.request('CONSUME', 1, { consumer: 1, queue: 'q' }), {})
  t.same(other.request('CONSUME', 1, { consumer: 1, queue: 'q' }), {})
  t.match(other.request('CONSUME', 1, { consumer: 2, queue: 'q' }), refusal('queueConsumerCountMax'))
  t.same(other.request('CONSUME', 1, { consumer: 2, queue: 'another' }), {})
  peer.request('CANCEL', 1, { consumer: 1 })
  t.same(other.request('CONSUME', 1, { consumer: 3, queue: 'q' }), {})
})

t.test('limit exchangeCountMax - of the broker, and declaring one that is there is none more', async (t) => {
  const peer = new Stage({ limits: { exchangeCount: 2 } }).connect().open()
  const declare = (exchange: string) => peer.request('DECLARE_EXCHANGE', 1, { exchange, type: 'topic' })
  t.match(declare('a'), { created: true })
  t.match(declare('b'), { created: true })
  t.match(declare('c'), refusal('exchangeCountMax'))
  t.match(declare('c'), { message: 'the broker has 2, and the limit exchangeCount allows 2; the configuration can raise it' })
  t.match(declare('b'), { created: false })
  peer.request('DELETE_EXCHANGE', 1, { exchange: 'a' })
  t.match(declare('c'), { created: true })
})

t.test('limit queueCountMax - of the broker, with those that it names itself', async (t) => {
  const peer = new Stage({ limits: { queueCount: 2 } }).connect().open()
  t.match(peer.request('DECLARE_QUEUE', 1, { queue: 'a' }), { created: true })
  t.match(peer.request('DECLARE_QUEUE', 1, {}), { created: true })
  t.match(peer.request('DECLARE_QUEUE', 1, { queue: 'b' }), refusal('queueCountMax'))
  t.match(peer.request('DECLARE_QUEUE', 1, {}), refusal('queueCountMax'))
  t.match(peer.request('DECLARE_QUEUE', 1, { queue: 'a' }), { created: false })
  peer.request('DELETE_QUEUE', 1, { queue: 'a' })
  t.match(peer.request('DECLARE_QUEUE', 1, { queue: 'b' }), { created: true })
})

t.test('limit bindingCountMax - of the broker, to queues and exchanges together', async (t) => {
  const peer = new Stage({ limits: { bindingCount: 2 } }).connect().open()
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'source', type: 'direct' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'target', type: 'fanout' })
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  const bind = (key: string) => peer.request('BIND_QUEUE', 1, { queue: 'q', exchange: 'source', key })
  t.match(bind('a'), { bindingCount: 1 })
  t.match(peer.request('BIND_EXCHANGE', 1, { target: 'target', source: 'source', key: 'a' }), { bindingCount: 1 })
  t.match(bind('b'), refusal('bindingCountMax'))
  t.match(bind('a'), { bindingCount: 1 }, 'the same one twice is one')
  t.match(peer.request('UNBIND_QUEUE', 1, { queue: 'q', exchange: 'source', key: 'a' }), { bindingCount: 0 })
  t.match(bind('b'), { bindingCount: 1 })
})
