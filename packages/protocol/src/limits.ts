/**
 * Every limit of the specification: its default, its error, its clause, its reason. Compared with spec/limits.json by test. [P-9]
 *
 * `wire` limits are part of the format and hold everywhere; the others are a broker's defaults and can be configured.
 */
import type { ErrorName } from './errors.js'
import { headerCountMax, headersSizeMax } from './headers.js'
import { nameSizeMax } from './text.js'

const KiB = 1024
const MiB = 1024 * KiB

export interface Limit {
  readonly value: number
  readonly unit: 'bytes' | 'count' | 'ms'
  readonly error: ErrorName
  readonly clause: string
  /** Fixed by the format, not configurable. */
  readonly wire: boolean
  readonly reason: string
}

function wire(value: number, unit: Limit['unit'], error: ErrorName, clause: string, reason: string): Limit {
  return { value, unit, error, clause, wire: true, reason }
}

function broker(value: number, unit: Limit['unit'], error: ErrorName, clause: string, reason: string): Limit {
  return { value, unit, error, clause, wire: false, reason }
}

export const limits = {
  openingFrameSizeMax: wire(16 * KiB, 'bytes', 'frameTooLarge', '2.2', 'who has not said HELLO yet cannot make us hold more'),
  frameSizeMax: broker(16 * MiB + 64 * KiB, 'bytes', 'frameTooLarge', '2.2', 'the largest message and its headers fit in one frame'),
  messageSizeMax: broker(16 * MiB, 'bytes', 'messageTooLarge', '3.1', 'one message is one record in memory; larger things belong in a store'),
  controlSizeMax: wire(64 * KiB, 'bytes', 'requestInvalid', '6.0', 'JSON is parsed in one piece'),
  nameSizeMax: wire(nameSizeMax, 'bytes', 'nameTooLong', '3.3', 'sizes of names are one byte'),
  headerCountMax: wire(headerCountMax, 'count', 'messageMalformed', '3.6', 'headers are compared for bindings'),
  headersSizeMax: wire(headersSizeMax, 'bytes', 'messageMalformed', '3.6', 'headers are read for every message of a headers exchange'),
  channelCountMax: broker(1024, 'count', 'limitExceeded', '2.4', 'each channel has credit and a table of deliveries'),
  consumerCountMax: broker(1024, 'count', 'limitExceeded', '5.1', 'of one channel; each has a place in the round robin of its queue'),
  connectionCountMax: broker(16 * KiB, 'count', 'limitExceeded', '6.1', 'descriptors and memory of the process'),
  queueCountMax: broker(100_000, 'count', 'limitExceeded', '6.5', 'of one virtual host'),
  exchangeCountMax: broker(10_000, 'count', 'limitExceeded', '6.4', 'of one virtual host'),
  bindingCountMax: broker(1_000_000, 'count', 'limitExceeded', '6.5', 'of one virtual host'),
  handshakeMs: broker(5_000, 'ms', 'handshakeTimeout', '7.2', 'a place for a stranger is not kept for long'),
  frameMs: broker(30_000, 'ms', 'frameTimeout', '7.2', 'a half frame holds memory'),
  heartbeatMsMin: wire(5_000, 'ms', 'requestInvalid', '6.1', 'below it a busy program looks dead'),
  heartbeatMsMax: wire(600_000, 'ms', 'requestInvalid', '6.1', 'above it a dead peer is found too late to matter'),
  heartbeatMs: broker(20_000, 'ms', 'heartbeatTimeout', '7.1', 'a dead peer is found within a minute'),
  outboxSizeMax: broker(8 * MiB, 'bytes', 'outboxStalled', '7.3', 'deliveries that wait for a slow socket'),
  outboxStallMs: broker(60_000, 'ms', 'outboxStalled', '7.3', 'a reader that has stopped holds messages from others'),
  prefetch: broker(256, 'count', 'requestInvalid', '6.6', 'default window of a consumer'),
  prefetchSize: broker(8 * MiB, 'bytes', 'requestInvalid', '6.6', 'default window of a consumer'),
  listCountMax: wire(1_000, 'count', 'requestInvalid', '6.7', 'a list comes in pages'),
  waitMsMax: wire(600_000, 'ms', 'requestInvalid', '6.6', 'a waiting GET holds a place in its queue'),
  expiresMsMax: wire(31_536_000_000, 'ms', 'requestInvalid', '6.5', 'a year; longer is for ever'),
  passwordSizeMax: wire(1024, 'count', 'requestInvalid', '6.1', 'a hash of a long text costs time'),
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits
