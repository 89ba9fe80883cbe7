import t from 'tap'
import { PlayedBroker } from './played-broker.js'

t.test('publish - waits until its messages are confirmed, and counts sequences on', async (t) => {
  const broker = new PlayedBroker().type(
    'publish orders order.eu.created {"id":1} mandatory header.attempt=1 messageId=m1 persistent=false',
  )
  t.same(broker.seen(), [
    '→ PUBLISH ch 1 confirm mandatory sequence 1',
    '    orders › order.eu.created  transient contentType=application/json messageId=m1 header.attempt=1  8 B  {"id":1}',
  ])
  t.equal(broker.isWaitingFor, 'the confirm')
  broker.confirm(1)
  t.equal(broker.isWaitingFor, undefined)

  broker.type('send emails "two words" count=3 level=received atomic contentType=text/html')
  t.match(broker.seen(), [
    '→ PUBLISH ch 1 confirm mandatory atomic level=received sequence 2-4',
    '    "" › emails  persistent contentType=text/html  9 B  two words',
  ])
  broker.confirm(3)
  t.equal(broker.isWaitingFor, 'the confirm', 'the last one is not decided yet')
  broker.confirm(4)
  t.equal(broker.isWaitingFor, undefined)
})

t.test('publish - without confirm nobody waits, and a body may be bytes or nothing', async (t) => {
  const broker = new PlayedBroker().type('publish orders k confirm=false hex=00ff')
  t.equal(broker.isWaitingFor, undefined)
  t.same(broker.seen(), ['→ PUBLISH ch 1 sequence 1', '    orders › k  persistent  2 B  00ff'])
  broker.type('publish orders k confirm=false')
  t.same(broker.seen(), ['→ PUBLISH ch 1 sequence 2', '    orders › k  persistent  0 B'])
})

t.test('publish - a refusal in the confirm is the failure of the command, others are not its affair', async (t) => {
  const broker = new PlayedBroker().type('publish orders nobody x count=2 mandatory')
  const refused = [
    { sequence: 1, code: 312, detail: 'no queue takes it' },
    { sequence: 2, code: 312, detail: 'no queue takes it' },
  ]
  t.throws(() => broker.confirm(2, { refused }), {
    reason: 'unroutable',
    code: 312,
    message: 'message 1 was refused: no queue takes it; and 1 more of these messages were refused',
  })
  broker.type('publish orders k x confirm=false').type('publish orders k x')
  broker.confirm(4, { refused: [{ sequence: 3, code: 506, detail: '' }] })
  t.equal(broker.isWaitingFor, undefined)
})

t.test('publish - goes as far as the credit, and on when there is more', async (t) => {
  const broker = new PlayedBroker(2, 65_536).type('send emails x count=5')
  t.equal(broker.seen()[0], '→ PUBLISH ch 1 confirm mandatory sequence 1-2')
  t.equal(broker.isWaitingFor, 'credit')
  broker.credit(3, 65_536)
  t.equal(broker.seen()[0], '→ PUBLISH ch 1 confirm mandatory sequence 3')
  broker.confirm(3, { creditSequence: 10 })
  t.equal(broker.seen()[0], '→ PUBLISH ch 1 confirm mandatory sequence 4-5')
  broker.confirm(5)
  t.equal(broker.isWaitingFor, undefined)
})

t.test('publish - says how many bytes of credit a large message needs', async (t) => {
  const broker = new PlayedBroker(256, 100).type(`send emails ${'y'.repeat(200)}`)
  t.same(broker.seen(), ['→ WINDOW ch 1 257 B of credit are needed'])
  t.equal(broker.isWaitingFor, 'credit')
  broker.credit(256, 357)
  t.equal(broker.seen()[0], '→ PUBLISH ch 1 confirm mandatory sequence 1')
})

t.test('publish - an atomic frame waits for credit for all of it', async (t) => {
  const broker = new PlayedBroker(2, 65_536).type('send emails x count=3 atomic')
  t.same(broker.seen(), [])
  broker.credit(3, 65_536)
  t.equal(broker.seen()[0], '→ PUBLISH ch 1 confirm mandatory atomic sequence 1-3')
})

t.test('publish - what cannot be said, or is too large for this broker, is not sent', async (t) => {
  const broker = new PlayedBroker()
  t.throws(() => broker.type('send emails x priority=3'), { name: 'WireError', code: 'propertyUnsupported' })
  t.throws(() => broker.type(`publish orders ${'k'.repeat(256)} x`), { name: 'WireError', code: 'nameTooLong' })
  broker.talk.server = { limits: { messageSizeMax: 100 } } as never
  t.throws(() => broker.type(`send emails ${'y'.repeat(100)}`), { reason: 'messageTooLarge', code: 413 })
  t.same(broker.seen(), [])
})

t.test('publish - a channel that is closed by an error fails the command, and is open no more', async (t) => {
  const broker = new PlayedBroker().type('send emails x')
  const error = { code: 421, name: 'sequenceUnexpected', scope: 'channel', message: 'sequence 1 again' }
  t.throws(() => broker.error(error, { correlated: false }), { reason: 'sequenceUnexpected', code: 421 })
  t.throws(() => broker.type('send emails x'), { reason: 'channelClosed', message: 'channel 1 is not open; open it with: channel 1' })
  broker.type('channel 1').result({ creditSequence: 1, creditSize: 1_000 })
  broker.seen()
  broker.type('send emails x')
  t.equal(broker.seen()[0], '→ PUBLISH ch 1 confirm mandatory sequence 1', 'a new channel counts from 1')
})

