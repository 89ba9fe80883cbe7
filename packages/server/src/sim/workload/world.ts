import type { Checkers } from '../checkers/checkers.js'
import type { SimulationFailure } from '../failure.js'
import type { SimNetwork } from '../network/network.js'
import type { Random } from '../random.js'
import type { Tally } from '../tally.js'
import type { Timeline } from '../timeline.js'
import type { Profile } from './profile.js'
import type { RawChannel } from './raw-channel.js'
import type { Vocabulary } from './vocabulary.js'

/** What every simulated client lives in. */
export interface World {
  readonly timeline: Timeline
  readonly network: SimNetwork
  readonly checkers: Checkers
  readonly tally: Tally
  readonly vocabulary: Vocabulary
  readonly profile: Profile
  readonly limits: { readonly messageSizeMax: number; readonly channelCount: number; readonly diskFreeMin: number }
  /** Nothing new is begun, nothing goes wrong any more: what is there is brought to its end. */
  readonly isCalm: boolean
  /** A stream of its own for each purpose. */
  random(purpose: string): Random
  /** A number for bodies, of nobody else. */
  nextPublisher(): number
  /** Something is wrong that cannot be thrown from where it was seen. */
  fail(failure: SimulationFailure): void
  /** A raw peer has been given something. */
  delivered(channel: RawChannel): void
}

/** A client of the simulation. */
export interface Peer {
  /** Something, drawn from its own stream. */
  act(): void
  /** No more of anything new: settle what is held, and leave. */
  calm(): void
  /** It has left, and nothing of it is outstanding. */
  readonly isGone: boolean
  /** What it still waits for, for the words of a failure. */
  readonly waitsFor: string
}
