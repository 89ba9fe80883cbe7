import t from 'tap'
import { readFrame } from '../../dist/debug/frame.js'
import { escapeText } from '../../dist/debug/escape.js'
import { frameDump, frameJson, frameLines } from '../../dist/debug/show.js'

/** A frame from hexadecimal digits, with spaces as one likes; the size is put in front. */
function frame(digits: string) {
  const rest = Buffer.from(digits.replaceAll(/\s/g, ''), 'hex')
  const size = Buffer.alloc(4)
  size.writeUInt32BE(rest.length)
  return readFrame(Buffer.concat([size, rest]))
}

function control(type: string, channel: string, correlation: string, body: object | string): ReturnType<typeof frame> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return frame(`${type} ${correlation === '' ? '00' : '01'} ${channel} ${correlation} ${Buffer.from(text).toString('hex')}`)
}

const u64 = (value: number) => value.toString(16).padStart(16, '0')
const u32 = (value: number) => value.toString(16).padStart(8, '0')
const ascii = (text: string) => Buffer.from(text).toString('hex')

/** orders › order.paid, persistent, contentType=application/json, header attempt=2 (i64), body {"id":1} */
const record = `${u32(12 + 6 + 10 + 17 + 17 + 8)} 01 01 06 0a 00000001 0011 0011 ${ascii('orders')} ${ascii('order.paid')}
  10 ${ascii('application/json')} 07 ${ascii('attempt')} 03 ${u64(2)} ${ascii('{"id":1}')}`
/** The default exchange, key q, transient, two bytes that are no text. */
const plain = `${u32(12 + 1 + 2)} 01 00 00 01 00000000 0000 0000 ${ascii('q')} 00ff`

t.test('show - a publish names its flags, sequences, and what each message says of itself', async (t) => {
  t.same(frameLines('out', frame(`01 16 0001 ${u64(7)} ${u32(2)} ${u32(0)} ${record} ${plain}`)), [
    '→ PUBLISH ch 1 confirm mandatory level=received sequence 7-8',
    '    orders › order.paid  persistent contentType=application/json header.attempt=2  8 B  {"id":1}',
    '    "" › q  transient  2 B  00ff',
  ])
})

t.test('show - a delivery names consumer, tags, messages and how often it failed', async (t) => {
  t.same(frameLines('in', frame(`02 06 0002 ${u64(3)} ${u64(40)} ${u32(1)} ${u32(9)} ${u32(2)} ${u32(1)} ${plain}`)), [
    '← DELIVER ch 2 redelivered consumer 9, tag 3, message 40, delivery 2, 1 failure',
    '    "" › q  transient  2 B  00ff',
  ])
  t.same(
    frameLines('in', frame(`02 00 0002 ${u64(3)} ${u64(40)} ${u32(1)} ${u32(9)} ${plain}`))[0],
    '← DELIVER ch 2 consumer 9, tag 3, message 40',
  )
})

t.test('show - a settlement: one entry stands on the line of the frame, several below it', async (t) => {
  const ack = `${u64(1)} ${u32(7)} 01 00 0000 ffffffff`
  const retry = `${u64(8)} ${u32(1)} 03 00 0006 ${u32(500)} ${ascii('no net')}`
  t.same(frameLines('out', frame(`03 00 0001 ${ack}`)), ['→ SETTLE ch 1 ack 1-7'])
  t.same(frameLines('out', frame(`03 01 0001 00000005 ${ack} ${retry}`)), [
    '→ SETTLE ch 1 #5 2 entries',
    '    ack 1-7',
    '    retry 8 after 500 ms "no net"',
  ])
})

t.test('show - a confirm has its runs and its exceptions by name', async (t) => {
  const run = `${u64(1)} ${u64(100)} ${u32(3)} 0002 01 00`
  const one = `${u64(4)} ${u64(103)} ${u32(1)} 0000 03 00`
  const exception = `${u64(5)} 0138 0004 ${u32(0)} ${ascii('none')}`
  const unknown = `${u64(6)} 03e7 0000 ${u32(1)}`
  t.same(
    frameLines('in', frame(`04 00 0001 ${u64(6)} ${u64(256)} ${u64(65_536)} ${u32(2)} ${u32(2)} ${run} ${one} ${exception} ${unknown}`)),
    [
      '← CONFIRM ch 1 through 6, credit to 256 and 65536 B',
      '    1-3 are message 100-102, in 2 queues, received',
      '    4 is message 103, in 0 queues, synced',
      '    5 refused: 312 unroutable: none',
      '    6 refused (in 1 queue): 999 (unknown)',
    ],
  )
})

