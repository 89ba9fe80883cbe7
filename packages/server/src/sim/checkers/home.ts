/** What the expectations of all connections have in common. */
import type { ErrorName } from '@waybill/protocol'
import type { Tally } from '../tally.js'
import type { PlainFrame, PlainRecord } from './frames.js'
import type { ExpectedNames } from './names.js'
import type { TakenMessage } from './copies.js'
import type { ExpectedQueue } from './queue.js'
import type { ExpectedAnswer } from './requests.js'

export interface SessionLimits {
  readonly messageSizeMax: number
  readonly channelCount: number
  readonly frameMs: number
  readonly handshakeMs: number
  readonly outboxStallMs: number
}

export interface SessionHome {
  readonly names: ExpectedNames
  readonly tally: Tally
  readonly limits: SessionLimits
  /** What comes between two turns. */
  readonly batch: number
  /** The broker's time. */
  readonly now: number
  /** Rises with every frame that is carried out and every other thing that happens to what is kept: what has a lower one has been written before. */
  stamp: number
  /** Whether the broker keeps anything. */
  readonly keeps: boolean
  /** Whether its disk has failed, or is full, and the broker need not have taken it up again. */
  readonly isDiskOut: boolean
  readonly draining: boolean
  /** Milliseconds in which the broker's process was held up. */
  readonly stalledMs: number
  /** Whether that was so at any moment since then. */
  wasDiskOutSince(stamp: number): boolean
  /** Whether a record of this size may be one too many for the memory there is. */
  mayBeFull(size: number): boolean
  /** What a record that was spoilt on purpose must be refused with. */
  spoiltRecord(name: string): ErrorName | undefined
  /** The broker must take this message. */
  take(record: PlainRecord): TakenMessage
  /** Somebody was told what nobody is told before the disk has it: everything up to this stamp is kept. */
  safeThrough(stamp: number): void
  /** A client has settled a message for good. */
  settled(connection: number, message: string, outcome: 'acked' | 'rejected'): void
  /** Whether a message that was published more than once can have this id, by those that were taken before and after it. */
  canHaveId(message: TakenMessage, id: number): boolean
  /** How many messages a queue has: what must be so, or, where several counts can be, what is. */
  countOf(queue: ExpectedQueue): number
  /** The queue is gone, and its consumers with it. */
  dropQueue(queue: ExpectedQueue): void
}

export interface Waiting {
  readonly frame: PlainFrame
  readonly name: string
  readonly answer: ExpectedAnswer
  /** Answered before all that come later on its channel; a `get` and what waits for the disk are answered when they can be. */
  readonly inOrder: boolean
  readonly stamp: number
}
