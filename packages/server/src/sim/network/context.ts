import type { SimClock } from '../clock.js'
import type { Random } from '../random.js'
import type { Tally } from '../tally.js'
import type { Timeline } from '../timeline.js'
import type { SimConnection } from './connection.js'

/** Who sees everything that passes the broker's door, in the order in which the broker sees it. */
export interface Doorkeeper {
  /** Bytes that the broker is given next. */
  arrived(connection: SimConnection, bytes: Buffer): void
  /** Bytes that the broker has written. */
  written(connection: SimConnection, bytes: Buffer): void
  /** The broker ends its side: what it had written will still arrive. */
  ended(connection: SimConnection): void
  /** The broker tears the connection down. */
  destroyed(connection: SimConnection): void
  /** The broker is told next that the connection is gone. */
  closed(connection: SimConnection): void
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
