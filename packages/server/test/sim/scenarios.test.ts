/** What seeds of the simulation have found, understood: each in as few steps as it takes. */
import { PublishError } from '@waybill/client'
import { encodeControl, Flag, FrameType } from '@waybill/protocol'
import t from 'tap'
import { distant, SmallWorld } from './small-world.js'

/** A disk whose syncs take long enough that something can happen meanwhile. */
const data = { segmentSize: 64 << 10, snapshotEvery: 1 << 20, spareCount: 0, syncMs: { least: 20, most: 20 }, coldShare: 0 }

t.test('scenario - a queue whose consumer is cut off lives on for its time from then, however quiet it was before', async (t) => {
  const world = new SmallWorld()
  const consumer = world.client()
  world.ask(consumer, FrameType.declareQueue, { queue: 'q', expiresMs: 2_000 })
  world.ask(consumer, FrameType.consume, { consumer: 1, queue: 'q' })
  world.pass(20_000)
  consumer.peer.connection!.reset()
  const host = world.broker.turn.broker.virtualHosts.get('default')!
  world.pass(1_900)
  t.ok(host.queue('q'), 'not counted from the last turn')
  world.pass(200)
  t.notOk(host.queue('q'))
})

t.test('scenario - the error that ends a connection is the last word: confirms and deliveries come before', async (t) => {
  const world = new SmallWorld()
  const { peer, channel } = world.client()
  world.ask({ peer, channel }, FrameType.declareQueue, { queue: 'q' })
  channel.publish([channel.record('', 'q', 100, undefined)], Flag.confirm)
  peer.request(FrameType.get, channel.id, { consumer: 1, queue: 'q' }, () => undefined)
  world.broker.checkers.expectBreach(peer.connection!, peer.sentSize, ['frameUnexpected'])
  peer.send(encodeControl(FrameType.hello, 0, 1_000, { client: { product: 'raw', version: '1' } }))
  world.pass(100)
  t.equal(world.broker.tally.of('deliveries'), 1)
  t.equal(world.broker.tally.of('ended by frameUnexpected'), 1)
})

t.test('scenario - a large message that waits for credit when its channel is closed takes no connection with it', async (t) => {
  const world = new SmallWorld()
  const connection = await world.connect({}, () => distant(300))
  await world.kept(connection.declareQueue('q'))
  const channel = await world.kept(connection.channel())
  const published = channel.publish('', 'q', Buffer.alloc(200_000))
  const rejected = published.catch((error: unknown) => error)
  // Its credit comes when CLOSE is on its way already.
  await world.kept(channel.close({ timeoutMs: 100 }))
  const error = (await rejected) as PublishError
  t.ok(error instanceof PublishError)
  t.match(error, { code: 'CLOSED', stored: 'no' })
  t.equal(connection.status.state, 'connected')
  t.match(await world.kept(connection.checkQueue('q')), { messageCount: 0 })
})

t.test('scenario - a consumer closed while the broker makes it is given nothing again and again', async (t) => {
  const world = new SmallWorld()
  const connection = await world.connect({}, () => distant(300))
  await world.kept(connection.declareQueue('slow'))
  await world.kept(connection.declareQueue('q'))
  await world.kept(
    Promise.all([connection.sendToQueue('slow', 'a'), ...Array.from({ length: 20 }, () => connection.sendToQueue('q', 'b'))]),
  )
  const channel = await world.kept(connection.channel())
  const sleep = (): Promise<void> => new Promise((resolve) => world.broker.timeline.in(10_000, resolve))
  await world.kept(channel.consume('slow', sleep))
  await world.goOn(1_000)
  const made = channel.consume('q', () => undefined).catch((error: unknown) => error)
  const closed = channel.close({ timeoutMs: 20_000 })
  await world.kept(closed)
  t.match(await made, { code: 'CLOSED' })
  t.ok(world.broker.tally.of('deliveries') < 100, `${world.broker.tally.of('deliveries')} deliveries`)
  t.match(await world.kept(connection.checkQueue('q')), { messageCount: 20 })
})

t.test('scenario - a message that was sent before and is refused the second time may be stored', async (t) => {
  const world = new SmallWorld()
  let latencyMs = 0.1
  const connection = await world.connect({ unconfirmed: 'resend', recovery: { backoffMs: 10 } }, () => distant(latencyMs))
  const other = world.client()
  world.ask(other, FrameType.declareQueue, { queue: 'q' })
  latencyMs = 100
  const sent = connection.publish('', 'q', 'x', { mandatory: true }).catch((error: unknown) => error)
  // It has been taken, and its confirm is lost.
  while (world.broker.tally.of('frame publish') === 0) await world.step()
  const [first] = world.broker.network.connections
  first!.cut('down')
  await world.goOn(10)
  first!.reset()
  world.ask(other, FrameType.deleteQueue, { queue: 'q' })
  t.match(await world.kept(sent), { code: 'UNROUTABLE', stored: 'unknown' })
})

