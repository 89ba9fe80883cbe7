import t from 'tap'
import { Flag, frameFault, frameKind, frameKinds, FrameType, wireName, writeCorrelatedHeader, writeFrameHeader } from '@waybill/protocol'
import { readSpec } from './spec.js'

t.test('frame - the table of types is the table of clause 2.5', async (t) => {
  const rows = [
    ...readSpec('protocol.md').matchAll(
      /^\| 0x([0-9a-f]{2}) \| ([A-Z_]+) \| (c→s|s→c|both) \| (0|n|0, n) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$/gm,
    ),
  ]
  const ofClause = rows.map(([, type, name, direction, channel, body, correlated, flags]) => ({
    type: Number.parseInt(type, 16),
    name,
    from: { 'c→s': 'client', 's→c': 'server', both: 'both' }[direction],
    channel: { '0': 'connection', n: 'channel', '0, n': 'both' }[channel],
    body: body.split(',')[0].toLowerCase(),
    correlated: { never: 'never', always: 'always' }[correlated] ?? 'either',
    flags: [...flags.matchAll(/0x([0-9a-f]{2})/g)].reduce(
      (bits, [, hex]) => bits | Number.parseInt(hex, 16),
      correlated === 'never' ? 0 : 1,
    ),
  }))
  const ofCode = frameKinds.map(({ type, name, from, channel, body, correlated, flags }) => ({
    type,
    name: wireName(name),
    from,
    channel,
    body,
    correlated,
    flags,
  }))
  t.same(ofClause, ofCode)
  t.equal(ofCode.length, Object.keys(FrameType).length)
})

t.test('frame - for each type every direction, channel, correlation and flag is judged by the table', async (t) => {
  for (const kind of frameKinds) {
    const goodChannel = kind.channel === 'connection' ? 0 : 1
    const goodFlags = kind.correlated === 'always' ? Flag.correlated : 0
    const side = kind.from === 'both' ? 'client' : kind.from
    const fault = (flags: number, channel: number, from: 'client' | 'server' = side) => frameFault(kind.type, flags, channel, from)?.code

    t.equal(fault(goodFlags, goodChannel), undefined, kind.name)
    t.equal(fault(goodFlags, goodChannel, side === 'client' ? 'server' : 'client'), kind.from === 'both' ? undefined : 'frameUnexpected')
    t.equal(fault(goodFlags, goodChannel === 0 ? 1 : 0), kind.channel === 'both' ? undefined : 'frameUnexpected')
    t.equal(fault(goodFlags ^ Flag.correlated, goodChannel), kind.correlated === 'either' ? undefined : 'frameUnexpected')
    for (let bit = 0x02; bit <= 0x80; bit <<= 1) {
      t.equal(fault(goodFlags | bit, goodChannel), (kind.flags & bit) === 0 ? 'frameMalformed' : undefined, `${kind.name}, flag ${bit}`)
    }
  }
})

t.test('frame - a fault says what is wrong with which type', async (t) => {
  t.match(frameFault(FrameType.deliver, 0, 1, 'client')?.message, 'DELIVER is not for a client to send')
  t.match(frameFault(FrameType.declareQueue, 1, 0, 'client')?.message, 'DECLARE_QUEUE travels on a channel, not on channel 0')
  t.match(frameFault(FrameType.list, 1, 3, 'client')?.message, 'LIST travels on channel 0, not on 3')
  t.match(frameFault(FrameType.open, 0, 3, 'client')?.message, 'OPEN needs a correlation id')
  t.match(frameFault(FrameType.publish, 1, 3, 'client')?.message, 'PUBLISH never has a correlation id')
  t.match(frameFault(FrameType.heartbeat, 0x82, 0, 'client')?.message, 'HEARTBEAT has no flag 0x82')
})

t.test('frame - an unknown type has no fault of its own', async (t) => {
  for (let type = 0; type < 256; type++) {
    if (frameKind(type) === undefined) t.equal(frameFault(type, 0xff, 7, 'client'), undefined)
  }
  t.equal(frameKind(0x55), undefined)
})

t.test('frame - headers are written as they are drawn', async (t) => {
  const bytes = Buffer.alloc(13, 0xee)
  t.equal(writeFrameHeader(bytes, 1, FrameType.confirm, 0x06, 0xabcd, 0x01020304), 9)
  t.equal(bytes.toString('hex'), 'ee010203080406abcdeeeeeeee')
  t.equal(writeCorrelatedHeader(bytes, 0, FrameType.open, 0, 1, 0xfedcba98, 2), 12)
  t.equal(bytes.toString('hex'), '0000000a13010001fedcba98ee')
})
