/**
 * What a socket has been given stays as it is until it has gone, whatever becomes of the messages meanwhile. Each test sends a range of
 * a slab to a consumer that does not read, makes an end of the messages in it, and fills memory with others. The simulated network
 * compares what it takes with what it was given.
 */
import { Flag, FrameType, Outcome } from '@waybill/protocol'
import t, { type Test } from 'tap'
import { narrow, SmallWorld } from './small-world.js'

const messageCount = 40
const bodySize = 2_000

type Client = ReturnType<SmallWorld['client']>

interface Scene {
  readonly world: SmallWorld
  readonly other: Client
  /** It has been sent all messages of queue `q`, with tags from 1, and has read none. */
  readonly consumer: Client
}

function withPendingWrite(
  t: Test,
  { ack = 'manual', queue = {} }: { ack?: 'manual' | 'none'; queue?: object },
  end: (scene: Scene) => void,
): void {
  const world = new SmallWorld()
  const other = world.client()
  const consumer = world.client(narrow())
  world.ask(other, FrameType.declareQueue, { queue: 'q', ...queue })
  world.ask(consumer, FrameType.consume, { consumer: 1, queue: 'q', ack, prefetch: 1_000 })
  const connection = consumer.peer.connection!
  connection.down.pause()
  publish(other, 'q', messageCount)
  world.pass(50)
  t.ok(connection.broker.pendingSize > 70_000, 'most of what was written is pending')

  end({ world, other, consumer })
  const { liveCount = 0 } = world.broker.turn.broker.virtualHosts.get('default')!.queue('q') ?? {}
  t.equal(liveCount, 0, 'no message is left')
  fillMemory(world, other)
  t.ok(connection.broker.pendingSize > 70_000, 'the write is pending all the while')
  world.broker.network.checkPending()

  connection.down.resume()
  world.pass(1_000)
  t.equal(connection.broker.pendingSize, 0)
  t.equal(consumer.channel.unsettled.length, messageCount, 'in the end it arrives')
  world.broker.checkers.invariants()
}

function publish({ channel }: Client, queue: string, count: number): void {
  channel.publish(
    Array.from({ length: count }, () => channel.record('', queue, bodySize, undefined)),
    Flag.confirm,
  )
}

/** Every slab that is not held is written over: 6 MiB go through a queue of their own. */
function fillMemory(world: SmallWorld, client: Client): void {
  world.ask(client, FrameType.declareQueue, { queue: 'others' })
  world.ask(client, FrameType.consume, { consumer: 9, queue: 'others', ack: 'none', prefetch: 1_000_000, prefetchSize: 1 << 30 })
  for (let i = 0; i < 60; i++) {
    publish(client, 'others', 50)
    world.pass(20)
  }
  t.equal(world.broker.turn.broker.virtualHosts.get('default')!.queue('others')!.liveCount, 0)
}

t.test('pinned - a range under a pending write survives the settlement of its messages', async (t) => {
  withPendingWrite(t, {}, ({ world, consumer }) => {
    consumer.channel.settleTags(1, messageCount, Outcome.ack)
    world.pass(50)
  })
})

t.test('pinned - a range under a pending write survives a purge', async (t) => {
  withPendingWrite(t, {}, ({ world, other, consumer }) => {
    consumer.channel.window(1, 0, 0)
    consumer.channel.settleTags(1, messageCount, Outcome.requeue)
    world.pass(50)
    t.same(world.ask(other, FrameType.purgeQueue, { queue: 'q' }), { messageCount })
  })
})

t.test('pinned - a range under a pending write survives the cancelling of its consumer', async (t) => {
  withPendingWrite(t, {}, ({ world, consumer }) => {
    consumer.peer.request(FrameType.cancel, consumer.channel.id, { consumer: 1 }, () => undefined)
    consumer.channel.settleTags(1, messageCount, Outcome.reject)
    world.pass(50)
  })
})

t.test('pinned - a range under a pending write survives the deletion of its queue', async (t) => {
  withPendingWrite(t, {}, ({ world, other }) => {
    t.same(world.ask(other, FrameType.deleteQueue, { queue: 'q' }), { deleted: true, messageCount: 0 })
  })
})

t.test('pinned - a range under a pending write survives the expiry of its queue', async (t) => {
  withPendingWrite(t, { queue: { expiresMs: 500 } }, ({ world, consumer }) => {
    consumer.peer.request(FrameType.cancel, consumer.channel.id, { consumer: 1 }, () => undefined)
    world.pass(2_000)
    t.notOk(world.broker.turn.broker.virtualHosts.get('default')!.queue('q'), 'the queue has expired')
  })
})

t.test('pinned - a range under a pending write survives when its messages were gone as they were sent', async (t) => {
  withPendingWrite(t, { ack: 'none' }, () => undefined)
})

t.test('pinned - a range under a pending write survives when somebody else has got and settled its messages', async (t) => {
  withPendingWrite(t, {}, ({ world, other, consumer }) => {
    consumer.channel.window(1, 0, 0)
    consumer.channel.settleTags(1, messageCount, Outcome.requeue)
    world.ask(other, FrameType.consume, { consumer: 2, queue: 'q', ack: 'none', prefetch: 1_000 })
    world.pass(50)
  })
})
