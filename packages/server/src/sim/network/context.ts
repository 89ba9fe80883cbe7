import type { SimClock } from '../clock.js'
import type { Random } from '../random.js'
import type { Tally } from '../tally.js'
import type { Timeline } from '../timeline.js'
import type { Pipe } from './pipe.js'

/** A connection as it is seen from the broker's door. */
export interface DoorConnection {
  readonly number: number
  /** When the broker accepted it. */
  readonly establishedAt: number
  /** `isPaused`: the broker does not want to read. */
  readonly up: { readonly isReadable: boolean; readonly isPaused: boolean; readonly size: number }
  readonly broker: {
    /** When bytes came last, and when one was taken last: ms. */
    readonly arrivedAt: number
    readonly takenAt: number
    readonly pendingSize: number
    /** Nothing more can be written to it. */
    readonly isClosing: boolean
  }
  /** Whether the client has ended, or is about to. */
  readonly client: { readonly isLeaving: boolean }
}

/** A connection as its ends see it. */
export interface Wire extends DoorConnection {
  readonly up: Pipe
  readonly down: Pipe
  /** The broker has destroyed its end. */
  abandonedByBroker(): void
  abandonedByClient(): void
}

/** Who sees everything that passes the broker's door, in the order in which the broker sees it. */
export interface Doorkeeper {
  /** Bytes that the broker is given next. It may read them then, or leave some of them for later. */
  arrived(connection: DoorConnection, bytes: Buffer): void
  /** Bytes that the broker has written. */
  written(connection: DoorConnection, bytes: Buffer): void
  /** The broker ends its side: what it had written will still arrive. */
  ended(connection: DoorConnection): void
  /** The broker tears the connection down. */
  destroyed(connection: DoorConnection): void
  /** The broker is told next that the connection is gone. */
  closed(connection: DoorConnection): void
}

/** Memory that bytes land in for the time of a read. It is spoiled afterwards, as the next read of any socket would. */
export interface Landing {
  readonly buffer: Uint8Array
  readonly start: number
  readonly size: number
}

export interface NetworkContext {
  readonly timeline: Timeline
  readonly clock: SimClock
  readonly random: Random
  readonly doorkeeper: Doorkeeper
  readonly brokerLanding: Landing
  readonly clientLanding: Landing
  readonly tally: Tally
  /** The broker cannot say where bytes land: as with TLS. */
  readonly readsByData: boolean
}

const spoiled = 0xdb

/** Lets somebody read a piece where it landed. */
export function land({ buffer, start }: Landing, piece: Buffer, read: (bytes: Uint8Array, from: number, to: number) => void): void {
  const end = start + piece.length
  piece.copy(buffer, start)
  read(buffer, start, end)
  buffer.fill(spoiled, start, end)
}
