/**
 * Frames as vectors and transcripts write them down: plain JSON with the words of the specification.
 *
 *     { "type": "SETTLE", "channel": 1, "entries": [{ "firstTag": 1, "count": 1, "outcome": "ack", "delayMs": null, "reason": "" }] }
 *
 * `describeFrame` reads bytes into it, `encodeFrame` makes bytes of it; each is the other's mirror. Slow and plain on purpose.
 */
import { viewOf } from '../bytes.js'
import * as confirm from '../confirm.js'
import { encodeControl } from '../control.js'
import * as credit from '../credit.js'
import * as deliver from '../deliver.js'
import { Flag, Level, Outcome, frameKind, writeCorrelatedHeader, writeFrameHeader, type FrameKind, wireName, frameKinds } from '../frame.js'
import { headersFromJson, headersToJson, type JsonHeaders } from '../header-json.js'
import type { Properties } from '../properties.js'
import * as publish from '../publish.js'
import { encodeMeta, readRecord, recordSize, recordSizeOf, writeRecord } from '../record.js'
import * as settle from '../settle.js'
import { encodeName, encodeText, readText } from '../text.js'
import { isUtf8 } from '../utf8.js'
import * as window from '../window.js'

export interface RecordNotation {
  readonly exchange: string
  readonly routingKey: string
  readonly persistent: boolean
  readonly properties: Properties
  readonly headers: JsonHeaders
  /** Hex. */
  readonly body: string
}

/** Fields beyond these depend on the type; see spec/vectors/README.md. */
export interface FrameNotation {
  /** A name of clause 2.5, or `0x55` for another type. */
  readonly type: string
  readonly channel: number
  readonly correlation?: number
  readonly [field: string]: unknown
}

interface Whole {
  readonly bytes: Uint8Array
  readonly flags: number
  readonly channel: number
  readonly from: number
  readonly to: number
}

/**
 * What a frame says, whose header, layout and records have been checked. A body that has no notation of its own, or is not JSON
 * where it should be, is given as `body` in hex.
 */
export function describeFrame(
  bytes: Uint8Array,
  type: number,
  flags: number,
  channel: number,
  correlation: number,
  from: number,
  to: number,
): FrameNotation {
  const kind = frameKind(type)
  const base = { type: typeName(type, kind), channel, ...(correlation === 0 ? {} : { correlation }) }
  const whole = { bytes, flags, channel, from, to }
  const json = kind?.body === 'json' && isUtf8(bytes, from, to) ? parsed(readText(bytes, from, to)) : undefined
  if (json !== undefined) return { ...base, json }
  const describe = kind === undefined ? undefined : describers[kind.name]
  if (describe !== undefined) return { ...base, ...describe(whole) }
  return { ...base, body: Buffer.from(bytes.subarray(from, to)).toString('hex') }
}

