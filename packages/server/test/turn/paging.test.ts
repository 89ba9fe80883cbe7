import t from 'tap'
import { DurableStage } from '../stage/durable-stage.js'
import { bodiesOf, type Peer } from '../stage/peer.js'

const MiB = 2 ** 20
const memorySize = 16 * MiB
const limits = { memorySize, messageSizeMax: 4 * MiB }
const text = (n: number): string => `${n} `.padEnd(2_000, '.')
const numbers = (bodies: readonly string[]): number[] => bodies.map((body) => Number.parseInt(body, 10))

/** A connection that publishes persistent messages to a durable queue, some at a time, and how the broker took them. */
class Publisher {
  readonly stage: DurableStage
  readonly peer: Peer
  confirmedCount = 0
  refusedCount = 0
  mostUsed = 0

  constructor(stage: DurableStage) {
    this.stage = stage
    this.peer = stage.connect().open()
    this.peer.request('DECLARE_QUEUE', 1, { queue: 'q', durable: true })
  }

  publish(from: number, to: number): void {
    for (let n = from; n < to; n += 20) {
      const records = Array.from({ length: 20 }, (_, i) => ({ routingKey: 'q', persistent: true, text: text(n + i) }))
      this.peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: this.peer.nextSequence(1, 20), records })
      this.stage.settle()
      this.stage.pass(10)
      this.mostUsed = Math.max(this.mostUsed, this.stage.turn.broker.usedSize)
      for (const { type, runs, exceptions } of this.peer.heard()) {
        if (type !== 'CONFIRM') continue
        for (const { count } of runs as { count: number }[]) this.confirmedCount += count
        this.refusedCount += (exceptions as unknown[]).length
      }
    }
  }
}

/** All that a new connection is given of queue q, settled as it comes. */
function consumed(stage: DurableStage, count: number): number[] {
  const peer = stage.connect().open()
  peer.request('CONSUME', 1, { consumer: 1, queue: 'q', prefetch: 100 })
  const bodies: string[] = []
  for (let tag = 1; bodies.length < count; tag = bodies.length + 1) {
    stage.settle()
    const some = bodiesOf(peer.heard())
    if (some.length === 0) break
    bodies.push(...some)
    peer.settle(1, tag, some.length)
  }
  return numbers(bodies)
}

t.test('paging - a durable backlog of several times the memory is taken without a pause, and given out in order', async (t) => {
  const stage = await DurableStage.open(undefined, { limits })
  const publisher = new Publisher(stage)
  publisher.publish(0, 20_000)
  t.match(publisher, { confirmedCount: 20_000, refusedCount: 0 })
  t.same(stage.logged('publishers-blocked'), [])
  t.ok(publisher.mostUsed < memorySize, `${publisher.mostUsed} bytes`)
  t.same(
    consumed(stage, 20_000),
    Array.from({ length: 20_000 }, (_, i) => i),
  )
})

t.test('paging - a GET that does not wait has its message read', async (t) => {
  const first = await DurableStage.open(undefined, { limits })
  new Publisher(first).publish(0, 100)
  const stage = await first.next({ limits })
  t.equal(stage.turn.broker.virtualHosts.get('default')!.queue('q')!.coldCount, 1, 'nothing is in memory')
  const peer = stage.connect().open()
  peer.say({ type: 'GET', channel: 1, correlation: 60, json: { consumer: 2, queue: 'q' } })
  stage.settle()
  const heard = peer.heard()
  t.same(numbers(bodiesOf(heard)), [0])
  t.match(heard.find(({ correlation }) => correlation === 60)?.json, { found: true })
})

t.test('paging - a GET whose message cannot be read ends after 5 s', async (t) => {
  const first = await DurableStage.open(undefined, { limits })
  new Publisher(first).publish(0, 100)
  const stage = await first.next({ limits })
  const peer = stage.connect().open()
  peer.say({ type: 'GET', channel: 1, correlation: 60, json: { consumer: 2, queue: 'q' } })
  stage.pass(4_900)
  t.same(peer.heard(), [], 'the disk says nothing')
  stage.pass(200)
  t.match(peer.heardOne(), { correlation: 60, json: { found: false } })
})
