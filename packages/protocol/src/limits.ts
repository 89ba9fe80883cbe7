/**
 * Every limit of the specification: its default, its error, its clause, its reason. Compared with spec/limits.json by test. [P-9]
 *
 * `wire` limits are part of the format and hold everywhere; the others are a broker's defaults and can be configured.
 */
import type { ErrorName } from './errors.js'
import { headerCountMax, headersSizeMax } from './headers.js'
import { reasonSizeMax } from './settle.js'
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
  openingFrameSizeMax: wire(16 * KiB, 'bytes', 'frameTooLarge', '2.2', 'who has not said HELLO yet cannot make a broker hold more'),
  openingSizeMax: wire(64 * KiB, 'bytes', 'frameTooLarge', '2.6', 'all frames behind HELLO, until it is answered'),
  frameSizeMax: broker(16 * MiB + 64 * KiB, 'bytes', 'frameTooLarge', '2.2', 'the largest message and its headers fit in one frame'),
  otherFrameSizeMax: wire(MiB, 'bytes', 'frameTooLarge', '2.2', 'frames of a client that are not PUBLISH; they need no credit'),
  uncreditedFrameSizeMax: wire(64 * KiB, 'bytes', 'frameTooLarge', '4.6', 'a larger PUBLISH has to be covered by credit'),
  controlSizeMax: wire(64 * KiB, 'bytes', 'requestInvalid', '6.0', 'the body of a request; JSON is parsed in one piece'),
  messageSizeMax: broker(
    16 * MiB,
    'bytes',
    'messageTooLarge',
    '3.1',
    'one message is one record in memory; larger things belong in a store',
  ),
  nameSizeMax: wire(nameSizeMax, 'bytes', 'nameTooLong', '3.3', 'sizes of names are one byte'),
  propertySizeMax: wire(255, 'bytes', 'messageMalformed', '3.4', 'a str8'),
  headerCountMax: wire(headerCountMax, 'count', 'messageMalformed', '3.6', 'headers are compared for bindings'),
  headersSizeMax: wire(headersSizeMax, 'bytes', 'messageMalformed', '3.6', 'headers are read for every message of a headers exchange'),
  reasonSizeMax: wire(reasonSizeMax, 'bytes', 'frameMalformed', '5.4', 'of an entry of SETTLE'),
  connectionCountMax: broker(16_384, 'count', 'limitExceeded', '6.1', 'descriptors and memory of the process'),
  unauthenticatedCountMax: broker(
    1000,
    'count',
    'limitExceeded',
    '7.2',
    'connections that have not said who they are; a flood of them leaves room for others',
  ),
  unauthenticatedPerAddressCountMax: broker(
    20,
    'count',
    'limitExceeded',
    '7.2',
    'of those, from one address that is not this machine, so that one stranger cannot take all the places',
  ),
  channelCountMax: broker(1024, 'count', 'limitExceeded', '2.4', 'of a connection; each has credit and a table of deliveries'),
  consumerCountMax: broker(1024, 'count', 'limitExceeded', '5.1', 'of a channel, waiting GETs included'),
  queueConsumerCountMax: broker(10_000, 'count', 'limitExceeded', '5.1', 'of a queue; they take turns'),
  exchangeCountMax: broker(10_000, 'count', 'limitExceeded', '6.4', 'of the broker'),
  queueCountMax: broker(100_000, 'count', 'limitExceeded', '6.5', 'of the broker'),
  bindingCountMax: broker(1_000_000, 'count', 'limitExceeded', '6.5', 'of the broker'),
  prefetch: broker(256, 'count', 'requestInvalid', '6.6', 'first window of a consumer that does not say; at most 2^32 - 1'),
  prefetchSize: broker(8 * MiB, 'bytes', 'requestInvalid', '6.6', 'first window of a consumer that does not say; at most 2^32 - 1'),
  listCountMax: wire(1000, 'count', 'requestInvalid', '6.7', 'a list comes in pages'),
  waitMsMax: wire(600_000, 'ms', 'requestInvalid', '6.6', 'a waiting GET holds a place in its queue'),
  expiresMsMax: wire(31_536_000_000, 'ms', 'requestInvalid', '6.5', 'a year; longer is for ever'),
  passwordSizeMax: wire(1024, 'count', 'requestInvalid', '6.1', 'characters; to hash a long text costs time'),
  heartbeatMs: broker(20_000, 'ms', 'heartbeatTimeout', '7.1', 'a dead peer is found within a minute'),
  heartbeatMsMin: wire(5000, 'ms', 'requestInvalid', '6.1', 'below it a busy program looks dead'),
  heartbeatMsMax: wire(600_000, 'ms', 'requestInvalid', '6.1', 'above it a dead peer is found too late to matter'),
  handshakeMs: broker(5000, 'ms', 'handshakeTimeout', '7.2', 'a place for a stranger is not kept for long'),
  frameMs: broker(30_000, 'ms', 'frameTimeout', '7.2', 'a half frame holds memory'),
  outboxSizeMax: broker(8 * MiB, 'bytes', 'outboxStalled', '7.3', 'from here on the consumers of a slow connection are held'),
  outboxStallMs: broker(60_000, 'ms', 'outboxStalled', '7.3', 'a reader that has stopped holds messages from others'),
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits
