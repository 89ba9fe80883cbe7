/** The largest message, and what credit counts: records, not the frame around them. [P-3.1, P-4.6] */
import t from 'tap'
import { bytesOf, type Peer } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

/** A record around its body, with a routing key of one letter. */
const recordOverhead = 16 + 1

/** A PUBLISH of one record of this size. */
function publishOf(recordSize: number): Buffer {
  const text = 'x'.repeat(recordSize - recordOverhead)
  return bytesOf([{ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: 1, records: [{ routingKey: 'q', text }] }])
}

function peerWithQueue(): Peer {
  const peer = new Stage().connect().open()
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

t.test('limit messageSizeMax - by default 16 MiB, once there is credit for it', async (t) => {
  const peer = peerWithQueue()
  peer.say({ type: 'WINDOW', channel: 1, consumer: 0, messageCount: 0, size: 16_777_216 })
  peer.send(publishOf(16_777_216))
  t.match(peer.heardOne(), { type: 'CONFIRM', through: 1, runs: [{ firstSequence: 1, count: 1 }], exceptions: [] })
})
