/** How much disk a broker takes, of what its queues have. */
import t, { type Test } from 'tap'
import { DiskStage } from '../stage/disk-stage.js'
import type { Peer } from '../stage/peer.js'

const segmentSize = 512 * 1024

class Shop {
  readonly stage: DiskStage
  readonly peer: Peer
  /** Tags that have not been settled, by body. */
  readonly held = new Map<string, number>()
  takenCount = 0

  private constructor(stage: DiskStage) {
    this.stage = stage
    this.peer = stage.connect().open()
  }

  static async open(from?: Shop): Promise<Shop> {
    const options = { segmentSize, snapshotEvery: segmentSize, limits: { memorySize: 64 << 20 } }
    return new Shop(await (from === undefined ? DiskStage.open(options) : from.stage.next(options)))
  }

  declare(...queues: string[]): void {
    for (const queue of queues) this.peer.say({ type: 'DECLARE_QUEUE', channel: 1, correlation: 9, json: { queue, durable: true } })
    this.pass(20)
  }

  consume(queue: string, consumer = 1): void {
    this.peer.say({
      type: 'CONSUME',
      channel: 1,
      correlation: 9,
      json: { consumer, queue, ack: 'manual', prefetch: 1_000_000, prefetchSize: 2 ** 30 },
    })
    this.pass(20)
  }

  publish(to: { exchange?: string; routingKey: string }, texts: readonly string[]): void {
    // No more than the first credit of a channel.
    const chunk = Math.min(100, Math.floor(30_000 / texts[0]!.length))
    for (let i = 0; i < texts.length; i += chunk) {
      const records = texts.slice(i, i + chunk).map((text) => ({ ...to, persistent: true, text }))
      this.peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: this.peer.nextSequence(1, records.length), records })
      this.hear()
    }
  }

  /** Settles every message that is held but those whose text `stays`. */
  settle(stays: (text: string) => boolean = () => false): void {
    for (const [text, tag] of this.held) {
      if (stays(text)) continue
      this.peer.settle(1, tag)
      this.held.delete(text)
    }
  }

  pass(ms: number): void {
    this.stage.pass(ms)
    this.hear()
  }

  hear(): void {
    for (const frame of this.peer.heard()) {
      if (frame.type === 'CONFIRM') for (const { count } of frame.runs as { count: number }[]) this.takenCount += count
      if (frame.type !== 'DELIVER') continue
      for (const [i, { body }] of (frame.records as { body: string }[]).entries()) {
        this.held.set(Buffer.from(body, 'hex').toString(), (frame.firstTag as number) + i)
      }
    }
  }

  get used(): number {
    return this.stage.disk.usedSize
  }

  get segmentCount(): number {
    return this.stage.turn.journal!.log.segments().length
  }
}

function texts(from: number, count: number, size: number): string[] {
  return Array.from({ length: count }, (_, i) => `${from + i}:`.padEnd(size, 'x'))
}

function noDamage(t: Test, { stage }: Shop): void {
  t.same(stage.logged('data-damaged'), [])
}

t.test('space - a message that nobody acknowledges does not hold the disk; it is there in the end', async (t) => {
  const shop = await Shop.open()
  shop.declare('q')
  shop.consume('q')
  const isFirst = (text: string) => text.startsWith('0:')
  let most = 0
  for (let i = 0; i < 100; i++) {
    shop.publish({ routingKey: 'q' }, texts(i * 1_000, 1_000, 16))
    shop.settle(isFirst)
    shop.pass(100)
    most = Math.max(most, shop.used)
  }
  t.equal(shop.takenCount, 100_000)
  t.ok(most <= 4 * segmentSize + 64 * 1024, `at most ${most} bytes while messages come`)
  shop.pass(5_000)
  t.ok(shop.used <= 2 * segmentSize + 16 * 1024, `${shop.used} bytes are left: the segment written to, a spare, snapshots`)
  const next = await Shop.open(shop)
  next.consume('q')
  next.pass(100)
  t.same([...next.held.keys()], texts(0, 1, 16))
  noDamage(t, next)
})

t.test('space - soon after publishing stops the log takes no more than twice what is needed and two segments', async (t) => {
  const shop = await Shop.open()
  shop.declare('q')
  shop.consume('q')
  const size = 4_000
  let stays = 0
  for (let i = 0; i < 40; i++) {
    shop.publish({ routingKey: 'q' }, texts(i * 100, 100, size))
    // One in five stays, all over the log.
    shop.settle((text) => Number.parseInt(text, 10) % 5 === 0)
    stays += 20
    shop.pass(200)
    const live = stays * size
    t.ok(shop.used <= 3 * live + 4 * segmentSize, `${shop.used} bytes for ${live}`)
  }
  shop.pass(5_000)
  const live = stays * (size + 20)
  t.ok(shop.used <= 2 * live + 2 * segmentSize, `${shop.used} bytes for ${live}`)
  t.equal(shop.held.size, stays)
  const next = await Shop.open(shop)
  next.consume('q')
  next.pass(1_000)
  t.same(new Set(next.held.keys()), new Set(shop.held.keys()), 'nothing of it has been lost')
  noDamage(t, next)
})