t.test('consume - gives consumers their numbers, and passes on what was asked for', async (t) => {
  const broker = new PlayedBroker().type('consume emails prefetch=1 prefetchSize=1000 ack=manual exclusive priority=-3')
  t.same(broker.seen(), [
    '→ CONSUME ch 1 #2 {"consumer":1,"queue":"emails","prefetch":1,"prefetchSize":1000,"ack":"manual","exclusive":true,"priority":-3}',
  ])
  broker.result({}).type('consume errors')
  t.same(broker.seen(), ['→ CONSUME ch 1 #3 {"consumer":2,"queue":"errors"}'])
  t.throws(() => broker.error({ code: 404, name: 'notFound', message: 'no queue' }), { code: 404 })
  t.same([...broker.talk.current().consumers.keys()], [1])
  broker.type('cancel 1').result({ unsettledCount: 0 })
  t.equal(broker.talk.current().consumers.size, 0)
})

t.test('consume - with ack=none the window is given back when half of it is used', async (t) => {
  const broker = new PlayedBroker().type('consume emails ack=none prefetch=4')
  // Deliveries may lie in the same bytes as the answer, before the command has gone on.
  broker.result({}).deliver(1, 1)
  broker.seen()
  broker.deliver(2, 1)
  t.same(broker.seen(), ['→ SETTLE ch 1 ack 1-2'])
  broker.deliver(3, 1, { consumer: 7 }).deliver(4, 1).deliver(5, 1, { consumer: 7 })
  t.same(broker.seen(), [], "what was delivered to others is not this consumer's")
  broker.deliver(6, 1)
  t.same(broker.seen(), ['→ SETTLE ch 1 2 entries', '    ack 4', '    ack 6'])
})

t.test('consume - with ack=none large messages use the window up too', async (t) => {
  const broker = new PlayedBroker().type('consume emails ack=none prefetchSize=1000').result({})
  broker.seen()
  broker.deliver(1, 1, { body: 'y'.repeat(500) })
  t.same(broker.seen(), ['→ SETTLE ch 1 ack 1'])
})

t.test('consume - manual deliveries are left to whoever typed it', async (t) => {
  const broker = new PlayedBroker().type('consume emails prefetch=1').result({})
  broker.seen()
  broker.deliver(1, 1)
  t.same(broker.seen(), [])
})

t.test('watch - a queue of our own is bound to the pattern and consumed', async (t) => {
  const broker = new PlayedBroker().type('watch orders order.#')
  t.same(broker.seen(), ['→ DECLARE_QUEUE ch 1 #2 {"exclusive":true,"autoDelete":true}'])
  broker.result({ queue: 'wb.x1' })
  t.same(broker.seen(), ['→ BIND_QUEUE ch 1 #3 {"queue":"wb.x1","exchange":"orders","key":"order.#"}'])
  broker.result({ created: true, bindingCount: 1 })
  t.same(broker.seen(), ['→ CONSUME ch 1 #4 {"consumer":1,"queue":"wb.x1","ack":"none"}'])
  broker.result({})
  t.same(broker.seen(), ['watching orders for order.#; to stop: cancel 1'])
  broker.type('watch orders').result({ queue: 'wb.x2' })
  t.match(broker.seen()[1], '"key":"#"')
})

t.test('window - is absolute, and 0 is our own credit', async (t) => {
  const broker = new PlayedBroker().type('window 1 10 65536').type('window 1 0').type('window 0 0 1000')
  t.same(broker.seen(), [
    '→ WINDOW ch 1 consumer 1 may hold 10 messages and 65536 B',
    '→ WINDOW ch 1 consumer 1 may hold 0 messages and 8388608 B',
    '→ WINDOW ch 1 1000 B of credit are needed',
  ])
})

t.test('window - a narrower one is given back sooner', async (t) => {
  const broker = new PlayedBroker().type('consume emails ack=none').result({}).type('window 1 2')
  broker.seen()
  broker.deliver(1, 1)
  t.same(broker.seen(), ['→ SETTLE ch 1 ack 1'])
})

t.test('get - says when there is nothing, and what it takes is not waited for again', async (t) => {
  const broker = new PlayedBroker().type('get emails ack=none waitMs=100')
  t.same(broker.seen(), ['→ GET ch 1 #2 {"consumer":1,"queue":"emails","ack":"none","waitMs":100}'])
  broker.result({ found: false })
  t.same(broker.seen(), ['nothing is ready in emails'])

  broker.type('get emails').deliver(1, 1).result({ found: true })
  broker.type('wait 1 message')
  t.equal(broker.isWaitingFor, 'a message')
  broker.deliver(2, 1)
  t.equal(broker.isWaitingFor, undefined)
})

t.test('settling - in every outcome, by tag, by range, and all of it', async (t) => {
  const broker = new PlayedBroker()
  t.throws(() => broker.type('ack all'), { message: 'nothing has been delivered on this channel yet' })
  broker.deliver(1, 9)
  const settlements: [line: string, sent: string][] = [
    ['ack 3', 'ack 3'],
    ['ack 1-7', 'ack 1-7'],
    ['ack all', 'ack 1-9'],
    ['requeue 2', 'requeue 2'],
    ['retry 2', 'retry 2'],
    ['retry 2 "no net" delayMs=500', 'retry 2 after 500 ms "no net"'],
    ['reject 3 "not an address"', 'reject 3 "not an address"'],
  ]
  let correlation = 2
  for (const [line, sent] of settlements) {
    broker.type(line)
    t.same(broker.seen(), [`→ SETTLE ch 1 #${correlation++} ${sent}`])
    t.equal(broker.isWaitingFor, 'an answer')
    broker.result({})
  }
  broker.type('ack 99')
  t.throws(() => broker.error({ code: 410, name: 'tagUnknown', message: 'tag 99' }), { reason: 'tagUnknown', code: 410 })
})
