/** The channels of one connection: those that are open, and those of which the peer has been told that they are not. [P-2.4, P-2.6] */
import type { ErrorName } from '@waybill/protocol'
import { Refusal } from '../broker/refusal.js'
import { Channel, type ChannelHome } from './channel.js'

const idCount = 0x1_0000

export class ChannelTable {
  readonly #home: ChannelHome
  readonly #open = new Map<number, Channel>()
  #last: Channel | undefined
  /** A bit for each id whose frames are dropped without a word. */
  #silenced: Uint8Array | undefined
  /** Of channels that have ended. */
  #pastPublishedCount = 0
  #pastDeliveredCount = 0

  constructor(home: ChannelHome) {
    this.#home = home
  }

  get size(): number {
    return this.#open.size
  }

  get publishedCount(): number {
    let count = this.#pastPublishedCount
    for (const { publishing } of this) count += publishing.publishedSequence
    return count
  }

  get deliveredCount(): number {
    let count = this.#pastDeliveredCount
    for (const { lastTag } of this) count += lastTag
    return count
  }

  [Symbol.iterator](): IterableIterator<Channel> {
    return this.#open.values()
  }

  /** Hot. */
  get(id: number): Channel | undefined {
    if (this.#last?.id === id) return this.#last
    const channel = this.#open.get(id)
    if (channel !== undefined) this.#last = channel
    return channel
  }

  /** Hot. The channel of a frame. If it is not open the peer is told so: for each request, but for other frames only once. */
  find(id: number, correlation: number): Channel | undefined {
    const channel = this.get(id)
    if (channel !== undefined) return channel
    const isFirst = this.#silence(id)
    if (correlation === 0 && !isFirst) return undefined
    this.#home.replies.error(id, correlation, 'channelUnknown', `channel ${id} is not open; send OPEN first`)
    this.#home.changed()
    return undefined
  }

  open(id: number): object | Refusal {
    const { channelCount } = this.#home.shard.limits
    if (id > channelCount) {
      return new Refusal('limitExceeded', `channel ${id} is above ${channelCount}, the limit channelCount`, { limit: 'channelCountMax' })
    }
    if (this.#open.has(id)) return new Refusal('requestInvalid', `channel ${id} is open`)
    const channel = new Channel(id, this.#home)
    this.#open.set(id, channel)
    if (this.#silenced !== undefined) this.#silenced[id >> 3] &= ~(1 << (id & 7))
    const { publishing } = channel
    publishing.creditUntold = false
    return { creditSequence: publishing.creditSequence, creditSize: publishing.creditSize }
  }

  /** Everything that came before the end is told before it. */
  close(channel: Channel): void {
    channel.endGets()
    this.#home.send()
    this.#open.delete(channel.id)
    if (this.#last === channel) this.#last = undefined
    this.#end(channel)
  }

  /** Ends a channel for a fault of the peer; what still comes for it is dropped. */
  fail(channel: Channel, name: ErrorName, message: string): void {
    const { replies, shard, connection } = this.#home
    this.close(channel)
    this.#home.channelFailed(channel)
    this.#silence(channel.id)
    replies.error(channel.id, 0, name, message)
    this.#home.changed()
    shard.log('warn', 'channel-failed', { connection, channel: channel.id, error: name, message })
  }

  hold(held: boolean): void {
    for (const channel of this) channel.hold(held)
  }

  endGets(): void {
    for (const channel of this) channel.endGets()
  }

  /** The connection ends. */
  release(): void {
    for (const channel of this) this.#end(channel)
    this.#open.clear()
    this.#last = undefined
  }

  #end(channel: Channel): void {
    this.#pastPublishedCount += channel.publishing.publishedSequence
    this.#pastDeliveredCount += channel.lastTag
    channel.close()
  }

  /** Of frames on this id nothing is said any more until it is opened; false if that was so already. */
  #silence(id: number): boolean {
    this.#silenced ??= new Uint8Array(idCount >> 3)
    const bit = 1 << (id & 7)
    if ((this.#silenced[id >> 3] & bit) !== 0) return false
    this.#silenced[id >> 3] |= bit
    return true
  }
}