/** A frame as it came, with its body in hex and its flags, CORRELATED left out. */
export function rawFrame(
  bytes: Uint8Array,
  type: number,
  flags: number,
  channel: number,
  correlation: number,
  from: number,
  to: number,
): FrameNotation {
  const base = { type: typeName(type, frameKind(type)), channel, ...(correlation === 0 ? {} : { correlation }) }
  return { ...base, flags: flags & ~Flag.correlated, body: Buffer.from(bytes.subarray(from, to)).toString('hex') }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function typeName(type: number, kind: FrameKind | undefined): string {
  return kind === undefined ? `0x${type.toString(16).padStart(2, '0')}` : wireName(kind.name)
}

const describers: { readonly [name: string]: (frame: Whole) => object } = {
  publish({ bytes, flags, from, to }) {
    const level = (flags & Flag.levelMask) >> Flag.levelShift
    return {
      flags: flagNames(flags, { CONFIRM: Flag.confirm, MANDATORY: Flag.mandatory, ATOMIC: Flag.atomic }),
      ...(level === Level.best ? {} : { level: nameOf(Level, level) }),
      firstSequence: publish.publishFirstSequence(bytes, from),
      records: describeRecords(bytes, from + publish.publishHeaderSize, to),
    }
  },
  deliver({ bytes, flags, from, to }) {
    return {
      flags: flagNames(flags, { REDELIVERED: Flag.redelivered, COUNTS: Flag.counts }),
      firstTag: deliver.deliverFirstTag(bytes, from),
      firstMessageId: deliver.deliverFirstMessageId(bytes, from),
      consumer: deliver.deliverConsumer(bytes, from),
      deliveryCount: deliver.deliveryCount(bytes, flags, from),
      failureCount: deliver.failureCount(bytes, flags, from),
      records: describeRecords(bytes, deliver.deliverRecordsStart(flags, from), to),
    }
  },
  settle({ bytes, from, to }) {
    const entries = []
    for (let at = from; at < to; at = settle.settleEntryEnd(bytes, at)) {
      const delayMs = settle.settleDelayMs(bytes, at)
      entries.push({
        firstTag: settle.settleFirstTag(bytes, at),
        count: settle.settleCount(bytes, at),
        outcome: nameOf(Outcome, settle.settleOutcome(bytes, at)),
        delayMs: delayMs === settle.noDelay ? null : delayMs,
        reason: readText(bytes, settle.settleReasonStart(at), settle.settleEntryEnd(bytes, at)),
      })
    }
    return { entries }
  },
  confirm({ bytes, from, to }) {
    const runs = []
    for (let i = 0; i < confirm.confirmRunCount(bytes, from); i++) {
      const at = confirm.confirmRunStart(from, i)
      runs.push({
        firstSequence: confirm.runFirstSequence(bytes, at),
        firstMessageId: confirm.runFirstMessageId(bytes, at),
        count: confirm.runMessageCount(bytes, at),
        queueCount: confirm.runQueueCount(bytes, at),
        level: nameOf(Level, confirm.runLevel(bytes, at)),
      })
    }
    const exceptions = []
    for (let at = confirm.confirmExceptionsStart(bytes, from); at < to; at = confirm.exceptionEnd(bytes, at)) {
      exceptions.push({
        sequence: confirm.exceptionSequence(bytes, at),
        code: confirm.exceptionCode(bytes, at),
        queueCount: confirm.exceptionQueueCount(bytes, at),
        detail: readText(bytes, confirm.exceptionDetailStart(at), confirm.exceptionEnd(bytes, at)),
      })
    }
    const through = confirm.confirmThrough(bytes, from)
    const creditSequence = confirm.confirmCreditSequence(bytes, from)
    return { through, creditSequence, creditSize: confirm.confirmCreditSize(bytes, from), runs, exceptions }
  },
  credit: ({ bytes, from }) => ({ creditSequence: credit.creditSequence(bytes, from), creditSize: credit.creditSize(bytes, from) }),
  window: ({ bytes, from }) => ({
    consumer: window.windowConsumer(bytes, from),
    messageCount: window.windowMessageCount(bytes, from),
    size: window.windowSize(bytes, from),
  }),
  heartbeat: () => ({}),
}

function describeRecords(bytes: Uint8Array, from: number, to: number): RecordNotation[] {
  const records = []
  for (let at = from; at < to; at += recordSize(bytes, at)) records.push(describeRecord(bytes, at))
  return records
}

/** What a record says that has been checked. */
export function describeRecord(bytes: Uint8Array, at: number): RecordNotation {
  const { body, headers, properties, exchange, routingKey, persistent } = readRecord(bytes, at)
  return { exchange, routingKey, persistent, properties, headers: headersToJson(headers), body: Buffer.from(body).toString('hex') }
}

/** The bytes of one frame. `body` in hex stands for a body without notation; `flags` may be a number then. */
export function encodeFrame(notation: FrameNotation): Buffer {
  const kind = frameKinds.find((each) => wireName(each.name) === notation.type)
  const type = kind?.type ?? Number(notation.type)
  if (!(type >= 0 && type <= 255)) throw new Error(`no frame type '${notation.type}'`)
  const { correlation = 0 } = notation
  const channel = notation.channel ?? 0
  if (typeof notation.body === 'string') return raw(type, notation, Buffer.from(notation.body, 'hex'))
  if (notation.json !== undefined) return encodeControl(type, channel, correlation, notation.json as object)
  const encode = kind === undefined ? undefined : encoders[kind.name]
  if (encode === undefined) return raw(type, notation, Buffer.alloc(0))
  return encode({ ...notation, channel, correlation } as never)
}

function raw(type: number, notation: FrameNotation, body: Buffer): Buffer {
  const { channel = 0, correlation } = notation
  const flags = typeof notation.flags === 'number' ? notation.flags : 0
  const frame = Buffer.alloc(body.length + 12)
  const at =
    correlation === undefined
      ? writeFrameHeader(frame, 0, type, flags, channel, body.length)
      : writeCorrelatedHeader(frame, 0, type, flags, channel, correlation, body.length)
  body.copy(frame, at)
  return frame.subarray(0, at + body.length)
}

interface PublishNotation {
  readonly channel: number
  readonly flags?: readonly string[]
  readonly level?: keyof typeof Level
  readonly firstSequence: number
  readonly records: readonly RecordNotation[]
}

interface DeliverNotation {
  readonly channel: number
  readonly flags?: readonly string[]
  readonly firstTag: number
  readonly firstMessageId: number
  readonly consumer: number
  readonly deliveryCount: number
  readonly failureCount: number
  readonly records: readonly RecordNotation[]
}

interface SettleNotation {
  readonly channel: number
  readonly correlation: number
  readonly entries: readonly { firstTag: number; count: number; outcome: keyof typeof Outcome; delayMs: number | null; reason: string }[]
}

interface ConfirmNotation {
  readonly channel: number
  readonly through: number
  readonly creditSequence: number
  readonly creditSize: number
  readonly runs: readonly { firstSequence: number; firstMessageId: number; count: number; queueCount: number; level: keyof typeof Level }[]
  readonly exceptions: readonly { sequence: number; code: number; queueCount: number; detail: string }[]
}

const encoders: { readonly [name: string]: (notation: never) => Buffer } = {
  publish({ channel, flags = [], level = 'best', firstSequence, records }: PublishNotation) {
    const bits =
      flagBits(flags, { CONFIRM: Flag.confirm, MANDATORY: Flag.mandatory, ATOMIC: Flag.atomic }) | (Level[level] << Flag.levelShift)
    const encoded = records.map(encodeRecord)
    const size = sum(encoded)
    const frame = Buffer.alloc(8 + publish.publishHeaderSize + size)
    const at = publish.writePublishHeader(frame, 0, bits, channel, firstSequence, records.length, size)
    return append(frame, at, encoded)
  },
  deliver({ channel, flags = [], firstTag, firstMessageId, consumer, deliveryCount, failureCount, records }: DeliverNotation) {
    const bits = flagBits(flags, { REDELIVERED: Flag.redelivered, COUNTS: Flag.counts })
    const encoded = records.map(encodeRecord)
    const size = sum(encoded)
    const frame = Buffer.alloc(8 + deliver.deliverRecordsStart(bits, 0) + size)
    const count = records.length
    const at = deliver.writeDeliverHeader(
      viewOf(frame),
      0,
      bits,
      channel,
      firstTag,
      firstMessageId,
      count,
      consumer,
      deliveryCount,
      failureCount,
      size,
    )
    return append(frame, at, encoded)
  },
  settle({ channel, correlation, entries }: SettleNotation) {
    const reasons = entries.map(({ reason }) => encodeText(reason, 'a reason'))
    const size = entries.length * settle.settleEntrySize + sum(reasons)
    const frame = Buffer.alloc(settle.settleFrameSize(correlation, size))
    let at = settle.writeSettleHeader(frame, 0, channel, correlation, size)
    entries.forEach(({ firstTag, count, outcome, delayMs }, i) => {
      at = settle.writeSettleEntry(frame, at, firstTag, count, Outcome[outcome], delayMs ?? settle.noDelay, reasons[i])
    })
    return frame
  },
  confirm({ channel, through, creditSequence, creditSize, runs, exceptions }: ConfirmNotation) {
    const details = exceptions.map(({ detail }) => encodeText(detail, 'a detail'))
    const size = runs.length * confirm.confirmRunSize + exceptions.length * confirm.confirmExceptionSize + sum(details)
    const frame = Buffer.alloc(8 + confirm.confirmHeaderSize + size)
    let at = confirm.writeConfirmHeader(frame, 0, channel, through, creditSequence, creditSize, runs.length, exceptions.length, size)
    for (const { firstSequence, firstMessageId, count, queueCount, level } of runs) {
      at = confirm.writeConfirmRun(frame, at, firstSequence, firstMessageId, count, queueCount, Level[level])
    }
    exceptions.forEach(({ sequence, code, queueCount }, i) => {
      at = confirm.writeConfirmException(frame, at, sequence, code, queueCount, details[i])
    })
    return frame
  },
  credit({ channel, creditSequence, creditSize }: { channel: number; creditSequence: number; creditSize: number }) {
    const frame = Buffer.alloc(credit.creditFrameSize)
    credit.writeCredit(frame, 0, channel, creditSequence, creditSize)
    return frame
  },
  window({ channel, consumer, messageCount, size }: { channel: number; consumer: number; messageCount: number; size: number }) {
    const frame = Buffer.alloc(window.windowFrameSize)
    window.writeWindow(frame, 0, channel, consumer, messageCount, size)
    return frame
  },
}

/** The bytes of one record. */
export function encodeRecord({ exchange, routingKey, persistent, properties, headers, body }: RecordNotation): Buffer {
  const exchangeName = encodeName(exchange)
  const key = encodeName(routingKey)
  const meta = encodeMeta(properties, headersFromJson(headers))
  const content = Buffer.from(body, 'hex')
  const bytes = Buffer.alloc(recordSizeOf(exchangeName, key, meta, content.length))
  writeRecord(bytes, 0, exchangeName, key, meta, persistent, content, 0, content.length)
  return bytes
}

function append(frame: Buffer, at: number, parts: readonly Uint8Array[]): Buffer {
  let end = at
  for (const part of parts) {
    frame.set(part, end)
    end += part.length
  }
  return frame
}

function sum(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, part) => total + part.length, 0)
}

function flagNames(flags: number, names: Readonly<Record<string, number>>): string[] {
  return Object.keys(names).filter((name) => (flags & names[name]) !== 0)
}

function flagBits(flags: readonly string[], names: Readonly<Record<string, number>>): number {
  let bits = 0
  for (const flag of flags) {
    if (names[flag] === undefined) throw new Error(`no flag '${flag}'`)
    bits |= names[flag]
  }
  return bits
}

function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  const name = Object.keys(table).find((key) => table[key] === value)
  if (name === undefined) throw new Error(`no name for ${value}`)
  return name
}
