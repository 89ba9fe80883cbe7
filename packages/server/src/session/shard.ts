/** What the sessions of a shard share. */
import { type HelloResult, limits as wireLimits } from '@waybill/protocol'
import type { Broker } from '../broker/broker.js'
import type { Timers } from '../broker/timers/timed.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Authenticator } from './access.js'
import type { PublisherCredit } from './credit.js'
import type { FrameRecords } from './frame-records.js'
import type { IntakeShare } from './intake-share.js'
import type { Meter } from './meter.js'
import type { Output } from './output.js'

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

export interface Shard {
  readonly broker: Broker
  readonly timers: Timers
  readonly credit: PublisherCredit
  readonly output: Output
  /** What sessions hold for messages, besides the messages. */
  readonly meter: Meter
  readonly intakes: IntakeShare
  readonly records: FrameRecords
  readonly clock: Clock
  readonly log: Logger
  readonly limits: SessionLimits
  readonly authenticator: Authenticator
  /** Identity of the log that message ids belong to. */
  readonly logId: string
  readonly serverVersion: string
}

/** The answer to HELLO. [P-6.1] */
export function helloResult({ serverVersion, logId, limits, credit, broker }: Shard, connection: number, heartbeatMs: number): HelloResult {
  const { frameSizeMax, messageSizeMax, channelCount, consumerCount } = limits
  return {
    server: { product: 'waybill', version: serverVersion },
    log: logId,
    connection,
    heartbeatMs,
    keeps: broker.journal.keeps ? 'disk' : 'nothing',
    limits: {
      frameSizeMax,
      messageSizeMax,
      channelCountMax: channelCount,
      consumerCountMax: consumerCount,
      nameSizeMax: wireLimits.nameSizeMax.value as HelloResult['limits']['nameSizeMax'],
    },
    blocked: credit.blocked ?? null,
  }
}
