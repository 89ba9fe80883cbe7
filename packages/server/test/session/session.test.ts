import { FrameType, frameKinds, preface, wireName } from '@waybill/protocol'
import t from 'tap'
import { bytesOf, type Peer } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

/** A frame by its bytes, so that it may be as wrong as one likes. */
function frameOf(type: number, flags: number, channel: number, rest: string): Buffer {
  const body = Buffer.from(rest.replaceAll(' ', ''), 'hex')
  const header = Buffer.alloc(8)
  header.writeUInt32BE(4 + body.length)
  header[4] = type
  header[5] = flags
  header.writeUInt16BE(channel, 6)
  return Buffer.concat([header, body])
}

function json(correlation: number, body: object | string): string {
  const id = Buffer.alloc(4)
  id.writeUInt32BE(correlation)
  return Buffer.concat([id, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))]).toString('hex')
}

function errorOf(peer: Peer): { name: string; scope: string } {
  return peer.heardOne().json as { name: string; scope: string }
}

t.test('session - a frame type of the other direction ends the connection, whatever is in it', async (t) => {
  for (const { name, type, from, correlated, channel } of frameKinds) {
    if (from !== 'server') continue
    const peer = new Stage().connect().open()
    peer.send(frameOf(type, correlated === 'always' ? 1 : 0, channel === 'connection' ? 0 : 1, json(9, {})))
    t.match(errorOf(peer), { name: 'frameUnexpected', scope: 'connection' }, wireName(name))
    t.ok(peer.isOver)
  }
})

t.test(
  'session - every frame type of a client is refused before HELLO, on the wrong channel, and with or without its correlation id',
  async (t) => {
    for (const { name, type, from, channel, correlated } of frameKinds) {
      if (from === 'server') continue
      const on = channel === 'connection' ? 0 : 1
      const flags = correlated === 'always' ? 1 : 0
      const cases: [string, Buffer][] = []
      if (channel !== 'both') cases.push(['on the wrong channel', frameOf(type, flags, 1 - on, json(9, {}))])
      if (correlated === 'always') cases.push(['without its correlation id', frameOf(type, 0, on, '7b7d')])
      if (correlated === 'never') cases.push(['with a correlation id', frameOf(type, 1, on, json(9, {}))])
      for (const [what, bytes] of cases) {
        const peer = new Stage().connect().open()
        peer.send(bytes)
        t.match(errorOf(peer), { name: 'frameUnexpected', scope: 'connection' }, `${wireName(name)} ${what}`)
        t.ok(peer.isOver)
      }
      if (name === 'hello' || name === 'heartbeat') continue
      const early = new Stage().connect()
      early.send(Buffer.concat([preface, frameOf(type, flags, on, json(9, {}))]))
      t.match(errorOf(early), { name: 'frameUnexpected', scope: 'connection' }, `${wireName(name)} before HELLO`)
      t.ok(early.isOver)
    }
  },
)

t.test('session - undefined flags of a known type are malformed, those of an unknown type are not judged', async (t) => {
  const known = new Stage().connect().open()
  known.send(frameOf(FrameType.settle, 0x80, 1, ''))
  t.equal(errorOf(known).name, 'frameMalformed')
  t.ok(known.isOver)

  const peer = new Stage().connect().open()
  for (const type of [0x00, 0x08, 0x17, 0x55, 0xff]) {
    peer.send(frameOf(type, 0xfe, 0, '00'))
    t.match(peer.heardOne(), { type: 'ERROR', channel: 0, correlation: undefined, json: { name: 'unsupported', scope: 'request' } })
    peer.send(frameOf(type, 0xff, 7, '0000002a'))
    t.match(peer.heardOne(), { type: 'ERROR', channel: 7, correlation: 42, json: { name: 'unsupported' } })
  }
  t.notOk(peer.isOver)
})

