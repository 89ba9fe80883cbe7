/**
 * The frame: its header, its types, and who may send which where. [P-2]
 *
 *     u32 size (of what follows) | u8 type | u8 flags | u16 channel | [u32 correlation] | body
 *
 * The table below is the table of clause 2.5. What it says of direction, channel, correlation and flags is checked by
 * `frameFault`, once for each frame, by whoever holds the connection; the reader (frame-reader.ts) knows sizes only.
 */
import type { ErrorName } from './errors.js'

/** `u32 size | u8 type | u8 flags | u16 channel` */
export const frameHeaderSize = 8
/** The correlation id behind the header, when flag CORRELATED is set. */
export const correlationSize = 4
/** The size field does not count itself. */
export const sizeFieldSize = 4

export const FrameType = {
  publish: 0x01,
  deliver: 0x02,
  settle: 0x03,
  confirm: 0x04,
  credit: 0x05,
  window: 0x06,
  heartbeat: 0x07,
  hello: 0x10,
  result: 0x11,
  error: 0x12,
  open: 0x13,
  close: 0x14,
  status: 0x15,
  list: 0x16,
  declareExchange: 0x20,
  checkExchange: 0x21,
  deleteExchange: 0x22,
  bindExchange: 0x23,
  unbindExchange: 0x24,
  declareQueue: 0x28,
  checkQueue: 0x29,
  deleteQueue: 0x2a,
  purgeQueue: 0x2b,
  bindQueue: 0x2c,
  unbindQueue: 0x2d,
  consume: 0x30,
  cancel: 0x31,
  cancelled: 0x32,
  get: 0x33,
} as const

export type FrameName = keyof typeof FrameType

/** Flags of the frame header. Bit 0 has one meaning everywhere, the others belong to their type. [P-2.3, P-4.1, P-5.2] */
export const Flag = {
  correlated: 0x01,
  /** PUBLISH: name the messages in a run of CONFIRM. */
  confirm: 0x02,
  /** PUBLISH: a message that no queue takes is refused with `unroutable`. */
  mandatory: 0x04,
  /** PUBLISH: one outcome for the whole frame. */
  atomic: 0x08,
  /** PUBLISH: two bits, a `Level`. */
  levelMask: 0x30,
  levelShift: 4,
  /** DELIVER */
  redelivered: 0x02,
  /** DELIVER: delivery count and failure count stand before the records. */
  counts: 0x04,
} as const

/** How safe a message is; as a wish (PUBLISH) 0 is the best that it can have, as a fact (CONFIRM) 0 does not occur. */
export const Level = { best: 0, received: 1, written: 2, synced: 3 } as const
export type Level = (typeof Level)[keyof typeof Level]

export const Outcome = { ack: 1, requeue: 2, retry: 3, reject: 4 } as const
export type Outcome = (typeof Outcome)[keyof typeof Outcome]

export interface FrameKind {
  readonly name: FrameName
  readonly type: number
  readonly from: 'client' | 'server' | 'both'
  readonly body: 'binary' | 'json' | 'empty'
  readonly correlated: 'never' | 'always' | 'either'
  /** Where it travels: on the connection (0), on an opened channel (1 and up), or on both. */
  readonly channel: 'connection' | 'channel' | 'both'
  /** The flag bits that it may have, CORRELATED included. */
  readonly flags: number
}

function kind(
  name: FrameName,
  from: FrameKind['from'],
  body: FrameKind['body'],
  correlated: FrameKind['correlated'],
  channel: FrameKind['channel'],
  ownFlags = 0,
): FrameKind {
  const flags = correlated === 'never' ? ownFlags : ownFlags | Flag.correlated
  return { name, type: FrameType[name], from, body, correlated, channel, flags }
}

