/** The frames that the debug tool sends, each as bytes of its own. What cannot be said on the wire is a WireError. [P-2, P-4.1, P-5] */
import {
  type EncodedMeta,
  encodeMeta,
  encodeName,
  Flag,
  frameHeaderSize,
  type HeaderValue,
  Level,
  noDelay,
  Outcome,
  type Properties,
  publishHeaderSize,
  recordSizeOf,
  settleEntrySize,
  settleFrameSize,
  windowFrameSize,
  writePublishHeader,
  writeRecord,
  writeSettleEntry,
  writeSettleHeader,
  writeWindow,
} from '@waybill/protocol'
import type { TagRange } from './kinds.js'

export interface Draft {
  readonly exchange: string
  readonly key: string
  readonly body: Uint8Array
  readonly persistent: boolean
  readonly properties: Properties
  readonly headers: Readonly<Record<string, HeaderValue>>
}

export interface PublishFlags {
  readonly confirm: boolean
  readonly mandatory: boolean
  readonly atomic: boolean
  readonly level: keyof typeof Level
}

export interface SettleEntry {
  readonly tags: Exclude<TagRange, 'all'>
  readonly outcome: keyof typeof Outcome
  /** Of a retry; undefined: the broker's own back-off. */
  readonly delayMs?: number | undefined
  readonly reason?: string | undefined
}

/** One message as the bytes of a record; published again and again it is the same bytes. */
export function encodeRecord(draft: Draft): Uint8Array {
  const exchange = encodeName(draft.exchange)
  const key = encodeName(draft.key)
  const meta: EncodedMeta = encodeMeta(draft.properties, draft.headers)
  const record = Buffer.alloc(recordSizeOf(exchange, key, meta, draft.body.length))
  writeRecord(record, 0, exchange, key, meta, draft.persistent, draft.body, 0, draft.body.length)
  return record
}

/** A PUBLISH frame with the same record `count` times. */
export function encodePublish(channel: number, flags: PublishFlags, firstSequence: number, record: Uint8Array, count: number): Uint8Array {
  const bits =
    (flags.confirm ? Flag.confirm : 0) |
    (flags.mandatory ? Flag.mandatory : 0) |
    (flags.atomic ? Flag.atomic : 0) |
    (Level[flags.level] << Flag.levelShift)
  const frame = Buffer.alloc(frameHeaderSize + publishHeaderSize + record.length * count)
  let at = writePublishHeader(frame, 0, bits, channel, firstSequence, count, record.length * count)
  for (let i = 0; i < count; i++, at += record.length) frame.set(record, at)
  return frame
}

/** `correlation` 0: no answer is wanted. */
export function encodeSettle(channel: number, correlation: number, entries: readonly SettleEntry[]): Uint8Array {
  const reasons = entries.map(({ reason }) => Buffer.from(reason ?? '', 'utf8'))
  const size = reasons.reduce((sum, reason) => sum + settleEntrySize + reason.length, 0)
  const frame = Buffer.alloc(settleFrameSize(correlation, size))
  let at = writeSettleHeader(frame, 0, channel, correlation, size)
  for (const [i, { tags, outcome, delayMs }] of entries.entries()) {
    at = writeSettleEntry(frame, at, tags.from, tags.through - tags.from + 1, Outcome[outcome], delayMs ?? noDelay, reasons[i])
  }
  return frame
}

export function encodeWindow(channel: number, consumer: number, messageCount: number, size: number): Uint8Array {
  const frame = Buffer.alloc(windowFrameSize)
  writeWindow(frame, 0, channel, consumer, messageCount, size)
  return frame
}
