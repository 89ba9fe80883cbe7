/** The shard that sessions live in, as they see it. */
import { type HelloResult, limits as wireLimits } from '@waybill/protocol'
import type { Broker } from '../broker/broker.js'
import type { Refusal } from '../broker/refusal.js'
import type { Timers } from '../broker/timers/timed.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/log.js'
import type { Authenticator } from './access.js'
import type { PublisherCredit } from './credit.js'
import type { IntakeShare } from './intake-share.js'
import type { Meter } from './meter.js'
import type { Output } from './output.js'
import type { ListQuery } from './requests.js'

/** What a session may do; the defaults and reasons stand in `../limits.ts`. */
export interface SessionLimits {
  readonly frameSizeMax: number
  readonly messageSizeMax: number
  readonly channelCount: number
  readonly consumerCount: number
  readonly outboxSizeMax: number
  readonly outboxStallMs: number
  readonly handshakeMs: number
  readonly frameMs: number
  readonly heartbeatMs: number
}

export interface SessionHome<Session> {
  readonly broker: Broker
  readonly timers: Timers
  readonly credit: PublisherCredit
  readonly output: Output
  /** What sessions hold for messages, besides the messages. */
  readonly meter: Meter
  readonly intakes: IntakeShare
  readonly clock: Clock
  readonly log: Logger
  readonly limits: SessionLimits
  readonly authenticator: Authenticator
  /** Identity of the log that message ids belong to. */
  readonly logId: string
  readonly serverVersion: string
  /** Counts the session among the open ones, or says why it cannot be one. */
  admit(session: Session): Refusal | undefined
  /** It has something to send, or work for the broker: a turn is needed. */
  changed(session: Session): void
  /** Call `turnBegan` in the next turn. */
  again(session: Session): void
  /** It will say its last words and go: its place is free. */
  ending(session: Session): void
  /** Its transport has gone. */
  closed(session: Session): void
  list(session: Session, query: ListQuery): object | Refusal
}

type HelloHome = Pick<SessionHome<never>, 'serverVersion' | 'logId' | 'limits' | 'credit'>

/** The answer to HELLO. [P-6.1] */
export function helloResult({ serverVersion, logId, limits, credit }: HelloHome, connection: number, heartbeatMs: number): HelloResult {
  const { frameSizeMax, messageSizeMax, channelCount, consumerCount } = limits
  return {
    server: { product: 'waybill', version: serverVersion },
    log: logId,
    connection,
    heartbeatMs,
    keeps: 'nothing',
    limits: {
      frameSizeMax,
      messageSizeMax,
      channelCountMax: channelCount,
      consumerCountMax: consumerCount,
      nameSizeMax: wireLimits.nameSizeMax.value as HelloResult['limits']['nameSizeMax'],
    },
    blocked: credit.blocked ? 'memory' : null,
  }
}