const kinds: readonly FrameKind[] = [
  kind('publish', 'client', 'binary', 'never', 'channel', Flag.confirm | Flag.mandatory | Flag.atomic | Flag.levelMask),
  kind('deliver', 'server', 'binary', 'never', 'channel', Flag.redelivered | Flag.counts),
  kind('settle', 'client', 'binary', 'either', 'channel'),
  kind('confirm', 'server', 'binary', 'never', 'channel'),
  kind('credit', 'server', 'binary', 'never', 'channel'),
  kind('window', 'client', 'binary', 'never', 'channel'),
  kind('heartbeat', 'both', 'empty', 'never', 'connection'),
  kind('hello', 'client', 'json', 'always', 'connection'),
  kind('result', 'server', 'json', 'always', 'both'),
  kind('error', 'server', 'json', 'either', 'both'),
  kind('open', 'client', 'json', 'always', 'channel'),
  kind('close', 'client', 'json', 'always', 'both'),
  kind('status', 'server', 'json', 'never', 'connection'),
  kind('list', 'client', 'json', 'always', 'connection'),
  kind('declareExchange', 'client', 'json', 'always', 'channel'),
  kind('checkExchange', 'client', 'json', 'always', 'channel'),
  kind('deleteExchange', 'client', 'json', 'always', 'channel'),
  kind('bindExchange', 'client', 'json', 'always', 'channel'),
  kind('unbindExchange', 'client', 'json', 'always', 'channel'),
  kind('declareQueue', 'client', 'json', 'always', 'channel'),
  kind('checkQueue', 'client', 'json', 'always', 'channel'),
  kind('deleteQueue', 'client', 'json', 'always', 'channel'),
  kind('purgeQueue', 'client', 'json', 'always', 'channel'),
  kind('bindQueue', 'client', 'json', 'always', 'channel'),
  kind('unbindQueue', 'client', 'json', 'always', 'channel'),
  kind('consume', 'client', 'json', 'always', 'channel'),
  kind('cancel', 'client', 'json', 'always', 'channel'),
  kind('cancelled', 'server', 'json', 'never', 'channel'),
  kind('get', 'client', 'json', 'always', 'channel'),
]

const kindByType: (FrameKind | undefined)[] = new Array(256).fill(undefined)
for (const each of kinds) kindByType[each.type] = each

/** All frame types, in the order of their numbers. */
export const frameKinds: readonly FrameKind[] = kinds

/** What is known of a frame type, or undefined for an unknown one. */
export function frameKind(type: number): FrameKind | undefined {
  return kindByType[type]
}

/** A named fault and what it says; the first one ends a connection. */
export interface FrameFault {
  readonly code: ErrorName
  readonly message: string
}

/**
 * What is wrong with the header of a frame of a known type that came from `from`: direction, channel, correlation, flags. [P-2.3, P-2.6]
 * Unknown types have no fault here: they are answered by ERROR `unsupported` and the connection goes on.
 */
export function frameFault(type: number, flags: number, channel: number, from: 'client' | 'server'): FrameFault | undefined {
  const known = kindByType[type]
  if (known === undefined) return undefined
  if (known.from !== 'both' && known.from !== from) return unexpected(`${wireName(known.name)} is not for a ${from} to send`)
  if (known.channel === 'connection' && channel !== 0) return unexpected(`${wireName(known.name)} travels on channel 0, not on ${channel}`)
  if (known.channel === 'channel' && channel === 0) return unexpected(`${wireName(known.name)} travels on a channel, not on channel 0`)
  const correlated = (flags & Flag.correlated) !== 0
  if (correlated && known.correlated === 'never') return unexpected(`${wireName(known.name)} never has a correlation id`)
  if (!correlated && known.correlated === 'always') return unexpected(`${wireName(known.name)} needs a correlation id`)
  if ((flags & ~known.flags) !== 0) {
    return { code: 'frameMalformed', message: `${wireName(known.name)} has no flag 0x${hex(flags & ~known.flags)}` }
  }
  return undefined
}

function unexpected(message: string): FrameFault {
  return { code: 'frameUnexpected', message }
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0')
}

/** The name as the specification writes it: `declareQueue` → `DECLARE_QUEUE`. */
export function wireName(name: FrameName): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

/** Hot. Writes a frame header without correlation id for a body of `bodySize`; returns the index behind it. */
export function writeFrameHeader(target: Uint8Array, at: number, type: number, flags: number, channel: number, bodySize: number): number {
  const size = bodySize + frameHeaderSize - sizeFieldSize
  target[at] = size >>> 24
  target[at + 1] = size >>> 16
  target[at + 2] = size >>> 8
  target[at + 3] = size
  target[at + 4] = type
  target[at + 5] = flags
  target[at + 6] = channel >>> 8
  target[at + 7] = channel
  return at + frameHeaderSize
}

/** Writes a frame header with flag CORRELATED and its id for a body of `bodySize`; returns the index behind it. */
export function writeCorrelatedHeader(
  target: Uint8Array,
  at: number,
  type: number,
  flags: number,
  channel: number,
  correlation: number,
  bodySize: number,
): number {
  const end = writeFrameHeader(target, at, type, flags | Flag.correlated, channel, bodySize + correlationSize)
  target[end] = correlation >>> 24
  target[end + 1] = correlation >>> 16
  target[end + 2] = correlation >>> 8
  target[end + 3] = correlation
  return end + correlationSize
}