t.test('scenario - who waits for a publisher that is closed is told', async (t) => {
  const world = new SmallWorld()
  const connection = await world.connect({}, () => distant(300))
  await world.kept(connection.declareQueue('q'))
  // It waits for credit, and makes every publisher of its channel full.
  const large = connection.publish('', 'q', Buffer.alloc(200_000))
  const publisher = connection.publisher('')
  t.ok(publisher.full)
  const ready = publisher.ready().catch((error: unknown) => error)
  await world.kept(publisher.close())
  t.match(await world.kept(ready), { code: 'CLOSED' })
  t.match(await world.kept(large), { queues: 1 })
})

t.test('scenario - what is declared when a write fails is not answered as done, though everything before it is synced', async (t) => {
  const world = new SmallWorld({ data })
  await world.up()
  const client = world.client()
  world.ask(client, FrameType.declareQueue, { queue: 'q' })
  world.pass(1_000)
  world.broker.process!.disk.failWrites('broken', 1)
  t.match(world.ask(client, FrameType.declareExchange, { exchange: 'e', type: 'fanout' }), { name: 'storageFailed' })
})

t.test('scenario - the confirm that comes behind the CLOSE of its channel tells no less credit than before', async (t) => {
  const world = new SmallWorld({ data })
  await world.up()
  const { peer, channel } = world.client()
  world.ask({ peer, channel }, FrameType.declareQueue, { queue: 'q' })
  channel.publish([channel.record('', 'q', 100, undefined)], Flag.confirm)
  let isClosed = false
  peer.request(FrameType.close, channel.id, {}, () => {
    isClosed = true
  })
  world.until(() => isClosed)
  t.equal(world.broker.tally.of('answered close'), 1)
})

t.test('scenario - an id that a client was told is not given out again, though the power was cut at once', async (t) => {
  const world = new SmallWorld({ data })
  const told = async (): Promise<number> => {
    await world.up()
    const { peer, channel } = world.client()
    world.ask({ peer, channel }, FrameType.declareQueue, { queue: 'q', durable: false })
    const { checkers } = world.broker
    channel.publish([channel.record('', 'q', 100, undefined, false)], Flag.confirm)
    const name = `${channel.publisher}.1`
    world.until(() => checkers.takenAs(name)[0]?.id !== undefined)
    return checkers.takenAs(name)[0]!.id!
  }
  const first = await told()
  world.broker.process!.end('power cut')
  t.ok((await told()) > first)
})

t.test('scenario - a message confirmed as synced comes again after a power cut, and says so', async (t) => {
  const world = new SmallWorld({ data })
  await world.up()
  const before = world.client()
  world.ask(before, FrameType.declareQueue, { queue: 'q' })
  before.channel.publish([before.channel.record('', 'q', 100, undefined)], Flag.confirm)
  world.until(() => world.broker.checkers.takenAs(`${before.channel.publisher}.1`)[0]?.isSynced === true)
  await world.restart('power cut')
  const after = world.client()
  world.ask(after, FrameType.consume, { consumer: 1, queue: 'q' })
  while (after.channel.unsettled.length === 0) await world.step()
  t.equal(world.broker.tally.of('redeliveries'), 1)
})

t.test('scenario - what is taken while the disk has failed goes on, and is lost with the process', async (t) => {
  const world = new SmallWorld({ data })
  await world.up()
  const { peer, channel } = world.client()
  world.ask({ peer, channel }, FrameType.declareQueue, { queue: 'q' })
  world.broker.process!.disk.failSyncs(Infinity)
  channel.publish([channel.record('', 'q', 100, undefined)], Flag.confirm)
  world.until(() => world.broker.tally.of('refused storageFailed') === 1)
  channel.publish([channel.record('', 'q', 100, undefined)], Flag.confirm | (1 << Flag.levelShift))
  world.pass(2_000)
  t.match(world.ask({ peer, channel }, FrameType.checkQueue, { queue: 'q' }), { messageCount: 1 })
  world.broker.process!.heal()
  await world.restart('power cut')
  t.match(world.ask(world.client(), FrameType.checkQueue, { queue: 'q' }), { durable: true })
})

t.test(
  'scenario - what a killed process had written may be gone when the next one cannot sync it, as long as nobody was told of it',
  async (t) => {
    const world = new SmallWorld({ data })
    await world.up()
    const before = world.client()
    world.ask(before, FrameType.declareQueue, { queue: 'q' })
    before.peer.request(FrameType.declareQueue, before.channel.id, { queue: 'r' }, () => undefined)
    world.pass(5)
    world.broker.process!.end('kill')
    world.broker.process!.disk.failSyncs(1)
    await world.up()
    t.equal(world.broker.tally.of('openings that failed'), 1)
    const after = world.client()
    t.match(world.ask(after, FrameType.checkQueue, { queue: 'q' }), { durable: true })
    t.match(world.ask(after, FrameType.checkQueue, { queue: 'r' }), { name: 'notFound' })
  },
)

t.test('scenario - what a process says that has ended in the middle of an operation is not heard', async (t) => {
  let endCount = 0
  for (let operations = 0; operations < 12; operations++) {
    const world = new SmallWorld({ data })
    await world.up()
    world.broker.turn.snapshots!.ask(() => undefined)
    world.broker.process!.endIn(operations, 'power cut')
    await world.goOn(200)
    endCount += world.broker.tally.of('power cut in an operation')
    t.equal(world.broker.tally.of('log snapshot-failed'), 0)
  }
  t.ok(endCount > 3, `${endCount} of them ended so`)
})
