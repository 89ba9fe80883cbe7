/**
 * A frame taken apart for a person: every field that the protocol puts there, by name. [P-2, P-4, P-5]
 *
 * Works on any bytes. What is wrong with a frame is part of what is shown (`malformed`), because a tool for looking must
 * not go blind when something is odd. Nothing here is hot; the readers of the broker and the client are others, and the
 * layouts are written down here a second time, plainly.
 */
import {
  correlationSize,
  Flag,
  type FrameName,
  frameHeaderSize,
  frameKind,
  Level,
  Outcome,
  readU16,
  readU32,
  wireName,
} from '@waybill/protocol'
import { Fields, Malformed } from './fields.js'
import { type Message, readMessages } from './message.js'

/** As seen from the tool. */
export type Direction = 'in' | 'out'

export interface Frame {
  readonly type: number
  /** As the specification writes it; `0x55` for an unknown type. */
  readonly name: string
  readonly channel: number
  readonly correlation: number | undefined
  readonly flags: readonly string[]
  readonly content: Content
  /** The whole frame, header included. */
  readonly bytes: Uint8Array
}

export type Content =
  | { readonly kind: 'empty' }
  | { readonly kind: 'control'; readonly name: FrameName; readonly body: Readonly<Record<string, unknown>> }
  | { readonly kind: 'publish'; readonly firstSequence: number; readonly messages: readonly Message[] }
  | Delivery
  | { readonly kind: 'settle'; readonly entries: readonly Settlement[] }
  | Confirmation
  | { readonly kind: 'credit'; readonly creditSequence: number; readonly creditSize: number }
  | { readonly kind: 'window'; readonly consumer: number; readonly messageCount: number; readonly size: number }
  | { readonly kind: 'malformed'; readonly why: string }

export interface Delivery {
  readonly kind: 'deliver'
  readonly firstTag: number
  readonly firstMessageId: number
  readonly consumer: number
  readonly deliveryCount: number
  readonly failureCount: number
  readonly messages: readonly Message[]
}

export interface Settlement {
  readonly firstTag: number
  readonly count: number
  readonly outcome: string
  /** Undefined: the broker's own back-off, or not a retry. */
  readonly delayMs: number | undefined
  readonly reason: string
}

export interface Confirmation {
  readonly kind: 'confirm'
  readonly through: number
  readonly creditSequence: number
  readonly creditSize: number
  readonly runs: readonly { firstSequence: number; firstMessageId: number; count: number; queueCount: number; level: string }[]
  readonly exceptions: readonly { sequence: number; code: number; queueCount: number; detail: string }[]
}

const noDelay = 0xffff_ffff
const levelNames = namesOf(Level)
const outcomeNames = namesOf(Outcome)

/** Takes one whole frame apart. The bytes are kept, not copied. */
export function readFrame(bytes: Uint8Array): Frame {
  const type = bytes[4]!
  const flags = bytes[5]!
  const correlated = (flags & Flag.correlated) !== 0
  const from = frameHeaderSize + (correlated ? correlationSize : 0)
  const kind = frameKind(type)
  return {
    type,
    name: kind === undefined ? hexByte(type) : wireName(kind.name),
    channel: readU16(bytes, 6),
    correlation: correlated && bytes.length >= from ? readU32(bytes, frameHeaderSize) : undefined,
    flags: flagNames(kind?.name, flags),
    content: readContent(kind?.name, kind?.body, flags, bytes.subarray(Math.min(from, bytes.length))),
    bytes,
  }
}

function readContent(name: FrameName | undefined, form: string | undefined, flags: number, body: Uint8Array): Content {
  try {
    if (name === undefined) return { kind: 'malformed', why: 'a type that this version does not know' }
    if (form === 'json') return readControl(name, body)
    const fields = new Fields(body)
    const content = readFields(name, flags, fields)
    fields.end()
    return content
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', why: error.message }
    throw error
  }
}

function readControl(name: FrameName, bytes: Uint8Array): Content {
  const body: unknown = new Fields(bytes).json()
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Malformed('not a JSON object')
  return { kind: 'control', name, body: body as Record<string, unknown> }
}

