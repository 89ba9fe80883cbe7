/** How many of each thing there may be: the last one that is allowed, the refusal of the next, and the place that is free again. [P-9] */
import { preface } from '@waybill/protocol'
import t from 'tap'
import { Stage } from '../stage/stage.js'

/** The answer to one more than a limit allows. */
function refusal(limit: string): object {
  return { name: 'limitExceeded', scope: 'request', retryable: true, details: { limit } }
}

t.test('limit connectionCountMax - so many connections are open, one more is refused by the answer to HELLO', async (t) => {
  const stage = new Stage({ limits: { connectionCount: 2, unauthenticatedCount: 2, unauthenticatedPerAddressCount: 2 } })
  const first = stage.connect()
  t.match(first.hello(), { connection: 1 })
  t.match(stage.connect().hello(), { connection: 2 })
  const third = stage.connect()
  t.match(third.hello(), { name: 'limitExceeded', scope: 'connection', details: { limit: 'connectionCountMax' } })
  t.ok(third.isOver)
  first.cut()
  t.match(stage.connect().hello(), { keeps: 'nothing' }, 'a place is free again')
})

t.test('limit unauthenticatedCountMax - so many strangers wait; one more takes the place of whoever had time to say HELLO', async (t) => {
  const stage = new Stage({ limits: { unauthenticatedCount: 3, unauthenticatedPerAddressCount: 3 } })
  const strangers = [1, 2, 3].map(() => stage.connect())
  for (const stranger of strangers) stranger.send(preface)
  stage.pass(1_000)
  t.same(
    strangers.map(({ isOver }) => isOver),
    [false, false, false],
  )
  const next = stage.connect()
  t.same(
    strangers.map(({ isOver }) => isOver),
    [true, false, false],
  )
  t.match(strangers[0]!.heardOne(), { type: 'ERROR', json: { name: 'handshakeTimeout' } })
  t.match(next.hello(), { keeps: 'nothing' })
})

t.test('limit unauthenticatedCountMax - while nobody has had time there are twice as many places, and then none', async (t) => {
  const stage = new Stage({ limits: { unauthenticatedCount: 3, unauthenticatedPerAddressCount: 3 } })
  const strangers = Array.from({ length: 6 }, () => stage.connect())
  t.ok(strangers.every(({ isOver }) => !isOver))
  const refused = stage.connect()
  t.match(refused.heardOne(), {
    type: 'ERROR',
    json: { name: 'limitExceeded', scope: 'connection', details: { limit: 'unauthenticatedCountMax' } },
  })
  t.ok(refused.isOver)
  for (const stranger of strangers) t.match(stranger.hello(), { keeps: 'nothing' }, 'those who came at once are all heard')
})

t.test('limit unauthenticatedPerAddressCountMax - one address has so many places, others and this machine are not touched', async (t) => {
  const stage = new Stage({ limits: { unauthenticatedCount: 100, unauthenticatedPerAddressCount: 2 } })
  const strangers = Array.from({ length: 4 }, () => stage.connect('10.0.0.7'))
  t.ok(strangers.every(({ isOver }) => !isOver))
  const refused = stage.connect('10.0.0.7')
  t.match(refused.heardOne(), { type: 'ERROR', json: { name: 'limitExceeded', details: { limit: 'unauthenticatedPerAddressCountMax' } } })
  t.notOk(stage.connect('10.0.0.8').isOver)
  t.ok(Array.from({ length: 10 }, () => stage.connect('127.0.0.1')).every(({ isOver }) => !isOver))

  const patient = new Stage({ limits: { unauthenticatedCount: 100, unauthenticatedPerAddressCount: 2 } })
  const [oldest, younger] = [patient.connect('10.0.0.7'), patient.connect('10.0.0.7')]
  patient.pass(1_000)
  t.notOk(oldest.isOver, 'two are within the limit')
  const third = patient.connect('10.0.0.7')
  t.same([oldest.isOver, younger.isOver, third.isOver], [true, false, false])
})

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
