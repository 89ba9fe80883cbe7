/** What a client that is open may send in one frame: sizes at the limit and one byte beyond. Sizes are those of the frame without its size field. [P-2.2, P-3.1, P-4.6] */
import { ErrorCode } from '@waybill/protocol'
import t from 'tap'
import { bytesOf, type Peer } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

/** Header without the size field, and what stands before the records of a PUBLISH. */
const publishOverhead = 4 + 16
/** A record around its body, with a routing key of one letter. */
const recordOverhead = 16 + 1

/** A PUBLISH of one record of this size. */
function publishOf(recordSize: number, firstSequence = 1): Buffer {
  const text = 'x'.repeat(recordSize - recordOverhead)
  return bytesOf([{ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence, records: [{ routingKey: 'q', text }] }])
}

/** The first eight bytes of a frame that says it is of this size. */
function headerOf(size: number, type: number): Buffer {
  const header = Buffer.from([0, 0, 0, 0, type, 0, 0, 1])
  header.writeUInt32BE(size)
  return header
}

function peerWithQueue(limits: { messageSizeMax?: number } = {}): Peer {
  const peer = new Stage({ limits }).connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q' })
  return peer
}

const ways: [string, (peer: Peer, bytes: Buffer) => void][] = [
  ['at once', (peer, bytes) => peer.send(bytes)],
  ['in pieces', sendPieces],
]

function sendPieces(peer: Peer, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += 1_000) peer.send(bytes.subarray(at, at + 1_000))
}

t.test('limit otherFrameSizeMax - a frame that is no PUBLISH may have 1,048,576 bytes, not one more', async (t) => {
  const settle = (size: number) => {
    const entries = Math.floor((size - 4) / 20) - 1
    const reason = 'r'.repeat(size - 4 - entries * 20)
    const list = Array.from({ length: entries }, (_, i) => ({ firstTag: i + 1, outcome: 'ack', reason: i === 0 ? reason : '' }))
    const bytes = bytesOf([{ type: 'SETTLE', channel: 1, entries: list }])
    t.equal(bytes.length - 4, size)
    return bytes
  }
  for (const [way, send] of ways) {
    const good = peerWithQueue()
    send(good, settle(1_048_576))
    t.match(good.heardOne(), { type: 'ERROR', json: { name: 'tagUnknown', scope: 'request' } }, `${way}: read and carried out`)
    const large = peerWithQueue()
    send(large, settle(1_048_577))
    t.match(large.heardOne(), { type: 'ERROR', channel: 0, json: { name: 'frameTooLarge', scope: 'connection' } }, way)
    t.ok(large.isOver)
  }
  const announced = peerWithQueue()
  announced.send(headerOf(1_048_577, 0x03))
  t.match(announced.heardOne(), { json: { name: 'frameTooLarge' } }, 'judged by its header')
})

t.test('limit uncreditedFrameSizeMax - a PUBLISH of 65,536 needs no room in its credit, one of 65,537 does', async (t) => {
  for (const [way, send] of ways) {
    const small = peerWithQueue()
    send(small, publishOf(40))
    small.heard()
    send(small, publishOf(65_536 - publishOverhead, 2))
    t.match(
      small.heardOne(),
      { type: 'CONFIRM', through: 2, exceptions: [{ sequence: 2, code: ErrorCode.creditExceeded.code }] },
      `${way}: read, and its message refused`,
    )
    t.notOk(small.isOver)

    const large = peerWithQueue()
    send(large, publishOf(40))
    large.heard()
    send(large, publishOf(65_537 - publishOverhead, 2))
    t.match(large.heardOne(), { type: 'ERROR', channel: 0, json: { name: 'frameTooLarge', scope: 'connection' } }, way)
    t.ok(large.isOver)
  }
})

t.test('credit - it counts records alone: one that takes all of the first credit goes, one byte more does not', async (t) => {
  for (const [way, send] of ways) {
    const whole = peerWithQueue()
    send(whole, publishOf(65_536))
    t.match(whole.heardOne(), { type: 'CONFIRM', through: 1, runs: [{ firstSequence: 1, count: 1 }], exceptions: [] }, way)
    const beyond = peerWithQueue()
    send(beyond, publishOf(65_537))
    t.match(beyond.heardOne(), { type: 'ERROR', json: { name: 'frameTooLarge' } }, way)
  }
})

t.test('limit messageSizeMax - a record of that size is taken, one byte more is refused and the connection lives', async (t) => {
  const peer = peerWithQueue({ messageSizeMax: 50_000 })
  peer.send(publishOf(50_000))
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 1, exceptions: [] })
  const other = peerWithQueue({ messageSizeMax: 50_000 })
  other.send(publishOf(50_001))
  t.match(other.heardOne(), { type: 'CONFIRM', through: 1, exceptions: [{ sequence: 1, code: ErrorCode.messageTooLarge.code }] })
  t.match(other.request('CHECK_QUEUE', 1, { queue: 'q' }), { messageCount: 0 })
})

t.test('limit messageSizeMax - by default 16 MiB, once there is credit for it', async (t) => {
  const peer = peerWithQueue()
  peer.say({ type: 'WINDOW', channel: 1, consumer: 0, messageCount: 0, size: 16_777_216 })
  peer.send(publishOf(16_777_216))
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 1, runs: [{ firstSequence: 1, count: 1 }], exceptions: [] })
})
