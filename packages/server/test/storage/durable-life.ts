/** One life of a broker on a log of paper, and somebody who does what comes to mind with everything durable in it. */
import assert from 'node:assert'
import { openStore, type OpenStore } from '../../dist/storage/open-store.js'
import type { Random } from '../seeds.js'
import type { PaperLog } from '../stage/paper-log.js'
import { bytesOf, type Peer } from '../stage/peer.js'
import { Stage } from '../stage/stage.js'

const queues = ['q1', 'q2', 'q3', 'q4', 'q5']
const exchanges = ['x-direct', 'x-fanout', 'x-topic', 'x-headers']
const keys = ['a', 'a.b', 'b']
const headers = [{ kind: 1, big: true }, { big: true, kind: 1 }, { kind: 'x' }]

export class DurableLife {
  readonly log: PaperLog
  readonly stage: Stage
  readonly store: OpenStore
  readonly #random: Random
  readonly #peers: Peer[] = []
  readonly #held: { readonly peer: Peer; readonly tag: number }[] = []
  readonly #sequences = new Map<Peer, number>()
  #nextConsumer = 1
  #nextCorrelation = 1
  #serial = 0

  static async begin(log: PaperLog, random: Random): Promise<DurableLife> {
    const store = await openStore(
      log,
      () => undefined,
      () => 0,
    )
    return new DurableLife(log, store, random)
  }

  constructor(log: PaperLog, store: OpenStore, random: Random) {
    this.log = log
    this.store = store
    this.stage = new Stage({ store, limits: { memorySize: 64 << 20 } })
    this.#random = random
    log.wake = () => this.stage.clock.soon(this.stage.turn.run)
    for (let i = 0; i < 2; i++) this.#connect()
  }

  /** Everything that follows has happened. */
  settle(): void {
    do this.stage.clock.settle()
    while (this.log.answer())
  }

