/**
 * The properties of a message: what stands behind the mask of a record, in the order of the bits, without padding. [P-3.4]
 *
 *     str8   u8 size | that many bytes of UTF-8        u8   1 byte        u64   8 bytes, at most 2^53 - 1
 *
 * A property that this version does not carry out is refused by name, never ignored. [P-3.5]
 */
import { copyBytes, readU64, u64Max, writeU64 } from './bytes.js'
import { WireError } from './errors.js'
import { encodeText, readText } from './text.js'
import { isUtf8 } from './utf8.js'

/** In the order of their bits. Times are ms since 1970. */
export interface Properties {
  readonly contentType?: string
  readonly contentEncoding?: string
  readonly messageId?: string
  readonly correlationId?: string
  readonly replyTo?: string
  readonly type?: string
  readonly appId?: string
  readonly timestamp?: number
  readonly priority?: number
  readonly expirationMs?: number
  readonly deliverAt?: number
  readonly groupKey?: string
  readonly dedupeKey?: string
  readonly deadline?: number
  readonly traceparent?: string
  readonly tracestate?: string
}

export type PropertyName = keyof Properties

interface Property {
  readonly name: PropertyName
  readonly form: 'str8' | 'u8' | 'u64'
  /** False: defined, but not carried out by this version. */
  readonly supported: boolean
}

/** The index is the bit. */
export const propertyTable: readonly Property[] = [
  { name: 'contentType', form: 'str8', supported: true },
  { name: 'contentEncoding', form: 'str8', supported: true },
  { name: 'messageId', form: 'str8', supported: true },
  { name: 'correlationId', form: 'str8', supported: true },
  { name: 'replyTo', form: 'str8', supported: true },
  { name: 'type', form: 'str8', supported: true },
  { name: 'appId', form: 'str8', supported: true },
  { name: 'timestamp', form: 'u64', supported: true },
  { name: 'priority', form: 'u8', supported: false },
  { name: 'expirationMs', form: 'u64', supported: false },
  { name: 'deliverAt', form: 'u64', supported: false },
  { name: 'groupKey', form: 'str8', supported: false },
  { name: 'dedupeKey', form: 'str8', supported: false },
  { name: 'deadline', form: 'u64', supported: false },
  { name: 'traceparent', form: 'str8', supported: true },
  { name: 'tracestate', form: 'str8', supported: true },
]

/** Bits that this version of the protocol gives a meaning to. */
export const definedMask = 2 ** propertyTable.length - 1
/** Bits that a message may have here. */
export const supportedMask = propertyTable.reduce((mask, property, bit) => (property.supported ? mask | (1 << bit) : mask), 0)

const str8SizeMax = 255
const bitByName = new Map<string, number>(propertyTable.map((property, bit) => [property.name, bit]))

/** Index behind the property of `bit` at `at`, or -1 when it is not whole before `to`, not UTF-8, or above 2^53 - 1. */
export function skipProperty(bytes: Uint8Array, at: number, to: number, bit: number): number {
  switch (propertyTable[bit].form) {
    case 'str8': {
      if (at >= to) return -1
      const end = at + 1 + bytes[at]
      return end <= to && isUtf8(bytes, at + 1, end) ? end : -1
    }
    case 'u8':
      return at + 1 <= to ? at + 1 : -1
    case 'u64':
      return at + 8 <= to && readU64(bytes, at) >= 0 ? at + 8 : -1
  }
}

/**
 * The bit of the first property that is wrong; -1 when all are good and fill `from..to` exactly; 32 for bytes left over.
 * The mask has defined bits only.
 */
export function wrongProperty(bytes: Uint8Array, from: number, to: number, mask: number): number {
  let at = from
  for (let rest = mask; rest !== 0; rest &= rest - 1) {
    const bit = 31 - Math.clz32(rest & -rest)
    at = skipProperty(bytes, at, to, bit)
    if (at < 0) return bit
  }
  return at === to ? -1 : 32
}

/** The properties of a record that has been checked. */
export function decodeProperties(bytes: Uint8Array, from: number, mask: number): Properties {
  const properties: Record<string, string | number> = {}
  let at = from
  for (let rest = mask; rest !== 0; rest &= rest - 1) {
    const bit = 31 - Math.clz32(rest & -rest)
    const { name, form } = propertyTable[bit]
    if (form === 'str8') {
      const end = at + 1 + bytes[at]
      properties[name] = readText(bytes, at + 1, end)
      at = end
    } else if (form === 'u8') {
      properties[name] = bytes[at]
      at += 1
    } else {
      properties[name] = readU64(bytes, at)
      at += 8
    }
  }
  return properties
}

/**
 * Mask and bytes of properties. Those with the value undefined are left out.
 * Throws WireError `propertyUnsupported` for one that is not carried out or not known, `messageMalformed` for a value that does not fit.
 */
export function encodeProperties(properties: Properties): { readonly mask: number; readonly bytes: Uint8Array } {
  const parts: (Uint8Array | undefined)[] = []
  let mask = 0
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue
    const bit = bitByName.get(name)
    if (bit === undefined) throw new WireError('propertyUnsupported', `there is no property '${name}'`, { property: name })
    const property = propertyTable[bit]
    if (!property.supported) throw unsupportedProperty(name)
    mask |= 1 << bit
    parts[bit] = property.form === 'str8' ? encodeStr8(name, value) : encodeNumber(name, value, property.form)
  }
  return { mask, bytes: Buffer.concat(parts.filter((part) => part !== undefined)) }
}

export function unsupportedProperty(name: string): WireError {
  return new WireError('propertyUnsupported', `property '${name}' is not carried out by this version`, { property: name })
}

function encodeStr8(name: string, value: unknown): Uint8Array {
  if (typeof value !== 'string') throw new WireError('messageMalformed', `property '${name}' is a string, not ${typeof value}`)
  const text = encodeText(value, `property '${name}'`)
  if (text.length > str8SizeMax) {
    throw new WireError('messageMalformed', `property '${name}' has ${text.length} bytes; at most ${str8SizeMax}`, {
      limit: 'propertySizeMax',
    })
  }
  const bytes = Buffer.alloc(1 + text.length)
  bytes[0] = text.length
  copyBytes(bytes, 1, text, 0, text.length)
  return bytes
}

function encodeNumber(name: string, value: unknown, form: 'u8' | 'u64'): Uint8Array {
  const max = form === 'u8' ? 255 : u64Max
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw new WireError('messageMalformed', `property '${name}' is an integer from 0 to ${max}, not ${String(value)}`)
  }
  if (form === 'u8') return Buffer.of(value)
  const bytes = Buffer.alloc(8)
  writeU64(bytes, 0, value)
  return bytes
}
