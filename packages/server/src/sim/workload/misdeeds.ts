/**
 * What a raw peer does against the protocol, each announced to the checkers before: the broker must answer as the specification says,
 * and nobody else may notice.
 */
import { encodeControl, type ErrorName, Flag, FrameType, Outcome, writeFrameHeader, writePublishHeader } from '@waybill/protocol'
import type { Scene } from './scene.js'

type Misdeed = (scene: Scene) => void

/** The connection ends: these bytes break the protocol. */
function breach(name: ErrorName, bytes: (scene: Scene) => Buffer): Misdeed {
  return (scene) => {
    const { peer } = scene
    const connection = peer.connection!
    const broken = bytes(scene)
    peer.world.checkers.expectBreach(connection, peer.sentSize, [name])
    peer.send(broken)
    peer.fallSilent()
  }
}

/** The request is refused, everything else goes on. */
function refusedRequest(name: ErrorName, type: number, body: Buffer | object, channel?: number): Misdeed {
  return ({ peer, channel: { id } }) => {
    const correlation = peer.correlate(() => undefined)
    peer.world.checkers.expectRefusal(peer.connection!, correlation, name)
    if (!Buffer.isBuffer(body)) {
      peer.send(encodeControl(type, channel ?? id, correlation, body))
      return
    }
    const frame = Buffer.alloc(12 + body.length)
    writeFrameHeader(frame, 0, type, Flag.correlated, channel ?? id, 4 + body.length)
    frame.writeUInt32BE(correlation, 8)
    body.copy(frame, 12)
    peer.send(frame)
  }
}

/** A message is refused, those around it are not. */
function spoiltMessage(name: ErrorName, spoil: (record: Buffer) => Buffer): Misdeed {
  return ({ peer, channel, random }) => {
    const good = (): Buffer => channel.record('', random.pick(peer.world.vocabulary.queues), 20, undefined)
    const records = [good()]
    peer.world.checkers.expectSpoilt(channel.nextMessage, name)
    records.push(spoil(good()), good())
    channel.publish(records, Flag.confirm)
  }
}

function frame(type: number, flags: number, channel: number, body: Buffer): Buffer {
  const bytes = Buffer.alloc(8 + body.length)
  writeFrameHeader(bytes, 0, type, flags, channel, body.length)
  body.copy(bytes, 8)
  return bytes
}

