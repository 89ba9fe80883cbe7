/**
 * Hot: one message as it is published, stored and delivered: always the same bytes. [P-3]
 *
 *     at +0  u32 size (of what follows)      at +8   u32 property mask
 *        +4  u8 format = 1                      +12  u16 properties size
 *        +5  u8 flags                           +14  u16 headers size
 *        +6  u8 exchange size                   +16  exchange | key | properties | headers | [broker section] | body
 *        +7  u8 key size
 *
 * Checking and finding the parts of a record works on offsets and allocates nothing (headers beyond eight make a set);
 * `readRecord` makes objects and is for tools, tests and the far end of a client.
 */
import { copyBytes, readU16, readU32, writeU16, writeU32 } from './bytes.js'
import { ErrorCode, type ErrorName, WireError } from './errors.js'
import type { FrameFault } from './frame.js'
import { decodeHeaders, encodeHeaders, type Headers, headerProblem, headerProblems } from './headers.js'
import {
  decodeProperties,
  definedMask,
  encodeProperties,
  type Properties,
  propertyTable,
  supportedMask,
  wrongProperty,
} from './properties.js'
import { type EncodedName, nameSizeMax, readText } from './text.js'
import { isAscii, isUtf8 } from './utf8.js'

export const recordHeaderSize = 16
export const recordFormat = 1
export const RecordFlag = { persistent: 0x01, brokerSection: 0x02 } as const

const recordSizeMin = recordHeaderSize - 4

/** The whole of the record at `at`, with its size field. The caller has checked that 4 bytes are there. */
export function recordSize(bytes: Uint8Array, at: number): number {
  return 4 + readU32(bytes, at)
}

export function recordFlags(bytes: Uint8Array, at: number): number {
  return bytes[at + 5]
}

export function exchangeSize(bytes: Uint8Array, at: number): number {
  return bytes[at + 6]
}

export function exchangeStart(at: number): number {
  return at + recordHeaderSize
}

export function keySize(bytes: Uint8Array, at: number): number {
  return bytes[at + 7]
}

export function keyStart(bytes: Uint8Array, at: number): number {
  return at + recordHeaderSize + bytes[at + 6]
}

export function propertyMask(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 8)
}

export function propertiesStart(bytes: Uint8Array, at: number): number {
  return at + recordHeaderSize + bytes[at + 6] + bytes[at + 7]
}

export function headersStart(bytes: Uint8Array, at: number): number {
  return propertiesStart(bytes, at) + readU16(bytes, at + 12)
}

export function headersSize(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + 14)
}

/** Where the body begins; a broker section is skipped. It ends where the record ends. */
export function recordBodyStart(bytes: Uint8Array, at: number): number {
  const end = at + recordHeaderSize + bytes[at + 6] + bytes[at + 7] + readU16(bytes, at + 12) + readU16(bytes, at + 14)
  return (bytes[at + 5] & RecordFlag.brokerSection) === 0 ? end : end + 2 + readU16(bytes, end)
}

/** What can be wrong with a record. 100 and above: a problem of its headers. */
const Problem = {
  none: 0,
  frame: 1,
  format: 2,
  flags: 3,
  parts: 4,
  exchangeText: 5,
  keyText: 6,
  unsupported: 7,
  properties: 8,
  headers: 100,
} as const

/** Everything but the text of exchange and key. */
function examineParts(bytes: Uint8Array, at: number, end: number, delivered: boolean): number {
  if (end - at < recordHeaderSize) return Problem.frame
  const size = readU32(bytes, at)
  if (size < recordSizeMin || size > end - at - 4) return Problem.frame
  if (bytes[at + 4] !== recordFormat) return Problem.format
  const flags = bytes[at + 5]
  if (flags > RecordFlag.persistent && (!delivered || flags > (RecordFlag.persistent | RecordFlag.brokerSection))) return Problem.flags
  const properties = at + recordHeaderSize + bytes[at + 6] + bytes[at + 7]
  const recordEnd = at + 4 + size
  if (properties > recordEnd) return Problem.parts
  if ((readU32(bytes, at + 8) | readU32(bytes, at + 12)) === 0 && flags <= RecordFlag.persistent) return Problem.none
  return examineMeta(bytes, at, properties, recordEnd, delivered)
}