function readFields(name: FrameName, flags: number, fields: Fields): Content {
  switch (name) {
    case 'publish':
      return readPublish(fields)
    case 'deliver':
      return readDeliver(flags, fields)
    case 'settle':
      return readSettle(fields)
    case 'confirm':
      return readConfirm(fields)
    case 'credit':
      return { kind: 'credit', creditSequence: fields.u64(), creditSize: fields.u64() }
    case 'window':
      return { kind: 'window', consumer: fields.u32(), messageCount: fields.u32(), size: fields.u32() }
    default:
      return { kind: 'empty' }
  }
}

function readPublish(fields: Fields): Content {
  const firstSequence = fields.u64()
  const count = fields.u32()
  fields.zero('u32')
  return { kind: 'publish', firstSequence, messages: readMessages(fields, count) }
}

function readDeliver(flags: number, fields: Fields): Content {
  const firstTag = fields.u64()
  const firstMessageId = fields.u64()
  const count = fields.u32()
  const consumer = fields.u32()
  const counts = (flags & Flag.counts) !== 0
  const deliveryCount = counts ? fields.u32() : 1
  const failureCount = counts ? fields.u32() : 0
  const messages = readMessages(fields, count)
  return { kind: 'deliver', firstTag, firstMessageId, consumer, deliveryCount, failureCount, messages }
}

function readSettle(fields: Fields): Content {
  const entries: Settlement[] = []
  while (fields.left > 0) {
    const firstTag = fields.u64()
    const count = fields.u32()
    const outcome = fields.u8()
    fields.zero('u8')
    const reasonSize = fields.u16()
    const delayMs = fields.u32()
    const reason = fields.text(reasonSize)
    entries.push({
      firstTag,
      count,
      outcome: outcomeNames.get(outcome) ?? hexByte(outcome),
      delayMs: delayMs === noDelay ? undefined : delayMs,
      reason,
    })
  }
  if (entries.length === 0) throw new Malformed('no entry')
  return { kind: 'settle', entries }
}

function readConfirm(fields: Fields): Content {
  const through = fields.u64()
  const creditSequence = fields.u64()
  const creditSize = fields.u64()
  const runCount = fields.u32()
  const exceptionCount = fields.u32()
  const runs: Confirmation['runs'][number][] = []
  for (let i = 0; i < runCount; i++) {
    const run = { firstSequence: fields.u64(), firstMessageId: fields.u64(), count: fields.u32(), queueCount: fields.u16() }
    const level = fields.u8()
    fields.zero('u8')
    runs.push({ ...run, level: levelNames.get(level) ?? hexByte(level) })
  }
  const exceptions: Confirmation['exceptions'][number][] = []
  for (let i = 0; i < exceptionCount; i++) {
    const sequence = fields.u64()
    const code = fields.u16()
    const detailSize = fields.u16()
    const queueCount = fields.u32()
    exceptions.push({ sequence, code, queueCount, detail: fields.text(detailSize) })
  }
  return { kind: 'confirm', through, creditSequence, creditSize, runs, exceptions }
}

function flagNames(name: FrameName | undefined, flags: number): string[] {
  const names: string[] = []
  let rest = flags & ~Flag.correlated
  const take = (bit: number, text: string): void => {
    if ((rest & bit) !== 0) names.push(text)
    rest &= ~bit
  }
  if (name === 'publish') {
    take(Flag.confirm, 'confirm')
    take(Flag.mandatory, 'mandatory')
    take(Flag.atomic, 'atomic')
    take(Flag.levelMask, `level=${levelNames.get((flags & Flag.levelMask) >> Flag.levelShift)}`)
  }
  if (name === 'deliver') {
    take(Flag.redelivered, 'redelivered')
    take(Flag.counts, 'counts')
  }
  if (rest !== 0) names.push(`flags=${hexByte(rest)}`)
  return names
}

function namesOf(table: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(table).map(([name, value]) => [value, name]))
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`
}
