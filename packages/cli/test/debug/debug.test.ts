/** The whole tool against a real broker on loopback: what is typed, what is printed, and the exit code. */
import t from 'tap'
import { encodeControl, FrameType } from '@waybill/protocol'
import { debug } from '../../dist/debug/debug.js'
import { FakeIo } from '../fake-io.js'
import { conversation, oddServer, startBroker, typed } from './typed.js'

t.test('debug - a conversation reads as one: preface, HELLO, commands, frames, goodbye', async (t) => {
  const broker = await startBroker(t)
  const { code, lines, err } = await typed(broker.address!.port, [
    'declare exchange orders topic',
    'declare queue emails',
    'bind emails orders order.#',
    'publish orders order.eu.created {"id":1} header.attempt=1',
    'get emails',
    'ack 1',
    'get emails',
    'quit',
    'never carried out',
  ])
  t.equal(err, '')
  t.equal(code, 0)
  t.same(lines, [
    '→ preface, 8 B',
    '    0000  57 41 59 42 01 00 00 00                           |WAYB....|',
    '← preface, 8 B',
    '    0000  57 41 59 42 01 00 00 00                           |WAYB....|',
    '→ HELLO #1 {"client":{"product":"waybill-debug","version":"V","platform":"P"}}',
    '← RESULT #1 {"server":{"product":"waybill","version":"V"},"log":"L","connection":1,"heartbeatMs":20000,"keeps":"nothing","limits":{},"blocked":null}',
    '→ OPEN ch 1 #2 {}',
    '← RESULT ch 1 #2 {"creditSequence":256,"creditSize":65536}',
    '> declare exchange orders topic',
    '→ DECLARE_EXCHANGE ch 1 #3 {"exchange":"orders","type":"topic"}',
    '← RESULT ch 1 #3 {"created":true}',
    '> declare queue emails',
    '→ DECLARE_QUEUE ch 1 #4 {"queue":"emails"}',
    '← RESULT ch 1 #4 {"queue":"emails","created":true,"durable":false,"messageCount":0,"consumerCount":0}',
    '> bind emails orders order.#',
    '→ BIND_QUEUE ch 1 #5 {"queue":"emails","exchange":"orders","key":"order.#"}',
    '← RESULT ch 1 #5 {"created":true,"bindingCount":1}',
    '> publish orders order.eu.created {"id":1} header.attempt=1',
    '→ PUBLISH ch 1 confirm sequence 1',
    '    orders › order.eu.created  persistent contentType=application/json header.attempt=1  8 B  {"id":1}',
    '← CONFIRM ch 1 through 1, credit to 256 and 65536 B',
    '    1 is message 1, in 1 queue, received',
    '> get emails',
    '→ GET ch 1 #6 {"consumer":1,"queue":"emails"}',
    '← DELIVER ch 1 consumer 1, tag 1, message 1',
    '    orders › order.eu.created  persistent contentType=application/json header.attempt=1  8 B  {"id":1}',
    '← RESULT ch 1 #6 {"found":true}',
    '> ack 1',
    '→ SETTLE ch 1 #7 ack 1',
    '← RESULT ch 1 #7 {}',
    '> get emails',
    '→ GET ch 1 #8 {"consumer":1,"queue":"emails"}',
    '← RESULT ch 1 #8 {"found":false}',
    'nothing is ready in emails',
    '> quit',
    '→ CLOSE #9 {}',
    '← RESULT #9 {}',
  ])
})

t.test('debug - consumes, settles in every way, and sees what comes back', async (t) => {
  const broker = await startBroker(t)
  const { code, err, lines } = await typed(broker.address!.port, [
    'declare queue emails',
    'consume emails prefetch=1',
    'send emails first',
    'send emails second',
    'wait 1 message',
    'requeue 1',
    'wait 1 message',
    'reject 2 "not an address"',
    'wait 1 message',
    'retry 3 "no net" delayMs=1',
    'wait 1 message',
    'ack 4',
    'list queues',
    'cancel 1',
  ])
  t.equal(err, '')
  t.equal(code, 0)
  t.same(
    lines.filter((line) => line.startsWith('← DELIVER')),
    [
      '← DELIVER ch 1 consumer 1, tag 1, message 1',
      '← DELIVER ch 1 redelivered consumer 1, tag 2, message 1, delivery 2, 0 failures',
      '← DELIVER ch 1 consumer 1, tag 3, message 2',
      '← DELIVER ch 1 redelivered consumer 1, tag 4, message 2, delivery 2, 1 failure',
    ],
  )
  const table = lines.findIndex((line) => line.startsWith('queue '))
  t.match(lines[table], /ackedCount +requeuedCount +retriedCount +rejectedCount/)
  t.match(lines[table + 1], /^emails .* 1 +1 +1 +1$/)
})