t.test('session - a body that does not have the layout of its type ends the connection', async (t) => {
  const bodies: [number, string][] = [
    [FrameType.publish, ''],
    [FrameType.publish, '0000000000000001 00000000 00000000'],
    [FrameType.publish, '0000000000000001 00000001 00000000 00'],
    [FrameType.publish, '0000000000000001 ffffffff 00000000 0000000c 01000000 00000000 00000000'],
    [FrameType.publish, '0000000000000001 00000001 00000000 0000000b 01000000 00000000 000000'],
    [FrameType.publish, '0000000000000001 00000001 00000000 ffffffff 01000000 00000000 00000000'],
    [FrameType.settle, ''],
    [FrameType.settle, '0000000000000001 00000001 05 00 0000 ffffffff'],
    [FrameType.settle, '0000000000000001 00000000 01 00 0000 ffffffff'],
    [FrameType.settle, '0000000000000001 00000001 01 00 0001 ffffffff ff'],
    [FrameType.window, '00000001'],
    [FrameType.window, '00000001 00000001 00000001 00'],
  ]
  for (const [type, body] of bodies) {
    const peer = new Stage().connect().open()
    peer.send(frameOf(type, 0, 1, body))
    t.match(errorOf(peer), { name: 'frameMalformed', scope: 'connection' }, `${type} ${body}`)
    t.ok(peer.isOver)
  }
  const peer = new Stage().connect().open()
  peer.send(frameOf(FrameType.heartbeat, 0, 0, '00'))
  t.equal(errorOf(peer).name, 'frameMalformed')
})

t.test('session - a body that is no JSON, or not of its schema, is answered, and the channel goes on', async (t) => {
  const peer = new Stage().connect().open()
  const bodies: [string, string][] = [
    ['ff', 'requestInvalid'],
    ['7b', 'requestInvalid'],
    [Buffer.from('[]').toString('hex'), 'requestInvalid'],
    [Buffer.from('null').toString('hex'), 'requestInvalid'],
    [Buffer.from('{"queue":7}').toString('hex'), 'requestInvalid'],
    [Buffer.from('{"queue":"\\ud800"}').toString('hex'), 'requestInvalid'],
    [Buffer.from('{"queue":"q","priority":3}').toString('hex'), 'optionUnsupported'],
    [Buffer.from(JSON.stringify({ queue: 'x'.repeat(256) })).toString('hex'), 'nameTooLong'],
    [Buffer.from(JSON.stringify({ queue: 'é'.repeat(128) })).toString('hex'), 'nameTooLong'],
    [Buffer.from('{"__proto__":{"durable":true}}').toString('hex'), 'optionUnsupported'],
  ]
  for (const [body, name] of bodies) {
    peer.send(frameOf(FrameType.declareQueue, 1, 1, `00000009${body}`))
    t.match(peer.heardOne(), { type: 'ERROR', channel: 1, correlation: 9, json: { name, scope: 'request' } }, body)
  }
  t.match(peer.request('DECLARE_QUEUE', 1, { queue: 'work' }), { created: true })
})

t.test('limit controlSizeMax - a request of 65,536 bytes is read, one more is not', async (t) => {
  const body = (size: number) => {
    const text = JSON.stringify({ queue: 'work' })
    return Buffer.from(`${text.slice(0, -1)}${' '.repeat(size - text.length)}}`).toString('hex')
  }
  const peer = new Stage().connect().open()
  peer.send(frameOf(FrameType.declareQueue, 1, 1, `00000001${body(65_536)}`))
  t.match(peer.heardOne(), { type: 'RESULT' })
  peer.send(frameOf(FrameType.declareQueue, 1, 1, `00000002${body(65_537)}`))
  t.match(peer.heardOne(), { type: 'ERROR', json: { name: 'requestInvalid', details: { limit: 'controlSizeMax' } } })
  t.notOk(peer.isOver)
})

t.test('session - on a channel that is not open every request is answered, of other frames only the first', async (t) => {
  const peer = new Stage().connect()
  peer.hello()
  const window = { type: 'WINDOW', channel: 3, consumer: 1, messageCount: 1, size: 1 }
  peer.say(window, window, window)
  t.match(peer.heardOne(), { type: 'ERROR', channel: 3, correlation: undefined, json: { name: 'channelUnknown', scope: 'channel' } })
  peer.say(window, { type: 'CHECK_QUEUE', channel: 3, correlation: 5, json: { queue: 'q' } }, window)
  t.match(peer.heardOne(), { type: 'ERROR', channel: 3, correlation: 5, json: { name: 'channelUnknown' } })
  peer.request('OPEN', 3, {})
  peer.say(window)
  t.same(peer.heard(), [], 'a window of a consumer that is not there is dropped')
  peer.request('CLOSE', 3, {})
  peer.say(window)
  t.same(peer.heard().length, 1, 'told once more when it was open meanwhile')
})

