/** The last client: it takes and acknowledges everything that is left in any queue, and leaves when there is nothing more. */
import { FrameType, Outcome } from '@waybill/protocol'
import type { Json } from '../checkers/requests.js'
import { fairWeather } from '../network/network.js'
import type { RawChannel } from './raw-channel.js'
import { RawPeer } from './raw-peer.js'
import type { World } from './world.js'

const lookEveryMs = 1_000

export class Drainer {
  readonly #peer: RawPeer
  readonly #world: World
  readonly #consumed = new Set<string>()
  #isDone = false
  #left: readonly Json[] = []

  constructor(world: World) {
    this.#world = world
    this.#peer = new RawPeer(world, world.random('drainer'))
    this.#peer.connect(fairWeather(), {})
    this.#peer.openChannel((channel) => this.#look(channel))
  }

  get isGone(): boolean {
    return this.#isDone && this.#peer.state === 'offline'
  }

  get waitsFor(): string {
    const words = this.#left.map(
      ({ queue, messageCount, unsettledCount, delayedCount }) => `${queue}: ${messageCount}/${unsettledCount}/${delayedCount}`,
    )
    return `the drainer is ${this.#peer.state}, queues hold ready/unsettled/delayed ${words.join(', ')}`
  }

  delivered(channel: RawChannel): void {
    if (this.#peer.has(channel)) channel.settle(0, channel.unsettled.length, Outcome.ack)
  }

  #look(channel: RawChannel): void {
    this.#peer.request(FrameType.list, 0, { kind: 'queues', limit: 1_000 }, ({ result }) => {
      const items = result!.items as readonly Json[]
      this.#left = items.filter(
        ({ messageCount, unsettledCount, delayedCount }) => messageCount !== 0 || unsettledCount !== 0 || delayedCount !== 0,
      )
      for (const { queue, exclusive } of this.#left) if (exclusive !== true) this.#consume(channel, queue as string)
      if (this.#left.length > 0) this.#world.timeline.in(lookEveryMs, () => this.#look(channel))
      else {
        this.#isDone = true
        this.#peer.close()
      }
    })
  }

  #consume(channel: RawChannel, queue: string): void {
    if (this.#consumed.has(queue)) return
    this.#consumed.add(queue)
    this.#peer.request(FrameType.consume, channel.id, { consumer: channel.newConsumerId(), queue }, ({ error }) => {
      if (error !== undefined) this.#consumed.delete(queue)
    })
  }
}
