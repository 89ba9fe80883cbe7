import type { Random } from '../random.js'
import type { RawChannel } from './raw-channel.js'
import type { RawPeer } from './raw-peer.js'

/** Who does something, and where. */
export interface Scene {
  readonly peer: RawPeer
  readonly channel: RawChannel
  readonly random: Random
}