t.test('debug - failures have code, name and message; the others are carried out; the exit code is 1', async (t) => {
  const broker = await startBroker(t)
  const { code, err, lines } = await typed(broker.address!.port, [
    '# a comment, and an empty line',
    '',
    'check queue nope',
    'publish "" nobody x mandatory',
    'dance',
    'publish orders',
    'send q x priority=1',
    'wait 1 message timeoutMs=1',
    'declare queue emails',
  ])
  t.equal(code, 1)
  t.match(err.split('\n'), [
    /^line 3: failed: 404 notFound: no queue 'nope'/,
    /^line 4: failed: 312 unroutable: message 1 was refused: /,
    /^line 5, column 1: no command 'dance'; type help for all of them/,
    /^line 6: the key is missing: publish <exchange> <key> \[body\]/,
    /^line 7: failed: 424 propertyUnsupported: property 'priority'/,
    /^line 8: failed: timeout: waited 1 ms for a message/,
    /^$/,
  ])
  t.match(lines.slice(-3), ['← RESULT ch 1 #4 {"queue":"emails","created":true', '→ CLOSE #5 {}', '← RESULT #5 {}'])
})

t.test('debug - two channels are two conversations: closing one gives its messages back', async (t) => {
  const broker = await startBroker(t)
  const { code, err, lines } = await typed(broker.address!.port, [
    'declare queue emails',
    'send emails hello',
    'channel 2',
    'get emails',
    'channel 1',
    'get emails',
    'close 2',
    'get emails',
  ])
  t.equal(err, '')
  t.equal(code, 0)
  t.same(
    conversation(lines).filter((line) => /DELIVER|nothing/.test(line)),
    [
      '← DELIVER ch 2 consumer 1, tag 1, message 1',
      'nothing is ready in emails',
      '← DELIVER ch 1 redelivered consumer 1, tag 1, message 1, delivery 2, 0 failures',
    ],
  )
})

t.test('debug - watch shows what passes, for as long as it passes, and takes nothing away', async (t) => {
  const broker = await startBroker(t)
  const { code, err, lines } = await typed(broker.address!.port, [
    'declare exchange orders topic',
    'declare queue all',
    'bind all orders #',
    'watch orders order.#',
    'publish orders order.eu.created one',
    'publish orders invoice.paid two',
    'publish orders order three count=300',
    'wait 301 messages',
    'list queues prefix=all',
  ])
  t.equal(err, '')
  t.equal(code, 0)
  t.ok(lines.includes('watching orders for order.#; to stop: cancel 1'))
  t.ok(
    lines.some((line) => line.startsWith('→ SETTLE ch 1 ack 1-')),
    'the window is given back',
  )
  t.match(
    lines.find((line) => line.startsWith('all ')),
    /^all +302 /,
  )
})

t.test('debug - publishes far more than the first credit, and sees all of it confirmed', async (t) => {
  const broker = await startBroker(t)
  const { code, err, lines } = await typed(broker.address!.port, [
    'declare queue q',
    'send q x count=20000',
    'send q "" hex=00 count=3 atomic',
    `send q ${'y'.repeat(300_000)}`,
    'status',
    'list queues',
  ])
  t.equal(err, '')
  t.equal(code, 0)
  t.match(
    lines.findLast((line) => /^ +1 +20004 /.test(line)),
    /20004/,
  )
  t.match(
    lines.findLast((line) => line.startsWith('q ')),
    /^q +20004 /,
  )
})