/** The text of exchange and key of a record whose parts are good. They stand together, so one look is enough when both are ASCII. */
function examineNames(bytes: Uint8Array, at: number): number {
  const exchange = at + recordHeaderSize
  const key = exchange + bytes[at + 6]
  const end = key + bytes[at + 7]
  if (isAscii(bytes, exchange, end)) return Problem.none
  if (!isUtf8(bytes, exchange, key)) return Problem.exchangeText
  return isUtf8(bytes, key, end) ? Problem.none : Problem.keyText
}

function examine(bytes: Uint8Array, at: number, end: number, delivered: boolean): number {
  const problem = examineParts(bytes, at, end, delivered)
  return problem === Problem.none ? examineNames(bytes, at) : problem
}

/** Properties, headers and broker section, which most records do without. */
function examineMeta(bytes: Uint8Array, at: number, properties: number, recordEnd: number, delivered: boolean): number {
  const mask = readU32(bytes, at + 8)
  const headers = properties + readU16(bytes, at + 12)
  const headersEnd = headers + readU16(bytes, at + 14)
  if (headersEnd > recordEnd) return Problem.parts
  if ((bytes[at + 5] & RecordFlag.brokerSection) !== 0) {
    if (headersEnd + 2 + readU16(bytes, headersEnd) > recordEnd) return Problem.parts
  }
  if ((mask & ~(delivered ? definedMask : supportedMask)) !== 0) return Problem.unsupported
  if (wrongProperty(bytes, properties, headers, mask) >= 0) return Problem.properties
  if (headers === headersEnd) return Problem.none
  const problem = headerProblem(bytes, headers, headersEnd)
  return problem === 0 ? Problem.none : Problem.headers + problem
}

function problemCode(problem: number): ErrorName {
  if (problem === Problem.frame) return 'frameMalformed'
  return problem === Problem.unsupported ? 'propertyUnsupported' : 'messageMalformed'
}

/**
 * Checks one record at `at` that must end at or before `end`: structure, flags, UTF-8, known properties, limits of headers.
 * Returns 0, or the number of an error: `frameMalformed` when the record does not lie before `end`, `messageMalformed` for what is
 * wrong inside it, `propertyUnsupported`. A broker checks what is published; a client says `delivered`, for a delivery may have a
 * broker section and properties of a later minor version. How large a message may be is not looked at. [P-3]
 */
export function checkRecord(bytes: Uint8Array, at: number, end: number, delivered = false): number {
  const problem = examine(bytes, at, end, delivered)
  return problem === Problem.none ? 0 : ErrorCode[problemCode(problem)].code
}

/**
 * `checkRecord` but for the text of exchange and key, which costs more than the rest together. For a broker that looks the
 * two up by their bytes: what it finds was checked when it was kept, and only for the others is `checkRecordNames` needed.
 */
export function checkRecordParts(bytes: Uint8Array, at: number, end: number, delivered = false): number {
  const problem = examineParts(bytes, at, end, delivered)
  return problem === Problem.none ? 0 : ErrorCode[problemCode(problem)].code
}

/** Are exchange and key of a record whose parts are good UTF-8? 0, or the number of `messageMalformed`. */
export function checkRecordNames(bytes: Uint8Array, at: number): number {
  return examineNames(bytes, at) === Problem.none ? 0 : ErrorCode.messageMalformed.code
}

/** What `checkRecord` says by number, in words. */
export function recordFault(bytes: Uint8Array, at: number, end: number, delivered = false): FrameFault | undefined {
  const problem = examine(bytes, at, end, delivered)
  return problem === Problem.none ? undefined : { code: problemCode(problem), message: problemText(problem, bytes, at, delivered) }
}

function problemText(problem: number, bytes: Uint8Array, at: number, delivered: boolean): string {
  switch (problem) {
    case Problem.frame:
      return 'the records do not fill the frame exactly'
    case Problem.format:
      return `record format ${bytes[at + 4]} is not known`
    case Problem.flags:
      return `record flags 0x${bytes[at + 5].toString(16).padStart(2, '0')} are not for a publisher to set`
    case Problem.parts:
      return 'the parts of the record are larger than the record'
    case Problem.exchangeText:
      return 'the exchange is not UTF-8'
    case Problem.keyText:
      return 'the routing key is not UTF-8'
    case Problem.unsupported: {
      const refused = propertyMask(bytes, at) & ~(delivered ? definedMask : supportedMask)
      const bit = 31 - Math.clz32(refused & -refused)
      return bit < propertyTable.length
        ? `property '${propertyTable[bit].name}' is not carried out by this version`
        : `property bit ${bit} is not defined`
    }
    case Problem.properties: {
      const bit = wrongProperty(bytes, propertiesStart(bytes, at), headersStart(bytes, at), propertyMask(bytes, at))
      return bit < propertyTable.length
        ? `property '${propertyTable[bit].name}' is malformed`
        : 'there are more bytes of properties than the mask says'
    }
    default:
      return headerProblems[problem - Problem.headers]
  }
}