  /** Does something. */
  act(): void {
    const random = this.#random
    const peer = random.pick(this.#peers)
    const queue = random.pick(queues)
    const what = random.below(100)
    if (what < 8)
      this.#ask(peer, 'DECLARE_QUEUE', {
        queue,
        durable: random.chance(0.8),
        autoDelete: random.chance(0.2),
        ...(random.chance(0.1) ? { expiresMs: 20_000 } : {}),
      })
    else if (what < 10) this.#ask(peer, 'DELETE_QUEUE', { queue })
    else if (what < 12) this.#ask(peer, 'PURGE_QUEUE', { queue })
    else if (what < 16) this.#declareExchange(peer)
    else if (what < 17) this.#ask(peer, 'DELETE_EXCHANGE', { exchange: random.pick(exchanges) })
    else if (what < 26) this.#bind(peer, queue)
    else if (what < 58) this.#publish(peer, queue)
    else if (what < 66)
      this.#ask(peer, 'CONSUME', {
        consumer: this.#nextConsumer++,
        queue,
        ack: random.chance(0.3) ? 'none' : 'manual',
        prefetch: random.pick([1, 7, 100]),
      })
    else if (what < 68) this.#ask(peer, 'CANCEL', { consumer: 1 + random.below(this.#nextConsumer) })
    else if (what < 92) this.#settleSome()
    else if (what < 94) this.#reconnect(peer)
    else this.stage.pass(random.pick([1, 500, 5_000]))
    this.settle()
    for (const each of this.#peers) {
      for (const { type, firstTag, records } of each.heard()) {
        if (type === 'DELIVER')
          for (let i = 0; i < (records as unknown[]).length; i++) this.#held.push({ peer: each, tag: (firstTag as number) + i })
      }
    }
  }

  /** Takes everything that is left, queue by queue; returns how many messages of the log each had. */
  drain(names: readonly string[]): Record<string, number> {
    for (const peer of [...this.#peers]) this.#reconnect(peer)
    const counts: Record<string, number> = {}
    const peer = this.#peers[0]!
    for (const queue of names) {
      peer.heard()
      this.#ask(peer, 'CONSUME', { consumer: this.#nextConsumer++, queue, ack: 'none', prefetch: 65_535, prefetchSize: 2 ** 30 })
      this.settle()
      const delivered = peer.heard().filter(({ type }) => type === 'DELIVER')
      const records = delivered.flatMap((frame) => frame.records as { persistent: boolean }[])
      counts[queue] = records.filter(({ persistent }) => persistent).length
    }
    return counts
  }

  /** The state as the broker has it in memory. */
  get state() {
    return this.stage.turn.broker.durableState(this.stage.turn.journal!.reservedId)
  }

  #connect(): void {
    const peer = this.stage.connect()
    peer.open()
    this.#peers.push(peer)
  }

  #reconnect(peer: Peer): void {
    peer.cut()
    this.#peers.splice(this.#peers.indexOf(peer), 1)
    for (let i = this.#held.length - 1; i >= 0; i--) if (this.#held[i]!.peer === peer) this.#held.splice(i, 1)
    this.#connect()
  }

  #ask(peer: Peer, type: string, json: object): void {
    peer.say({ type, channel: 1, correlation: this.#nextCorrelation++, json })
  }

  #declareExchange(peer: Peer): void {
    const exchange = this.#random.pick(exchanges)
    const options = { durable: this.#random.chance(0.9), autoDelete: this.#random.chance(0.1) }
    this.#ask(peer, 'DECLARE_EXCHANGE', { exchange, type: exchange.slice(2), ...options })
  }

  #bind(peer: Peer, queue: string): void {
    const random = this.#random
    const exchange = random.pick(exchanges)
    const word = random.chance(0.75) ? 'BIND' : 'UNBIND'
    const how = {
      key: random.pick(['', ...keys, 'a.#']),
      ...(exchange === 'x-headers' ? { headers: random.pick(headers), ...(random.chance(0.5) ? { match: 'all' } : {}) } : {}),
    }
    if (random.chance(0.8)) this.#ask(peer, `${word}_QUEUE`, { queue, exchange, ...how })
    else this.#ask(peer, `${word}_EXCHANGE`, { source: exchange, target: random.pick(exchanges), ...how })
  }

  #publish(peer: Peer, queue: string): void {
    const random = this.#random
    const to = random.chance(0.5) ? { routingKey: queue } : { exchange: random.pick(exchanges), routingKey: random.pick(keys) }
    const count = 1 + random.below(random.chance(0.1) ? 1_500 : 20)
    const isOneSize = random.chance(0.5)
    const records = Array.from({ length: count }, () => ({
      ...to,
      headers: random.chance(0.1) ? { kind: 1, big: true } : {},
      persistent: random.chance(0.9),
      text: `${this.#serial++}`.padStart(isOneSize ? 8 : 1 + random.below(40), '.'),
    }))
    peer.say({ type: 'PUBLISH', channel: 1, flags: [], firstSequence: this.#nextSequence(peer, count), records })
  }

  #nextSequence(peer: Peer, count: number): number {
    const next = this.#sequences.get(peer) ?? 1
    this.#sequences.set(peer, next + count)
    return next
  }

  #settleSome(): void {
    const random = this.#random
    const share = random.pick([0.1, 0.5, 1])
    const outcome = random.pick(['ack', 'ack', 'ack', 'requeue', 'retry', 'reject'])
    for (let i = this.#held.length - 1; i >= 0; i--) {
      if (!random.chance(share)) continue
      const [{ peer, tag }] = this.#held.splice(i, 1) as [{ peer: Peer; tag: number }]
      assert(tag > 0)
      if (peer.isOver) continue
      peer.drop(peerSettles(tag, outcome))
    }
  }
}

function peerSettles(tag: number, outcome: string): Buffer {
  return bytesOf([
    { type: 'SETTLE', channel: 1, entries: [{ firstTag: tag, count: 1, outcome, delayMs: outcome === 'retry' ? 100 : null }] },
  ])
}