t.test('session - a flood on all channels that are not open is answered with 65,535 small errors at most', async (t) => {
  const stage = new Stage()
  const peer = stage.connect()
  peer.hello()
  const frames = Buffer.concat(Array.from({ length: 65_535 }, (_, i) => frameOf(FrameType.window, 0, i + 1, '000000010000000100000001')))
  peer.send(frames)
  t.equal(peer.heard().length, 65_535)
  for (let i = 0; i < 3; i++) peer.send(frames)
  t.same(peer.heard(), [])
})

t.test('limit channelCountMax - the channel of that number opens, the next does not; a lower one does not open twice', async (t) => {
  const peer = new Stage({ limits: { channelCount: 3 } }).connect()
  peer.hello()
  t.match(peer.request('OPEN', 3, {}), { creditSequence: 256, creditSize: 65_536 })
  t.match(peer.request('OPEN', 4, {}), { name: 'limitExceeded', scope: 'request', details: { limit: 'channelCountMax' } })
  t.match(peer.request('OPEN', 3, {}), { name: 'requestInvalid' })
  t.match(peer.request('DECLARE_QUEUE', 3, { queue: 'q' }), { created: true }, 'and that channel goes on')
})

t.test('session - a channel that is opened again begins from the start', async (t) => {
  const peer = new Stage().connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.publish(1, 'q', ['a', 'b'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  peer.request('CLOSE', 1, {})
  t.match(peer.request('OPEN', 1, {}), { creditSequence: 256, creditSize: 65_536 })
  peer.heard()
  peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: 1, records: [{ routingKey: 'q', text: 'c' }] })
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 1, runs: [{ firstSequence: 1 }] })
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  t.same(peer.heard(), [], 'deliveries came with the answer')
  peer.say({ type: 'CHECK_QUEUE', channel: 1, correlation: 77, json: { queue: 'q' } })
  t.match(peer.heardOne(), { json: { unsettledCount: 3, consumerCount: 1 } })
})

t.test(
  'session - a sequence out of turn closes the channel: what follows is dropped without a word until it is opened again',
  async (t) => {
    const peer = new Stage().connect().open()
    peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
    const publish = (firstSequence: number) => ({
      type: 'PUBLISH',
      channel: 1,
      flags: ['CONFIRM'],
      firstSequence,
      records: [{ routingKey: 'q' }],
    })
    peer.say(publish(1), publish(3), publish(4), publish(5))
    t.match(peer.heard(), [
      { type: 'CONFIRM', through: 1, runs: [{ firstSequence: 1, count: 1 }] },
      { type: 'ERROR', channel: 1, json: { name: 'sequenceUnexpected', scope: 'channel' } },
    ])
    t.match(peer.request('CHECK_QUEUE', 1, { queue: 'q' }), { name: 'channelUnknown' })
    peer.request('OPEN', 1, {})
    t.match(peer.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 1 })
  },
)

t.test('session - CLOSE of a channel answers a GET that waits before itself, and tells what was published before it', async (t) => {
  const peer = new Stage().connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'empty' })
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.say({ type: 'GET', channel: 1, correlation: 50, json: { consumer: 1, queue: 'empty', waitMs: 5_000 } })
  peer.say(
    { type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: 1, records: [{ routingKey: 'q' }] },
    { type: 'CLOSE', channel: 1, correlation: 51, json: {} },
  )
  const frames = peer.heard()
  t.match(
    frames.find(({ correlation }) => correlation === 50),
    { type: 'RESULT', json: { found: false } },
  )
  t.ok(frames.some(({ type }) => type === 'CONFIRM'))
  t.match(frames.at(-1), { type: 'RESULT', channel: 1, correlation: 51 })
})

t.test('session - CLOSE of the connection answers everything before it, then ends', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.say(
    { type: 'GET', channel: 1, correlation: 50, json: { consumer: 1, queue: 'q', waitMs: 5_000 } },
    { type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: 1, records: [{ routingKey: 'nobody' }] },
    { type: 'LIST', correlation: 52, json: { kind: 'queues' } },
    { type: 'LIST', correlation: 53, json: { kind: 'queues' } },
    { type: 'CLOSE', correlation: 54, json: {} },
  )
  const frames = peer.heard()
  t.same(
    frames.filter(({ type }) => type === 'RESULT').map(({ correlation }) => correlation),
    [52, 50, 53, 54].sort((a, b) => order(a) - order(b)),
  )
  t.ok(frames.some(({ type }) => type === 'CONFIRM'))
  t.match(frames.at(-1), { type: 'RESULT', correlation: 54 })
  t.ok(peer.transport.hasEnded)
  t.equal(stage.turn.broker.virtualHosts.get('default')!.queue('q')!.consumers.size, 0)

  function order(correlation: number): number {
    return frames.findIndex((frame) => frame.correlation === correlation)
  }
})