/** Properties and headers as bytes, ready for many records. */
export interface EncodedMeta {
  readonly mask: number
  readonly properties: Uint8Array
  readonly headers: Uint8Array
}

const noBytes = new Uint8Array(0)

/** Throws WireError `propertyUnsupported` or `messageMalformed`. */
export function encodeMeta(properties: Properties | undefined, headers: Headers | undefined): EncodedMeta {
  const { mask, bytes } = properties === undefined ? { mask: 0, bytes: noBytes } : encodeProperties(properties)
  return { mask, properties: bytes, headers: headers === undefined ? noBytes : encodeHeaders(headers) }
}

/** The size, with its size field, of what `writeRecord` will write. */
export function recordSizeOf(exchange: EncodedName, key: EncodedName, meta: EncodedMeta | undefined, bodySize: number): number {
  const metaSize = meta === undefined ? 0 : meta.properties.length + meta.headers.length
  return recordHeaderSize + exchange.length + key.length + metaSize + bodySize
}

/**
 * Writes a record at `at` and returns the index behind it; the target has `recordSizeOf` bytes of room.
 * Throws WireError `nameTooLong` before anything is written; the parts of `meta` have been checked when they were encoded.
 */
export function writeRecord(
  target: Uint8Array,
  at: number,
  exchange: EncodedName,
  key: EncodedName,
  meta: EncodedMeta | undefined,
  persistent: boolean,
  body: Uint8Array,
  bodyFrom: number,
  bodyTo: number,
): number {
  if (exchange.length > nameSizeMax || key.length > nameSizeMax) {
    throw new WireError('nameTooLong', `exchange and routing key have at most ${nameSizeMax} bytes each`, { limit: 'nameSizeMax' })
  }
  writeU32(target, at, recordSizeOf(exchange, key, meta, bodyTo - bodyFrom) - 4)
  target[at + 4] = recordFormat
  target[at + 5] = persistent ? RecordFlag.persistent : 0
  target[at + 6] = exchange.length
  target[at + 7] = key.length
  let end = at + recordHeaderSize
  if (meta === undefined) {
    writeU32(target, at + 8, 0)
    writeU32(target, at + 12, 0)
    end = copyBytes(target, end, exchange, 0, exchange.length)
    end = copyBytes(target, end, key, 0, key.length)
  } else {
    writeU32(target, at + 8, meta.mask)
    writeU16(target, at + 12, meta.properties.length)
    writeU16(target, at + 14, meta.headers.length)
    end = copyBytes(target, end, exchange, 0, exchange.length)
    end = copyBytes(target, end, key, 0, key.length)
    end = copyBytes(target, end, meta.properties, 0, meta.properties.length)
    end = copyBytes(target, end, meta.headers, 0, meta.headers.length)
  }
  return copyBytes(target, end, body, bodyFrom, bodyTo)
}

/** The properties of a record that has been checked. */
export function readProperties(bytes: Uint8Array, at: number): Properties {
  return decodeProperties(bytes, propertiesStart(bytes, at), propertyMask(bytes, at))
}

/** The headers of a record that has been checked; an object without a prototype. */
export function readHeaders(bytes: Uint8Array, at: number): Headers {
  const from = headersStart(bytes, at)
  return decodeHeaders(bytes, from, from + headersSize(bytes, at))
}

export interface RecordContent {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Properties
  readonly headers: Headers
  readonly persistent: boolean
  /** A view on the bytes that were read. */
  readonly body: Uint8Array
}

/** Everything in a record that has been checked. Slow: for tools and tests. */
export function readRecord(bytes: Uint8Array, at: number): RecordContent {
  const key = keyStart(bytes, at)
  return {
    exchange: readText(bytes, exchangeStart(at), key),
    routingKey: readText(bytes, key, propertiesStart(bytes, at)),
    properties: readProperties(bytes, at),
    headers: readHeaders(bytes, at),
    persistent: (recordFlags(bytes, at) & RecordFlag.persistent) !== 0,
    body: bytes.subarray(recordBodyStart(bytes, at), at + recordSize(bytes, at)),
  }
}
