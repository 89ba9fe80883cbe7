// Hot: once a turn for each session that has something to say, and for each write that is complete.
/**
 * What one connection is told in a turn, gathered, and sent together at its end:
 *
 *     answers ─▶ confirms and credit of each channel ─▶ deliveries ─▶ answers that belong behind them
 */
import type { Slabs } from '../broker/store/slabs.js'
import type { Timers } from '../broker/timers/timed.js'
import type { Transport } from '../ports/transport.js'
import type { Channel } from './channel.js'
import { Congestion, type CongestionHome, type CongestionLimits } from './congestion.js'
import { Deliveries } from './deliveries.js'
import { Outbox } from './outbox.js'
import type { Output } from './output.js'
import { Replies } from './replies.js'

export class Outgoing {
  readonly replies = new Replies()
  readonly deliveries = new Deliveries()
  readonly #transport: Transport
  readonly #slabs: Slabs
  readonly #outbox: Outbox
  readonly #congestion: Congestion
  #channels: Channel[] = []

  constructor(home: CongestionHome, slabs: Slabs, timers: Timers, limits: CongestionLimits) {
    this.#transport = home.transport
    this.#slabs = slabs
    this.#outbox = new Outbox(slabs)
    this.#congestion = new Congestion(home, timers, limits)
  }

  /** Whether the other end does not take its deliveries: none should be gathered. */
  get held(): boolean {
    return this.#congestion.held
  }

  /** Whether it does not even take its answers: nothing more should be asked of us. */
  get isDeaf(): boolean {
    return this.#congestion.isDeaf
  }

  /** Bytes given to the transport and not gone. */
  get waitingSize(): number {
    return this.#outbox.givenSize - this.#transport.takenSize
  }

  /** Whether something waits until the disk has it. */
  get isGated(): boolean {
    return this.#channels.length > 0 || this.replies.isGated
  }

  /** A delivery has been gathered. */
  delivered(): void {
    if (this.deliveries.size >= this.#congestion.roomSize) this.#congestion.full()
  }

  /** A channel has confirms, or credit. */
  channelChanged(channel: Channel): void {
    if (channel.isChanged) return
    channel.isChanged = true
    this.#channels.push(channel)
  }

  /** A channel has ended for a fault: what it had to say is not said. */
  channelFailed(channel: Channel): void {
    this.#channels = this.#channels.filter((other) => other !== channel)
  }

  /** Sends what has been gathered. True if that was something. */
  flush(output: Output, now: number, synced: number, lost: number): boolean {
    const { deliveries } = this
    output.begin(this.#transport, deliveries.pinned)
    if (this.replies.isGated) this.replies.release(synced, lost)
    this.replies.writeBefore(output)
    let waiting = 0
    for (const channel of this.#channels) {
      channel.publishing.write(output, channel.id)
      if (channel.publishing.confirms.pending) this.#channels[waiting++] = channel
      else channel.isChanged = false
    }
    this.#channels.length = waiting
    if (deliveries.count > 0) deliveries.write(this.#slabs, output)
    this.replies.writeAfter(output)
    const taken = output.end()
    if (output.sentSize === 0) return false
    this.#outbox.gave(output.sentSize, deliveries.pinned, taken)
    if (!taken || this.#congestion.held) this.#congestion.look(now)
    return true
  }

  /** The transport has taken something. */
  written(now: number): void {
    this.#outbox.release(this.#transport)
    this.#congestion.look(now)
  }

  /** Nothing more will be gathered; what was given is on its way. */
  end(): void {
    this.#channels = []
    this.#congestion.stop()
  }

  /** The transport has gone. */
  close(): void {
    this.end()
    this.#outbox.close()
    this.deliveries.drop(this.#slabs)
  }
}
