/** Lives of a broker in small segments, which are moved and given back all the time, until the power goes: what is there afterwards. */
import assert from 'node:assert'
import t from 'tap'
import { forSeeds, type Random } from '../seeds.js'
import { DiskStage } from '../stage/disk-stage.js'
import type { Peer } from '../stage/peer.js'

const segmentSize = 32 * 1024
const queues = ['a', 'b', 'c']

/** What is known of one message in one queue. */
type Fate = 'published' | 'confirmed' | 'settled' | 'gone'

class Lives {
  readonly fates = new Map<string, Fate>()
  readonly #random: Random
  #stage!: DiskStage
  #peer!: Peer
  #sequences = new Map<number, readonly string[]>()
  #settlements = new Map<number, string>()
  #held = new Map<string, number>()
  #nextSequence = 1
  #nextCorrelation = 100
  #serial = 0
  movedCount = 0
  droppedCount = 0

  constructor(random: Random) {
    this.#random = random
  }

  async begin(end: 'kill' | 'power cut'): Promise<void> {
    const options = {
      segmentSize,
      snapshotEvery: segmentSize * 2,
      end,
      seed: this.#random.below(1_000_000),
      limits: { memorySize: 16 << 20 },
    }
    this.#stage = this.#stage === undefined ? await DiskStage.open(options) : await this.#stage.next(options)
    assert.deepEqual(this.#stage.logged('data-damaged'), [])
    this.#sequences.clear()
    this.#settlements.clear()
    this.#held.clear()
    this.#nextSequence = 1
    this.#peer = this.#stage.connect().open()
    for (const queue of queues) this.#ask('DECLARE_QUEUE', { queue, durable: true })
    this.#ask('DECLARE_EXCHANGE', { exchange: 'all', type: 'fanout', durable: true })
    for (const queue of queues) this.#ask('BIND_QUEUE', { queue, exchange: 'all' })
    this.#stage.pass(50)
    for (const [i, queue] of queues.entries()) this.#ask('CONSUME', { consumer: i + 1, queue, prefetch: 100_000, prefetchSize: 2 ** 30 })
    this.#stage.pass(1_000)
    this.hear()
  }

  publish(): void {
    const random = this.#random
    const toAll = random.chance(0.3)
    const queue = random.pick(queues)
    const count = 1 + random.below(10)
    const records = []
    for (let i = 0; i < count; i++) {
      const text = `${this.#serial++}:`.padEnd(random.pick([10, 300, 2_000]), 'x')
      const places = (toAll ? queues : [queue]).map((queue) => `${queue} ${text}`)
      for (const place of places) this.fates.set(place, 'published')
      this.#sequences.set(this.#nextSequence + i, places)
      records.push({ ...(toAll ? { exchange: 'all' } : { routingKey: queue }), persistent: true, text })
    }
    this.#peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: this.#nextSequence, records })
    this.#nextSequence += count
    this.hear()
  }

  /** Settles much of what is held, and asks to be told when that is safe. */
  settle(share: number): void {
    for (const [place, tag] of this.#held) {
      if (!this.#random.chance(share)) continue
      const correlation = this.#nextCorrelation++
      this.#settlements.set(correlation, place)
      this.fates.set(place, 'settled')
      this.#held.delete(place)
      this.#peer.say({ type: 'SETTLE', channel: 1, correlation, entries: [{ firstTag: tag, count: 1, outcome: 'ack', delayMs: null }] })
    }
    this.hear()
  }

  /** The disk fails once. */
  fail(): void {
    if (this.#random.chance(0.5)) this.#stage.disk.failSyncs(1)
    else this.#stage.disk.failWrites(this.#random.pick(['full', 'broken']), 1)
  }

  pass(ms: number): void {
    this.#stage.pass(ms)
    this.hear()
  }

  hear(): void {
    for (const frame of this.#peer.heard()) {
      if (frame.type === 'DELIVER') {
        const queue = queues[(frame.consumer as number) - 1]!
        for (const [i, { body }] of (frame.records as { body: string }[]).entries()) {
          const place = `${queue} ${Buffer.from(body, 'hex').toString()}`
          assert(this.fates.has(place), 'nothing is invented')
          assert.notEqual(this.fates.get(place), 'gone', 'what was answered as settled is gone')
          this.#held.set(place, (frame.firstTag as number) + i)
        }
      } else if (frame.type === 'CONFIRM') {
        for (const { firstSequence, count } of frame.runs as { firstSequence: number; count: number }[]) {
          for (let sequence = firstSequence; sequence < firstSequence + count; sequence++) {
            for (const place of this.#sequences.get(sequence)!)
              if (this.fates.get(place) === 'published') this.fates.set(place, 'confirmed')
          }
        }
      } else if (frame.type === 'RESULT') {
        const place = this.#settlements.get(frame.correlation as number)
        if (place !== undefined) this.fates.set(place, 'gone')
      }
    }
  }

  /** Everything that must be there is, now that a new life has heard what it is given. */
  check(): void {
    for (const [place, fate] of this.fates) {
      if (fate === 'confirmed') assert(this.#held.has(place), `${place.slice(0, 20)} was confirmed and is lost`)
      // What nobody was told of may be there or not; if it is, it stays.
      else if (this.#held.has(place)) this.fates.set(place, 'confirmed')
      else this.fates.delete(place)
    }
  }

  #ask(type: string, json: object): void {
    this.#peer.say({ type, channel: 1, correlation: this.#nextCorrelation++, json })
  }

  count(): void {
    this.movedCount += this.#stage.logged('segment-moved').length
    this.droppedCount += this.#stage.logged('segment-dropped').length
  }
}

t.test('space - whatever is moved, given back, or fails, after each power cut there is what was confirmed and not settled', async (t) => {
  let movedCount = 0
  let droppedCount = 0
  await forSeeds(t, 12, async (random) => {
    const lives = new Lives(random)
    await lives.begin('kill')
    for (let life = 0; life < 5; life++) {
      for (let steps = 20 + random.below(60); steps > 0; steps--) {
        lives.publish()
        if (random.chance(0.3)) lives.settle(random.pick([0.1, 0.6, 0.95]))
        if (random.chance(0.02)) lives.fail()
        lives.pass(random.pick([0, 1, 5, 50, 400]))
      }
      lives.count()
      await lives.begin(random.pick(['kill', 'power cut']))
      lives.check()
    }
    movedCount += lives.movedCount
    droppedCount += lives.droppedCount
  })
  t.ok(process.env.WAYBILL_SEED !== undefined || movedCount > 20, `${movedCount} segments were moved`)
  t.ok(process.env.WAYBILL_SEED !== undefined || droppedCount > 100, `${droppedCount} segments were given back`)
})
