import { preface } from '@waybill/protocol'
import t from 'tap'
import { type Access, type Authenticator, fullAccess } from '../../dist/session/access.js'
import { bytesOf } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

const hello = { type: 'HELLO', correlation: 1, json: { client: { product: 'test', version: '1' } } }

t.test('opening - HELLO is answered behind the preface, and says what holds', async (t) => {
  const peer = new Stage().connect()
  peer.send(Buffer.concat([preface, bytesOf([hello])]))
  const bytes = peer.heardBytes()
  t.same(bytes.subarray(0, 8), Buffer.from(preface))
  peer.transport.arrived.push(bytes)
  const { json } = peer.heardOne()
  t.match(json, {
    server: { product: 'waybill', version: '0.1.0' },
    connection: 1,
    heartbeatMs: 20_000,
    keeps: 'nothing',
    limits: { frameSizeMax: 16_842_752, messageSizeMax: 16_777_216, channelCountMax: 1024, consumerCountMax: 1024, nameSizeMax: 255 },
    blocked: null,
  })
})

t.test('opening - the same however the bytes are cut', async (t) => {
  const whole = Buffer.concat([preface, bytesOf([hello, { type: 'OPEN', channel: 1, correlation: 2, json: {} }])])
  for (const size of [1, 2, 3, 7, 8, 9, 20]) {
    const peer = new Stage().connect()
    for (let at = 0; at < whole.length; at += size) peer.send(whole.subarray(at, at + size))
    const frames = peer.heard()
    t.same(
      frames.map(({ type, correlation }) => [type, correlation]),
      [
        ['RESULT', 1],
        ['RESULT', 2],
      ],
      `pieces of ${size}`,
    )
  }
})