t.test('space - what has been moved can be moved again, and goes when it is settled', async (t) => {
  const shop = await Shop.open()
  shop.declare('q')
  shop.consume('q')
  for (const modulus of [3, 9, 27, 81]) {
    const from = modulus * 10_000
    shop.publish({ routingKey: 'q' }, texts(from, 900, 3_000))
    shop.settle((text) => Number.parseInt(text, 10) % modulus === 0)
    shop.pass(6_000)
  }
  const left = new Set(shop.held.keys())
  t.ok(left.size > 20)
  let next = await Shop.open(shop)
  next.consume('q')
  next.pass(1_000)
  t.same(new Set(next.held.keys()), left)
  next.settle()
  next.pass(6_000)
  t.ok(next.used <= 2 * segmentSize + 16 * 1024, `${next.used} bytes are left`)
  noDamage(t, next)
  next = await Shop.open(next)
  t.equal(next.stage.turn.broker.virtualHosts.get('default')!.queue('q')!.liveCount, 0)
})

t.test('space - a record that several queues have is needed until all of them have settled it', async (t) => {
  const shop = await Shop.open()
  shop.declare('a', 'b')
  shop.peer.say({ type: 'DECLARE_EXCHANGE', channel: 1, correlation: 9, json: { exchange: 'x', type: 'fanout', durable: true } })
  shop.pass(20)
  for (const queue of ['a', 'b']) {
    shop.peer.say({ type: 'BIND_QUEUE', channel: 1, correlation: 9, json: { queue, exchange: 'x' } })
    shop.pass(20)
  }
  shop.consume('a')
  for (let i = 0; i < 20; i++) {
    shop.publish({ exchange: 'x', routingKey: '' }, texts(i * 100, 100, 3_000))
    shop.settle()
    shop.pass(50)
  }
  shop.pass(6_000)
  const live = 2_000 * 3_020
  t.ok(shop.used > live, 'the other queue has all of them')
  t.ok(shop.used <= 2 * live + 2 * segmentSize, `${shop.used} bytes for ${live}`)
  const next = await Shop.open(shop)
  next.consume('b')
  next.pass(2_000)
  t.equal(next.held.size, 2_000)
  next.settle()
  next.pass(6_000)
  t.ok(next.used <= 2 * segmentSize + 16 * 1024, `${next.used} bytes are left`)
  noDamage(t, next)
})

t.test('space - a queue that is deleted gives back what it had, without reading it', async (t) => {
  const shop = await Shop.open()
  shop.declare('q', 'other')
  for (let i = 0; i < 20; i++) {
    shop.publish({ routingKey: 'q' }, texts(i * 100, 100, 3_000))
    shop.pass(50)
  }
  shop.publish({ routingKey: 'other' }, ['kept'])
  shop.pass(6_000)
  t.ok(shop.used > 2_000 * 3_000)
  shop.peer.say({ type: 'DELETE_QUEUE', channel: 1, correlation: 9, json: { queue: 'q' } })
  shop.pass(6_000)
  t.ok(shop.used <= 3 * segmentSize, `${shop.used} bytes are left`)
  const next = await Shop.open(shop)
  next.consume('other')
  next.pass(100)
  t.same([...next.held.keys()], ['kept'])
  noDamage(t, next)
})

t.test('space - what a virtual host has that is not configured now is not given back', async (t) => {
  const shop = await Shop.open()
  shop.declare('q')
  shop.publish({ routingKey: 'q' }, texts(0, 10, 100))
  shop.pass(100)
  const without = await shop.stage.next({ segmentSize, virtualHosts: ['shop'] })
  const peer = without.connect()
  peer.open(1, { vhost: 'shop' })
  peer.say({ type: 'DECLARE_QUEUE', channel: 1, correlation: 9, json: { queue: 'r', durable: true } })
  peer.say({ type: 'CONSUME', channel: 1, correlation: 9, json: { consumer: 1, queue: 'r', ack: 'none', prefetch: 1_000_000 } })
  for (let i = 0; i < 20; i++) {
    const records = texts(0, 100, 3_000).map((text) => ({ routingKey: 'r', persistent: true, text }))
    for (let k = 0; k < 100; k += 10) {
      peer.say({
        type: 'PUBLISH',
        channel: 1,
        flags: ['CONFIRM'],
        firstSequence: peer.nextSequence(1, 10),
        records: records.slice(k, k + 10),
      })
      without.pass(5)
    }
    peer.settle(1, 1 + i * 100, 100)
  }
  without.pass(6_000)
  t.ok(without.turn.journal!.log.segments()[0]!.id > 1, 'its segment has gone')
  const again = await without.next({ segmentSize, virtualHosts: ['default', 'shop'] })
  const other = again.connect().open()
  other.say({ type: 'CONSUME', channel: 1, correlation: 9, json: { consumer: 1, queue: 'q', prefetch: 100 } })
  again.pass(100)
  t.equal(other.delivered().length, 10, 'its messages were moved')
  t.same(again.logged('data-damaged'), [])
})

t.test('space - a restart reads no more, however much has passed through', async (t) => {
  const counts: number[] = []
  for (const rounds of [10, 100]) {
    const shop = await Shop.open()
    shop.declare('q')
    shop.consume('q')
    for (let i = 0; i < rounds; i++) {
      shop.publish({ routingKey: 'q' }, texts(i * 100, 100, 3_000))
      shop.settle((text) => text.startsWith('0:'))
      shop.pass(100)
    }
    shop.pass(6_000)
    const next = await Shop.open(shop)
    counts.push(next.stage.store.report.blockCount)
  }
  t.ok(counts[1]! <= counts[0]! + 200, `${counts.join(' and ')} blocks`)
})