t.test('show - credit, window and heartbeat', async (t) => {
  t.same(frameLines('in', frame(`05 00 0001 ${u64(512)} ${u64(131_072)}`)), ['← CREDIT ch 1 to sequence 512 and 131072 B'])
  t.same(frameLines('out', frame(`06 00 0001 ${u32(2)} ${u32(1)} ${u32(65_536)}`)), [
    '→ WINDOW ch 1 consumer 2 may hold 1 message and 65536 B',
  ])
  t.same(frameLines('out', frame(`06 00 0001 ${u32(0)} ${u32(0)} ${u32(65_536)}`)), ['→ WINDOW ch 1 65536 B of credit are needed'])
  t.same(frameLines('in', frame('07 00 0000')), ['← HEARTBEAT'])
})

t.test('show - a control message is its JSON, with the correlation id that joins question and answer', async (t) => {
  t.same(frameLines('out', control('28', '0001', '00000003', { queue: 'emails' })), ['→ DECLARE_QUEUE ch 1 #3 {"queue":"emails"}'])
  t.same(frameLines('in', control('15', '0000', '', { state: 'unblocked' })), ['← STATUS {"state":"unblocked"}'])
})

t.test('show - a password is never shown, not in text, not in hex, not in JSON', async (t) => {
  const hello = control('10', '0000', '00000001', { client: { product: 'x', version: '1' }, user: 'ada', password: 'hunter2' })
  const shown = [...frameLines('out', hello), ...frameDump(hello), JSON.stringify(frameJson('out', hello))].join('\n')
  t.match(shown, '"user":"ada","password":"(hidden)"')
  t.match(shown, 'not in hex: it holds a password')
  t.notMatch(shown, 'hunter2')
  t.notMatch(shown, '68 75 6e 74')
})

t.test('show - what cannot be read says why', async (t) => {
  const malformed: [digits: string, why: string][] = [
    ['55 00 0001', '0x55 ch 1 cannot be read: a type that this version does not know'],
    [`05 00 0001 ${u64(1)}`, 'CREDIT ch 1 cannot be read: ends too early: 8 bytes more are needed, 0 are there'],
    [`05 00 0001 ${u64(1)} ${u64(1)} 00`, 'CREDIT ch 1 cannot be read: 1 bytes too many'],
    ['05 00 0001 ffffffffffffffff 0000000000000001', 'CREDIT ch 1 cannot be read: a number above 2^53 - 1'],
    ['07 00 0000 00', 'HEARTBEAT cannot be read: 1 bytes too many'],
    ['07 80 0000', 'HEARTBEAT flags=0x80'],
    ['03 00 0001', 'SETTLE ch 1 cannot be read: no entry'],
    [`03 00 0001 ${u64(1)} ${u32(1)} 09 00 0000 ffffffff`, 'SETTLE ch 1 0x09 1'],
    [`01 00 0001 ${u64(1)} ${u32(2)} ${u32(0)} ${plain}`, 'PUBLISH ch 1 cannot be read: 1 records where 2 are said to be'],
    [
      `01 00 0001 ${u64(1)} ${u32(1)} ${u32(0)} ${u32(999)} 01`,
      'PUBLISH ch 1 cannot be read: record 1: the records do not fill the frame exactly',
    ],
    [`01 00 0001 ${u64(1)} ${u32(1)} ${u32(1)} ${plain}`, 'PUBLISH ch 1 cannot be read: 1 where 0 must be'],
    [
      `04 00 0001 ${u64(6)} ${u64(256)} ${u64(65_536)} ffffffff ${u32(0)}`,
      'CONFIRM ch 1 cannot be read: ends too early: 8 bytes more are needed, 0 are there',
    ],
  ]
  for (const [digits, why] of malformed) t.equal(frameLines('in', frame(digits))[0], `← ${why}`)
  t.equal(frameLines('in', control('11', '0001', '00000001', '{"a":'))[0], '← RESULT ch 1 #1 cannot be read: not JSON')
  t.equal(frameLines('in', control('11', '0001', '00000001', '[1]'))[0], '← RESULT ch 1 #1 cannot be read: not a JSON object')
  t.equal(frameLines('in', frame('11 01 0001 00000001 7b22ff227d'))[0], '← RESULT ch 1 #1 cannot be read: a text that is not UTF-8')
})