t.test('session - deliveries that are gathered go out before the answer to CANCEL, and none after it', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 0 })
  peer.publish(1, 'q', ['a', 'b', 'c'])
  peer.heard()
  // In one piece: the GET makes the queue hand out at once, while the turn has not come yet.
  peer.say(
    { type: 'WINDOW', channel: 1, consumer: 1, messageCount: 1, size: 100 },
    { type: 'GET', channel: 1, correlation: 60, json: { consumer: 2, queue: 'q' } },
    { type: 'CANCEL', channel: 1, correlation: 61, json: { consumer: 1 } },
  )
  const frames = peer.heard()
  const cancelled = frames.findIndex(({ correlation }) => correlation === 61)
  t.equal(frames.filter(({ type, consumer }) => type === 'DELIVER' && consumer === 1).length, 1)
  t.ok(frames.slice(cancelled + 1).every(({ type, consumer }) => type !== 'DELIVER' || consumer !== 1))
  t.match(frames[cancelled], { json: { unsettledCount: 1 } })
})

t.test('session - what an ended consumer holds can be settled, its id is free, and a window of it is dropped', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.publish(1, 'q', ['a', 'b', 'c'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 2 })
  t.match(peer.request('CANCEL', 1, { consumer: 1 }), { unsettledCount: 2 })
  peer.say({ type: 'WINDOW', channel: 1, consumer: 1, messageCount: 9, size: 9 })
  peer.settle(1, 1)
  peer.settle(1, 2, 1, 'requeue')
  t.match(peer.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 2, unsettledCount: 0 })
  peer.say({ type: 'CONSUME', channel: 1, correlation: 70, json: { consumer: 1, queue: 'q' } })
  t.same(
    peer.heard().map(({ type }) => type),
    ['RESULT', 'DELIVER', 'DELIVER'],
  )
  stage.turn.invariants()
})

t.test('session - a queue that is deleted ends its consumers behind their deliveries; what they hold can still be settled', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const other = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.publish(1, 'q', ['a'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  other.request('DELETE_QUEUE', 1, { queue: 'q' })
  t.match(peer.heardOne(), { type: 'CANCELLED', channel: 1, json: { consumer: 1, reason: 'queue-deleted' } })
  peer.settle(1, 1)
  t.same(peer.heard(), [])
  stage.turn.invariants()
})

t.test('session - a consumer id is taken by a consumer or by a GET that waits', async (t) => {
  const peer = new Stage().connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  t.match(peer.request('CONSUME', 1, { consumer: 1, queue: 'q' }), { name: 'requestInvalid' })
  t.match(peer.request('GET', 1, { consumer: 1, queue: 'q' }), { name: 'requestInvalid' })
  peer.say({ type: 'GET', channel: 1, correlation: 90, json: { consumer: 2, queue: 'q', waitMs: 100 } })
  t.match(peer.request('CONSUME', 1, { consumer: 2, queue: 'q' }), { name: 'requestInvalid' })
  t.match(peer.request('CANCEL', 1, { consumer: 2 }), { name: 'notFound' }, 'CANCEL does not end a GET')
})

t.test('limit consumerCountMax - so many consumers and waiting GETs of a channel, and no more', async (t) => {
  const peer = new Stage({ limits: { consumerCount: 2 } }).connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  t.same(peer.request('CONSUME', 1, { consumer: 1, queue: 'q' }), {})
  peer.say({ type: 'GET', channel: 1, correlation: 90, json: { consumer: 2, queue: 'q', waitMs: 100 } })
  t.match(peer.request('CONSUME', 1, { consumer: 3, queue: 'q' }), { name: 'limitExceeded', details: { limit: 'consumerCountMax' } })
  t.match(peer.request('GET', 1, { consumer: 3, queue: 'q' }), { name: 'limitExceeded' })
})

t.test('session - a GET gets its message, in time or not, and its id is free again', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const other = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.say({ type: 'GET', channel: 1, correlation: 20, json: { consumer: 9, queue: 'q', waitMs: 1_000 } })
  stage.pass(900)
  t.same(peer.heard(), [])
  other.publish(1, 'q', ['late'])
  t.match(peer.heard(), [
    { type: 'DELIVER', consumer: 9, firstTag: 1 },
    { type: 'RESULT', correlation: 20, json: { found: true } },
  ])
  peer.say({ type: 'GET', channel: 1, correlation: 21, json: { consumer: 9, queue: 'q', waitMs: 1_000 } })
  stage.pass(1_010)
  t.match(peer.heardOne(), { correlation: 21, json: { found: false } })
  t.match(peer.request('GET', 1, { consumer: 9, queue: 'q' }), { found: false })
  stage.turn.invariants()
})

