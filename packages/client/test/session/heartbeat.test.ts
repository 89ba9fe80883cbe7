import type { Status } from '@waybill/client'
import t from 'tap'
import { Collected } from '../support/collect.js'
import { FakeBroker } from '../support/fake-broker.js'

async function connected(heartbeatMs: number) {
  const broker = new FakeBroker()
  broker.hello = { heartbeatMs }
  const connection = await broker.connect({ recovery: false })
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  return { broker, connection, statuses, clock: broker.clock }
}

t.test('heartbeat - who has nothing to say for half an interval says HEARTBEAT', async (t) => {
  const { broker, connection, clock } = await connected(20_000)
  for (let i = 0; i < 6; i++) {
    await clock.advance(9_000)
    broker.peer.send({ type: 'HEARTBEAT' })
    await clock.advance(1_000)
  }
  const beats = broker.peer.of('HEARTBEAT').length
  t.ok(beats >= 5, `${beats} in a minute`)
  for (let i = 0; i < 6; i++) {
    await clock.advance(9_000)
    await connection.publish('x', 'k', 'still here')
    await clock.advance(1_000)
  }
  t.equal(broker.peer.of('HEARTBEAT').length, beats, 'other frames are signs of life as well')
  t.match(connection.status, { state: 'connected' })
})

t.test('heartbeat - two silent intervals, and the connection is given up', async (t) => {
  const { broker, statuses, clock } = await connected(10_000)
  await clock.advance(19_000)
  t.ok(broker.peer.isOpen)
  await clock.advance(6_100)
  t.match(await statuses.next(), { state: 'closed', cause: { code: 'HEARTBEAT_TIMEOUT', retryable: true } })
  t.ok(broker.peer.ended)
})

t.test('heartbeat - any byte counts, even a part of a frame', async (t) => {
  const { broker, clock } = await connected(10_000)
  const frame = Buffer.from('00000004 07 00 0000'.replaceAll(' ', ''), 'hex')
  for (const byte of frame) {
    await clock.advance(9_000)
    broker.peer.sendBytes(Buffer.from([byte]))
  }
  await clock.advance(9_000)
  t.ok(broker.peer.isOpen)
})

t.test('heartbeat - the socket is read once more before the end', async (t) => {
  const { broker, clock } = await connected(10_000)
  // The look that finds the second silent interval comes at 25 s; the byte lies in the socket by then and is read right after.
  await clock.advance(24_999)
  clock.setTimeout(() => broker.peer.send({ type: 'HEARTBEAT' }), 1)
  await clock.advance(20_000)
  t.ok(broker.peer.isOpen)
})

t.test('heartbeat - a stall of our own is reported, and one more interval is waited', async (t) => {
  const { broker, statuses, clock } = await connected(10_000)
  await clock.stall(60_000)
  t.match(await statuses.next(), { state: 'stalled', lateMs: 55_000 })
  t.ok(broker.peer.isOpen, 'a minute without a byte, but nobody was reading')
  broker.peer.send({ type: 'HEARTBEAT' })
  await clock.advance(9_000)
  t.ok(broker.peer.isOpen)
})

t.test('heartbeat - after a stall a dead broker is found all the same', async (t) => {
  const { broker, statuses, clock } = await connected(10_000)
  await clock.advance(16_000)
  await clock.stall(30_000)
  t.match(await statuses.next(), { state: 'stalled' })
  await clock.advance(9_000)
  t.ok(broker.peer.isOpen, 'one more interval')
  await clock.advance(2_000)
  t.match(await statuses.next(), { state: 'closed', cause: { code: 'HEARTBEAT_TIMEOUT' } })
})

t.test('heartbeat - 0 turns it off', async (t) => {
  const { broker, clock } = await connected(0)
  await clock.advance(10_000_000)
  t.ok(broker.peer.isOpen)
  t.equal(broker.peer.of('HEARTBEAT').length, 0)
})
