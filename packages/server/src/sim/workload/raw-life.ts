/** The life of a raw peer: it comes, does this and that, loses its connection, comes again, and in the end leaves in order. */
import { Outcome } from '@waybill/protocol'
import type { Random } from '../random.js'
import { actionOf, settleIn, settleSome } from './actions.js'
import type { RawChannel } from './raw-channel.js'
import { RawPeer } from './raw-peer.js'
import type { Peer, World } from './world.js'

/** So long it may take to leave in order, or to be thrown out; then it just goes. */
const leaveMs = 45_000

export class RawLife implements Peer {
  readonly #peer: RawPeer
  readonly #random: Random
  readonly #world: World

  constructor(world: World, number: number) {
    this.#world = world
    this.#random = world.random(`raw peer ${number}`)
    this.#peer = new RawPeer(world, this.#random)
    this.#peer.connect()
    if (number === 0 && this.#random.chance(0.85)) this.#peer.openChannel((channel) => settleIn(this.#peer, channel, this.#random))
  }

  get isGone(): boolean {
    return this.#peer.state === 'offline'
  }

  get waitsFor(): string {
    return `a raw peer that is ${this.#peer.state}`
  }

  act(): void {
    const { tally, profile } = this.#world
    if (!this.#peer.isOpen) return
    const open = [...this.#peer.channels.values()].filter((channel) => channel.isOpen)
    if (open.length === 0) {
      if (this.#peer.channels.size === 0) this.#peer.openChannel()
      return
    }
    const action = this.#random.weighted(profile.weights)!
    tally.count(`action ${action}`)
    actionOf[action]({ peer: this.#peer, channel: this.#random.pick(open), random: this.#random })
  }

  /** It works on what it is given, and is done after a while. */
  delivered(channel: RawChannel): void {
    if (!this.#peer.has(channel) || !this.#random.chance(0.6)) return
    this.#world.timeline.in(this.#random.spread(1, 60) - 1, () => {
      if (channel.isOpen && this.#peer.isOpen) settleSome(channel, this.#random)
    })
  }

  calm(): void {
    const { timeline } = this.#world
    timeline.in(this.#random.spread(1, 200), () => {
      if (!this.#peer.isOpen) return
      for (const channel of this.#peer.channels.values()) if (channel.isOpen) channel.settle(0, channel.unsettled.length, Outcome.ack)
      this.#peer.close()
    })
    timeline.in(leaveMs, () => this.#peer.connection?.client.destroy())
  }
}