t.test('debug - raw bytes go out as they are; what breaks the connection is exit code 2', async (t) => {
  const broker = await startBroker(t)
  const { port } = broker.address!
  const unknown = await typed(port, ['raw 00000008 99 01 0001 00000063 answers=1', 'declare queue q'])
  t.equal(unknown.code, 0)
  t.match(conversation(unknown.lines).slice(0, 4), [
    '> raw 00000008 99 01 0001 00000063 answers=1',
    '→ 0x99 ch 1 #99 cannot be read: a type that this version does not know',
    '    0000  00 00 00 08 99 01 00 01  00 00 00 63              |...........c|',
    /^← ERROR ch 1 #99 \{"code":540,"name":"unsupported"/,
  ])

  const broken = await typed(port, ['raw ffffffff answers=1', 'declare queue never'])
  t.equal(broken.code, 2)
  t.ok(broken.lines.includes('→ bytes that are no whole frame, 4 B'))
  t.match(
    broken.lines.find((line) => line.startsWith('← ERROR')),
    '"code":502,"name":"frameTooLarge","scope":"connection"',
  )
  t.match(broken.err, 'the connection is gone')
  t.notOk(broken.lines.some((line) => line.includes('DECLARE_QUEUE')))

  const atTheEnd = await typed(port, ['raw ffffffff'])
  t.equal(atTheEnd.code, 2, 'also when nothing follows that would notice')
})

t.test('debug - with --json every frame is one JSON value, failures too', async (t) => {
  const broker = await startBroker(t)
  const { code, out, err } = await typed(
    broker.address!.port,
    ['declare queue q', 'send q {"a":1}', 'list queues', 'check queue nope', 'dance'],
    { args: ['--json'] },
  )
  t.equal(code, 1)
  t.equal(err, '')
  const values = out
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('> '))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(
    values.find(({ frame }) => frame === 'PUBLISH'),
    { direction: 'out', channel: 1, firstSequence: 1, messages: [{ key: 'q', body: '{"a":1}' }] },
  )
  t.match(
    values.find(({ frame }) => frame === 'CONFIRM'),
    { direction: 'in', through: 1, runs: [{ firstSequence: 1, count: 1, queueCount: 1, level: 'received' }] },
  )
  t.match(
    values.filter(({ failed }) => failed !== undefined),
    [
      { failed: 'notFound', code: 404, line: 4 },
      { failed: 'line', line: 5, column: 1 },
    ],
  )
  t.notOk(out.includes('> '), 'no echo between the values')
})

t.test('debug - with --hex all bytes of all frames are shown, long ones too', async (t) => {
  const broker = await startBroker(t)
  const { lines } = await typed(broker.address!.port, ['declare queue q', `send q ${'y'.repeat(400)}`], { args: ['--hex'] })
  t.ok(lines.includes('    0000  00 00 00 0a 13 01 00 01  00 00 00 02 7b 7d        |............{}|'))
  t.ok(lines.some((line) => /^ {4}01c0 {2}/.test(line)))
})

t.test('debug - who is not wanted is told why, and the exit code is 2', async (t) => {
  const port = await oddServer(t, (socket) => {
    socket.once('data', () => {
      const refused = {
        code: 401,
        name: 'authenticationFailed',
        scope: 'connection',
        retryable: false,
        message: 'user or password is wrong',
      }
      socket.write(Buffer.from('5741594201000000', 'hex'))
      socket.end(encodeControl(FrameType.error, 0, 1, refused))
    })
  })
  const { code, err, out } = await typed(port, ['declare queue q'], { args: ['--user', 'ada'], env: { WAYBILL_PASSWORD: 'hunter2' } })
  t.equal(code, 2)
  t.equal(err, '401 authenticationFailed: user or password is wrong\n')
  t.match(out, '"user":"ada","password":"(hidden)"')
  t.notMatch(out, 'hunter2')
  t.notMatch(out, 'DECLARE_QUEUE')
})

t.test('debug - Ctrl-C in a pipe says goodbye, whatever was still to come', async (t) => {
  const broker = await startBroker(t)
  const io = new FakeIo()
  const ended = debug([`127.0.0.1:${broker.address!.port}`], io)
  io.stdin.write('wait 1 message\ndeclare queue never\n')
  await io.printed('> wait 1 message')
  io.signal('SIGINT')
  t.equal(await ended, 1)
  t.match(io.out, /→ CLOSE #3 \{\}\n← RESULT #3 \{\}\n$/)
  t.notMatch(io.out, 'never')
})
