import t from 'tap'
import { PlayedBroker } from './played-broker.js'

t.test('channel - is opened once, and commands go to it from then on', async (t) => {
  const broker = new PlayedBroker().type('channel 2')
  t.same(broker.seen(), ['→ OPEN ch 2 #2 {}'])
  broker.result({ creditSequence: 1, creditSize: 100 }, 2).type('purge emails')
  t.same(broker.seen(), ['→ PURGE_QUEUE ch 2 #3 {"queue":"emails"}'])
  broker.result({ messageCount: 0 }).type('channel 1').type('channel 2')
  t.same(broker.seen(), [])
})

t.test('channel - that cannot be opened is not gone to', async (t) => {
  const broker = new PlayedBroker().type('channel 9999')
  t.throws(() => broker.error({ code: 429, name: 'limitExceeded', message: 'too many' }, { channel: 9999 }), { code: 429 })
  t.equal(broker.talk.channel, 1)
  t.notOk(broker.talk.channels.has(9999))
})

t.test('close - ends this channel or another', async (t) => {
  const broker = new PlayedBroker().type('channel 2').result({ creditSequence: 1, creditSize: 100 }, 2).type('close 1')
  t.same(broker.seen().at(-1), '→ CLOSE ch 1 #3 {}')
  broker.result({}, 1).type('close').result({}, 2)
  t.equal(broker.talk.channels.size, 0)
  t.throws(() => broker.type('close'), { message: 'channel 2 is not open; open it with: channel 2' })
})

t.test('raw - sends bytes as they are, and waits for as many frames as it is told', async (t) => {
  const broker = new PlayedBroker().type('raw 00000004 07 00 0000')
  t.same(broker.seen(), ['→ HEARTBEAT'])
  t.equal(broker.isWaitingFor, undefined)
  broker.type('raw 00000004 99 00 0001 answers=1')
  t.same(broker.seen(), ['→ 0x99 ch 1 cannot be read: a type that this version does not know'])
  broker.receive(Buffer.from('0000000407000000', 'hex'))
  t.equal(broker.isWaitingFor, 'an answer', 'a heartbeat is none')
  broker.error({ code: 540, name: 'unsupported', message: 'no such type' }, { correlated: false })
  t.equal(broker.isWaitingFor, undefined)
  t.equal(broker.talk.heartbeatCount, 1)
})

t.test('wait - counts what came before too, but nothing twice', async (t) => {
  const broker = new PlayedBroker().deliver(1, 2).type('wait 3 messages')
  t.equal(broker.isWaitingFor, '3 messages')
  broker.deliver(3, 2)
  t.equal(broker.isWaitingFor, undefined)
  broker.type('wait 2 messages')
  t.equal(broker.isWaitingFor, '2 messages', 'one is left')
  broker.deliver(5, 1)
  t.equal(broker.isWaitingFor, undefined)
  broker.type('wait 20 ms')
  t.equal(broker.pausedMs, 20)
})

t.test('settings and quit are steps for whoever runs the tool', async (t) => {
  const broker = new PlayedBroker().type('hex on').type('json on').type('heartbeats on')
  t.same(broker.settings, { hex: 'on', json: true, heartbeats: true })
  broker.type('hex auto').type('json off').type('heartbeats off')
  t.same(broker.settings, { hex: 'auto', json: false, heartbeats: false })
  t.notOk(broker.quit)
  t.ok(broker.type('quit').quit)
})

t.test('status - says where we are', async (t) => {
  const broker = new PlayedBroker(256, 65_536).type('send emails x').confirm(1).type('consume emails').result({}).deliver(1, 3)
  broker.seen()
  broker.talk.server = { server: { product: 'waybill', version: '1.2.3' }, log: 'abc', connection: 4, heartbeatMs: 20_000 } as never
  broker.type('status')
  t.same(broker.seen(), [
    'waybill 1.2.3, log abc, connection 4; heartbeat every 20000 ms, 0 received',
    'channel  published  size  credit to  and size  last tag  consumers',
    '      1          1    34        256     65536         3  1 emails',
    'commands go to channel 1',
  ])
})

t.test('help - lists every command; explains one, and all that begin with a word', async (t) => {
  const broker = new PlayedBroker().type('help')
  const lines = broker.seen()
  for (const name of ['declare exchange', 'publish', 'watch', 'quit', 'help']) {
    t.ok(
      lines.some((line) => line.startsWith(`  ${name} `)),
      name,
    )
  }
  broker.type('help window')
  t.same(broker.seen(), [
    'window <consumer> <messages> [bytes]',
    '  changes how much a consumer may hold unsettled; 0 messages pause it',
    '  For consumer 0 it says how many bytes of credit the next publish on this channel needs.',
    '    window 1 10',
    '    window 1 0',
    '    window 1 10 65536',
  ])
  broker.type('help declare')
  t.same(
    broker
      .seen()
      .filter((line) => line.startsWith('declare '))
      .map((line) => line.split(' ', 2).join(' ')),
    ['declare exchange', 'declare queue'],
  )
  t.throws(() => broker.type('help dance'), { message: "no command 'dance'; type help for all of them" })
})

t.test('cancelled by the broker - a consumer is known no more', async (t) => {
  const broker = new PlayedBroker().type('consume emails').result({})
  const body = Buffer.from(JSON.stringify({ consumer: 1, reason: 'queue-deleted' }))
  const header = Buffer.from('0000000032000001', 'hex')
  header.writeUInt32BE(4 + body.length)
  broker.receive(Buffer.concat([header, body]))
  t.equal(broker.talk.current().consumers.size, 0)
})