t.test('opening - whoever is not WAYB gets one line that names it, and the end', async (t) => {
  const lines: [string | Buffer, RegExp][] = [
    ['GET / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 .*HTTP/],
    ['AMQP\0\0\x09\x01', /AMQP/],
    ['hi\r\n', /waybill debug/],
    [Buffer.from('16030100c8010000c403', 'hex'), /TLS/],
    [Buffer.from('0102030405060708', 'hex'), /not those of its protocol/],
  ]
  for (const [bytes, line] of lines) {
    const stage = new Stage()
    const peer = stage.connect()
    for (const byte of Buffer.from(bytes)) peer.send(Buffer.of(byte))
    const text = peer.heardBytes().toString()
    t.match(text, line)
    t.ok(text.endsWith('\r\n'))
    t.equal(text.split('\r\n').length, 2, 'one line')
    t.ok(peer.isOver)
    t.equal(stage.logged('foreign-protocol').length, 1)
  }
})

t.test('opening - a half preface is answered when the peer ends, or when the time is up', async (t) => {
  const ending = new Stage().connect()
  ending.send(Buffer.from('WAY'))
  t.equal(ending.heardBytes().length, 0)
  ending.end()
  t.match(ending.heardBytes().toString(), /Waybill port/)
  t.ok(ending.isOver)

  const stage = new Stage()
  const waiting = stage.connect()
  stage.pass(4_990)
  t.notOk(waiting.isOver)
  stage.pass(20)
  t.match(waiting.heardBytes().toString(), /nothing was said for too long/)
  t.ok(waiting.isOver)
})

t.test('opening - another major is refused by the preface alone', async (t) => {
  for (const hex of ['5741594202000000', '5741594201000001']) {
    const peer = new Stage().connect()
    peer.send(Buffer.from(hex, 'hex'))
    t.same(peer.heardBytes().toString('hex'), '5741594201000001')
    t.ok(peer.isOver)
  }
})

t.test('opening - before HELLO nothing but HEARTBEAT is read', async (t) => {
  for (const frame of [
    { type: 'OPEN', channel: 1, correlation: 1, json: {} },
    { type: '0x55', channel: 0, body: '' },
    { type: 'PUBLISH', channel: 1, firstSequence: 1, records: [{}] },
  ]) {
    const peer = new Stage().connect()
    peer.send(preface)
    peer.say({ type: 'HEARTBEAT' })
    t.same(peer.heard(), [])
    peer.say(frame)
    t.match(peer.heardOne(), { type: 'ERROR', channel: 0, json: { name: 'frameUnexpected', scope: 'connection' } })
    t.ok(peer.isOver)
  }
})

t.test('opening - a HELLO that is wrong is answered by one error of the connection', async (t) => {
  const wrongs: [object, string][] = [
    [{ client: { product: 'test', version: '1' }, heartbeatMs: 3 }, 'requestInvalid'],
    [{ client: { product: 'test', version: '1' }, colour: 'red' }, 'optionUnsupported'],
    [{ client: { product: 'test', version: '1' }, vhost: 'x'.repeat(256) }, 'nameTooLong'],
    [{ client: { product: 'test', version: '1' }, vhost: 'elsewhere' }, 'authenticationFailed'],
  ]
  for (const [json, name] of wrongs) {
    const peer = new Stage().connect()
    peer.send(preface)
    peer.say({ type: 'HELLO', correlation: 9, json })
    t.match(peer.heardOne(), { type: 'ERROR', channel: 0, correlation: 9, json: { name, scope: 'connection' } })
    t.ok(peer.isOver)
  }
})

t.test('opening - HELLO twice is unexpected', async (t) => {
  const peer = new Stage().connect().open()
  peer.say({ ...hello, correlation: 77 })
  t.match(peer.heardOne(), { type: 'ERROR', json: { name: 'frameUnexpected' } })
  t.ok(peer.isOver)
})

t.test('limit openingFrameSizeMax - a frame of 16,384 is read, one more is too large', async (t) => {
  const sized = (size: number) => {
    const json = { client: { product: 'test', version: '1' }, password: '' }
    const frame = (password: string) =>
      bytesOf([{ type: 'HELLO', correlation: 1, body: Buffer.from(JSON.stringify({ ...json, password })).toString('hex'), flags: 1 }])
    const empty = frame('')
    return frame('x'.repeat(size - (empty.length - 4)))
  }
  const good = new Stage().connect()
  good.send(Buffer.concat([preface, sized(16_384)]))
  t.match(good.heardOne(), { type: 'ERROR', correlation: 1, json: { name: 'requestInvalid' } }, 'read, and the password is too long')
  const large = new Stage().connect()
  large.send(Buffer.concat([preface, sized(16_385).subarray(0, 4)]))
  t.match(large.heardOne(), { type: 'ERROR', json: { name: 'frameTooLarge' } }, 'judged by its size alone')
})

/** An authenticator that answers when the test says so. */
function slow(): { authenticator: Authenticator; answer: (outcome: Access | string) => void; isWanted: () => boolean } {
  let done: (outcome: Access | string) => void = () => undefined
  let isWanted = () => false
  return {
    authenticator: {
      check: (credentials, then) => {
        done = then
        isWanted = credentials.isWanted
      },
    },
    answer: (outcome) => done(outcome),
    isWanted: () => isWanted(),
  }
}

t.test('opening - frames behind HELLO wait for its answer, and are carried out in order', async (t) => {
  const { authenticator, answer, isWanted } = slow()
  const stage = new Stage({ authenticator })
  const peer = stage.connect()
  peer.send(Buffer.concat([preface, bytesOf([hello])]))
  peer.say(
    { type: 'OPEN', channel: 1, correlation: 2, json: {} },
    { type: 'DECLARE_QUEUE', channel: 1, correlation: 3, json: { queue: 'work' } },
  )
  t.same(peer.heard(), [])
  t.ok(isWanted())
  answer(fullAccess)
  stage.clock.settle()
  t.same(
    peer.heard().map(({ type, correlation }) => [type, correlation]),
    [
      ['RESULT', 1],
      ['RESULT', 2],
      ['RESULT', 3],
    ],
  )
})

t.test('opening - if HELLO is refused what came behind it is not read', async (t) => {
  const { authenticator, answer } = slow()
  const stage = new Stage({ authenticator })
  const peer = stage.connect()
  peer.send(Buffer.concat([preface, bytesOf([hello, { type: 'OPEN', channel: 1, correlation: 2, json: {} }])]))
  answer('user or password is wrong')
  stage.clock.settle()
  t.match(peer.heardOne(), { type: 'ERROR', correlation: 1, json: { name: 'authenticationFailed', scope: 'connection' } })
  t.ok(peer.isOver)
})

t.test('limit openingSizeMax - 65,536 bytes behind HELLO are kept, one more is too much', async (t) => {
  const heartbeatSize = 8
  for (const [size, isGood] of [
    [65_536, true],
    [65_537, false],
  ] as const) {
    const { authenticator, answer } = slow()
    const stage = new Stage({ authenticator })
    const peer = stage.connect()
    peer.send(Buffer.concat([preface, bytesOf([hello])]))
    const rest = size % heartbeatSize
    const odd = { type: '0x55', channel: 0, body: '00'.repeat(rest) }
    const frames = [...new Array(Math.floor(size / heartbeatSize) - 1).fill({ type: 'HEARTBEAT' }), odd]
    peer.say(...frames)
    if (isGood) {
      t.same(peer.heard(), [])
      answer(fullAccess)
      stage.clock.settle()
      t.match(peer.heard(), [{ type: 'RESULT' }, { type: 'ERROR', json: { name: 'unsupported' } }])
    } else {
      t.match(peer.heardOne(), { type: 'ERROR', json: { name: 'frameTooLarge' } })
    }
  }
})

t.test('opening - the answer to a password may come when nobody waits for it any more', async (t) => {
  const { authenticator, answer, isWanted } = slow()
  const stage = new Stage({ authenticator })
  const gone = stage.connect()
  gone.send(Buffer.concat([preface, bytesOf([hello])]))
  gone.cut()
  t.notOk(isWanted())
  answer(fullAccess)
  stage.clock.settle()
  t.equal(stage.turn.sessions.size, 0)

  const late = stage.connect()
  late.send(Buffer.concat([preface, bytesOf([hello])]))
  stage.pass(5_010)
  t.match(late.heardOne(), { type: 'ERROR', json: { name: 'handshakeTimeout' } })
  t.notOk(isWanted())
  answer(fullAccess)
  stage.clock.settle()
  t.same(late.heard(), [])
})

t.test('limit handshakeMs - HELLO within 5,000 ms of the connection is in time, though its bytes come one by one', async (t) => {
  const bytes = Buffer.concat([preface, bytesOf([hello])])
  const trickle = (stepMs: number) => {
    const stage = new Stage()
    const peer = stage.connect()
    for (const byte of bytes) {
      stage.pass(stepMs)
      peer.send(Buffer.of(byte))
    }
    return peer.heard()
  }
  t.match(trickle(4_999 / bytes.length), [{ type: 'RESULT' }])
  t.match(trickle(5_100 / bytes.length), [{ type: 'ERROR', json: { name: 'handshakeTimeout' } }])
})

t.test('opening - while the process stood still nobody could be heard: what has come meanwhile is read first', async (t) => {
  const stage = new Stage()
  const peer = stage.connect()
  stage.clock.stall(60_000)
  t.notOk(peer.isOver)
  t.match(peer.hello(), { keeps: 'nothing' })
})

t.test('opening - there is a hello without password when nobody has one, from this machine only', async (t) => {
  const authenticator: Authenticator = { check: ({ local }, done) => done(local ? fullAccess : 'this machine only') }
  const stage = new Stage({ authenticator })
  t.match(stage.connect('127.0.0.1').hello(), { keeps: 'nothing' })
  t.match(stage.connect('10.0.0.7').hello(), { name: 'authenticationFailed' })
})