t.test(
  'session - SETTLE is answered when it asks for it; a range that was not delivered is refused and the others are carried out',
  async (t) => {
    const peer = new Stage().connect().open()
    peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
    peer.publish(1, 'q', ['a', 'b', 'c'])
    peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
    peer.say({ type: 'SETTLE', channel: 1, correlation: 30, entries: [{ firstTag: 1, outcome: 'ack' }] })
    t.match(peer.heardOne(), { type: 'RESULT', correlation: 30, json: {} })
    peer.say({
      type: 'SETTLE',
      channel: 1,
      correlation: 31,
      entries: [
        { firstTag: 3, count: 2, outcome: 'ack' },
        { firstTag: 2, outcome: 'ack' },
        { firstTag: 0, outcome: 'ack' },
      ],
    })
    t.match(peer.heardOne(), { type: 'ERROR', correlation: 31, json: { name: 'tagUnknown', scope: 'request' } })
    t.match(peer.request('CHECK_QUEUE', 1, { queue: 'q' }), { unsettledCount: 1 })
    peer.say({ type: 'SETTLE', channel: 1, entries: [{ firstTag: 9, outcome: 'ack' }] })
    t.match(peer.heardOne(), { type: 'ERROR', channel: 1, correlation: undefined, json: { name: 'tagUnknown' } })
  },
)

t.test('session - when a connection is cut everything that it held goes back, and its exclusive queues with it', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  const other = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  const { queue: own } = peer.request('DECLARE_QUEUE', 1, { exclusive: true })
  peer.publish(1, 'q', ['a', 'b'])
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q' })
  t.match(other.request('CONSUME', 1, { consumer: 1, queue: own }), { name: 'resourceLocked' })
  other.say({ type: 'CONSUME', channel: 1, correlation: 5, json: { consumer: 2, queue: 'q' } })
  peer.cut()
  t.match(other.heard(), [{ type: 'RESULT' }, { type: 'DELIVER', flags: ['REDELIVERED', 'COUNTS'], deliveryCount: 2 }])
  t.match(other.request('CHECK_QUEUE', 1, { queue: own }), { name: 'notFound' })
  t.equal(stage.turn.sessions.size, 1)
  stage.turn.invariants()
})

t.test('session - a peer that ends its half has its last frames carried out', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  peer.drop(bytesOf([{ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: 1, records: [{ routingKey: 'q' }] }]))
  peer.end()
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 1 })
  t.ok(peer.transport.hasEnded)
  t.equal(stage.turn.broker.virtualHosts.get('default')!.queue('q')!.readyCount, 1)
})

t.test('session - behind the last word nothing is read, and a peer that does not go is cut off', async (t) => {
  const stage = new Stage()
  const peer = stage.connect().open()
  peer.say(
    { type: 'HELLO', correlation: 8, json: { client: { product: 'test', version: '1' } } },
    { type: 'DECLARE_QUEUE', channel: 1, correlation: 9, json: { queue: 'late' } },
  )
  peer.say({ type: 'DECLARE_QUEUE', channel: 1, correlation: 10, json: { queue: 'later' } })
  t.match(peer.heardOne(), { json: { name: 'frameUnexpected' } })
  t.equal(stage.turn.broker.queueCount, 0)
  t.notOk(peer.transport.isClosed)
  stage.pass(5_010)
  t.ok(peer.transport.isClosed)
  t.equal(stage.turn.timers.size, 0, 'no timer is left')
})