export const misdeeds: Readonly<Record<string, Misdeed>> = {
  'size too small': breach('frameMalformed', () => Buffer.from([0, 0, 0, 3, 1, 0, 0, 1])),
  'size too large': breach('frameTooLarge', () => Buffer.from([0x7f, 0, 0, 0, 1, 0, 0, 1])),
  'correlation 0': breach('frameMalformed', () => Buffer.from([0, 0, 0, 8, FrameType.list, 1, 0, 0, 0, 0, 0, 0])),
  'undefined flag': breach('frameMalformed', ({ channel }) => frame(FrameType.settle, 0x80, channel.id, Buffer.alloc(20))),
  'wrong direction': breach('frameUnexpected', ({ channel }) => frame(FrameType.deliver, 0, channel.id, Buffer.alloc(24))),
  'wrong channel': breach('frameUnexpected', () => frame(FrameType.publish, 0, 0, Buffer.alloc(16))),
  'HELLO twice': breach('frameUnexpected', () =>
    encodeControl(FrameType.hello, 0, 1_000_000, { client: { product: 'raw', version: '1' } }),
  ),
  'no correlation': breach('frameUnexpected', ({ channel }) => frame(FrameType.purgeQueue, 0, channel.id, Buffer.from('{}'))),
  'records that do not fill': breach('frameMalformed', ({ channel }) => {
    const bytes = Buffer.alloc(8 + 16 + 40)
    writePublishHeader(bytes, 0, Flag.confirm, channel.id, channel.sequence + 1, 2, 40)
    bytes.writeUInt32BE(36, 24)
    return bytes
  }),
  'SETTLE of outcome 9': breach('frameMalformed', ({ channel }) => {
    const body = Buffer.alloc(20, 0xff)
    body.set([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0, 0])
    return frame(FrameType.settle, 0, channel.id, body)
  }),
  'a large frame that is no PUBLISH': breach('frameTooLarge', ({ channel }) => {
    const bytes = Buffer.alloc(100_000)
    writeFrameHeader(bytes, 0, FrameType.settle, 0, channel.id, 2_000_000)
    return bytes
  }),
  'half a frame': breach('frameTimeout', ({ channel }) => frame(FrameType.settle, 0, channel.id, Buffer.alloc(20)).subarray(0, 15)),

  'not JSON': refusedRequest('requestInvalid', FrameType.declareQueue, Buffer.from('{"queue": ')),
  'not UTF-8': refusedRequest('requestInvalid', FrameType.checkQueue, Buffer.from([0x7b, 0xc3, 0x28, 0x7d])),
  'an unknown option': refusedRequest('optionUnsupported', FrameType.declareQueue, { queue: 'mails', lazy: true }),
  'a name too long': refusedRequest('nameTooLong', FrameType.checkQueue, { queue: 'n'.repeat(256) }),
  'an unknown type': refusedRequest('unsupported', 0x7e, { anything: 1 }),
  'a request too large': refusedRequest('requestInvalid', FrameType.checkQueue, Buffer.alloc(65_537, 0x20)),

  'an unsupported property': spoiltMessage('propertyUnsupported', (record) => withProperty(record, 8, Buffer.of(5))),
  'an undefined property': spoiltMessage('propertyUnsupported', (record) => withProperty(record, 20, Buffer.of(0))),
  'a property that is cut': spoiltMessage('messageMalformed', (record) => withProperty(record, 0, Buffer.of(9, 65))),
  'an unknown record format': spoiltMessage('messageMalformed', (record) => patched(record, 4, 2)),
  'a record flag of the broker': spoiltMessage('messageMalformed', (record) => patched(record, 5, 2)),
  'a routing key that is not UTF-8': spoiltMessage('messageMalformed', (record) => patched(record, 16, 0xff)),

  'a level that nobody has': ({ peer, channel, random }) =>
    channel.publish([channel.record('', random.pick(peer.world.vocabulary.queues), 20, undefined)], Flag.confirm | (3 << Flag.levelShift)),
  'a sequence with a gap': ({ channel }) => {
    if (channel.backlogCount > 0) return
    channel.publishNow([channel.record('', 'mails', 20, undefined)], Flag.confirm, channel.sequence + 7)
    channel.isOpen = false
  },
  'tags that were never delivered': ({ channel, random }) =>
    void channel.settleTags(1_000_000, 5, Outcome.ack, undefined, random.chance(0.5)),
  'tag 0': ({ channel }) => void channel.settleTags(0, 1, Outcome.requeue),
  'settling twice': ({ channel, random }) => {
    const [first] = channel.unsettled
    if (first === undefined) return
    channel.settle(0, 1, Outcome.ack)
    channel.settleTags(first, 1, random.between(Outcome.ack, Outcome.reject))
  },
  'a channel that is not open': ({ peer, random }) => {
    const channel = 900 + random.below(5)
    const bytes = frame(FrameType.window, 0, channel, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]))
    peer.send(bytes)
    peer.request(FrameType.checkQueue, channel, { queue: 'mails' }, () => undefined)
  },
  'a channel too many': ({ peer }) => void peer.request(FrameType.open, peer.world.limits.channelCount + 1, {}, () => undefined),
  'opening what is open': ({ peer, channel }) => void peer.request(FrameType.open, channel.id, {}, () => undefined),
  'a consumer twice': ({ peer, channel }) => {
    const [there] = channel.consumers
    if (there !== undefined) peer.request(FrameType.consume, channel.id, { consumer: there.id, queue: there.queue }, () => undefined)
  },
  'more than its credit': ({ peer, random }) => {
    peer.world.checkers.expectExcess(peer.connection!)
    peer.openChannel((channel) => {
      const queue = random.pick(peer.world.vocabulary.queues)
      channel.publishNow(
        Array.from({ length: 1_000 }, () => channel.record('', queue, 12, undefined)),
        Flag.confirm,
      )
      peer.closeChannel(channel)
    })
  },
}

export function misdeed(scene: Scene): void {
  const name = scene.random.pick(Object.keys(misdeeds))
  scene.peer.world.tally.count(`misdeed ${name}`)
  misdeeds[name]!(scene)
}

function patched(record: Buffer, at: number, value: number): Buffer {
  record[at] = value
  return record
}

/** The record with one property of its own, well or badly made. */
function withProperty(record: Buffer, bit: number, bytes: Buffer): Buffer {
  const at = 16 + record[6]! + record[7]!
  const spoilt = Buffer.concat([record.subarray(0, at), bytes, record.subarray(at)])
  spoilt.writeUInt32BE(spoilt.length - 4, 0)
  spoilt.writeUInt32BE(2 ** bit, 8)
  spoilt.writeUInt16BE(bytes.length, 12)
  return spoilt
}