t.test('show - a frame of any bytes after its header can be shown', async (t) => {
  let seed = 12_345
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
  for (let i = 0; i < 20_000; i++) {
    const bytes = Buffer.alloc(8 + random(80))
    for (let at = 4; at < bytes.length; at++) bytes[at] = random(3) === 0 ? random(256) : random(4)
    bytes.writeUInt32BE(bytes.length - 4)
    if (random(2) === 0) bytes[4] = 1 + random(7)
    const shown = readFrame(bytes)
    if (!frameLines('in', shown)[0].startsWith(`← ${shown.name}`) || frameJson('in', shown).frame !== shown.name)
      t.fail(bytes.toString('hex'))
  }
  t.pass('20,000 frames, some of them whole, were shown')
})

t.test('show - long bodies and frames of many messages are cut, and say so', async (t) => {
  const body = ascii('y'.repeat(500))
  const long = `${u32(12 + 1 + 500)} 01 00 00 01 00000000 0000 0000 ${ascii('q')} ${body}`
  const [, message] = frameLines('out', frame(`01 00 0001 ${u64(1)} ${u32(1)} ${u32(0)} ${long}`))
  t.equal(message, `    "" › q  transient  500 B  ${'y'.repeat(160)}… (340 more)`)

  const lines = frameLines('out', frame(`01 00 0001 ${u64(1)} ${u32(12)} ${u32(0)} ${plain.repeat(12)}`))
  t.equal(lines.length, 12)
  t.equal(lines.at(-1), '    … 2 more')
})

t.test('show - what somebody publishes cannot control the terminal', async (t) => {
  const evil = '\u001b]0;owned\u0007'
  const key = ascii(evil)
  const sized = `${u32(12 + key.length / 2 + key.length / 2)} 01 00 00 ${(key.length / 2).toString(16).padStart(2, '0')} 00000000 0000 0000 ${key} ${key}`
  const shown = frameLines('in', frame(`01 00 0001 ${u64(1)} ${u32(1)} ${u32(0)} ${sized}`)).join('\n')
  t.notMatch(shown, '\u001b')
  t.match(shown, '\\u001b]0;owned\\u0007')
  t.equal(escapeText('a\tb\nc\u202ed'), 'a\\tb\\nc\\u202ed')
})

t.test('show - JSON for programs has every field; bodies are text where they are text', async (t) => {
  t.same(frameJson('out', frame(`01 12 0001 ${u64(7)} ${u32(2)} ${u32(0)} ${record} ${plain}`)), {
    direction: 'out',
    frame: 'PUBLISH',
    channel: 1,
    flags: ['confirm', 'level=received'],
    firstSequence: 7,
    messages: [
      {
        exchange: 'orders',
        key: 'order.paid',
        persistent: true,
        properties: { contentType: 'application/json' },
        headers: { attempt: 2 },
        body: '{"id":1}',
        size: 74,
      },
      { exchange: '', key: 'q', persistent: false, properties: {}, headers: {}, body: { hex: '00ff' }, size: 19 },
    ],
  })
  t.same(frameJson('in', frame('55 00 0001 aa')), {
    direction: 'in',
    frame: '0x55',
    channel: 1,
    malformed: 'a type that this version does not know',
    hex: '0000000555000001aa',
  })
  t.same(frameJson('in', frame('07 00 0000')), { direction: 'in', frame: 'HEARTBEAT', channel: 0 })
})
