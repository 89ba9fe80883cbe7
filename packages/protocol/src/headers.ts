/**
 * The headers of a message: a flat typed map of the publisher's own. [P-3.6]
 *
 *     u8 name size | name | u8 type | value          one behind the other, no name twice
 *
 *     0 null   1 false   2 true   3 i64, 8 bytes   4 f64, 8 bytes   5 string: u16 size, UTF-8   6 bytes: u16 size, bytes
 *
 * A number that is an integer without loss travels as i64, any other as f64; an i64 beyond 2^53 - 1 is a bigint here.
 * Decoded headers have no prototype, so that `__proto__` is a name like any other.
 */
import { copyBytes, readU16, readU32, writeU16 } from './bytes.js'
import { WireError } from './errors.js'
import { encodeText, nameSizeMax, readText } from './text.js'
import { isUtf8 } from './utf8.js'

export type HeaderValue = string | number | bigint | boolean | null | Uint8Array
export type Headers = Readonly<Record<string, HeaderValue>>

export const headerCountMax = 64
export const headersSizeMax = 8 * 1024

export const HeaderType = { null: 0, false: 1, true: 2, i64: 3, f64: 4, string: 5, bytes: 6 } as const

/** What is wrong with headers; 0 is nothing. Words in `headerProblems`. */
export const HeaderProblem = { none: 0, size: 1, count: 2, cut: 3, nameEmpty: 4, nameText: 5, type: 6, text: 7, twice: 8 } as const

export const headerProblems: Readonly<Record<number, string>> = {
  [HeaderProblem.size]: `the headers are larger than headersSizeMax (${headersSizeMax})`,
  [HeaderProblem.count]: `there are more headers than headerCountMax (${headerCountMax})`,
  [HeaderProblem.cut]: 'the headers are cut in the middle of one',
  [HeaderProblem.nameEmpty]: 'a header has an empty name',
  [HeaderProblem.nameText]: 'the name of a header is not UTF-8',
  [HeaderProblem.type]: 'a header has a type that does not exist',
  [HeaderProblem.text]: 'a header of type string is not UTF-8',
  [HeaderProblem.twice]: 'two headers have the same name',
}

/** Up to this many names are compared two by two in place; above it as strings in a set, so that the cost stays linear in the size. */
const pairwiseCountMax = 8

/** Index behind the value of `type` at `at`, or -1 when there is no such type, or `to` + 1 or more when it is cut. */
function valueEnd(bytes: Uint8Array, at: number, to: number, type: number): number {
  if (type <= HeaderType.true) return at
  if (type <= HeaderType.f64) return at + 8
  if (type > HeaderType.bytes) return -1
  return at + 2 > to ? at + 2 : at + 2 + readU16(bytes, at)
}

/** What is wrong with the headers in `bytes[from..to)`, a number of `HeaderProblem`. Linear in their size. */
export function headerProblem(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > headersSizeMax) return HeaderProblem.size
  let count = 0
  let at = from
  while (at < to) {
    if (++count > headerCountMax) return HeaderProblem.count
    const nameSize = bytes[at]
    const nameStart = at + 1
    const nameEnd = nameStart + nameSize
    if (nameSize === 0) return HeaderProblem.nameEmpty
    if (nameEnd + 1 > to) return HeaderProblem.cut
    if (!isUtf8(bytes, nameStart, nameEnd)) return HeaderProblem.nameText
    const type = bytes[nameEnd]
    const end = valueEnd(bytes, nameEnd + 1, to, type)
    if (end < 0) return HeaderProblem.type
    if (end > to) return HeaderProblem.cut
    if (type === HeaderType.string && !isUtf8(bytes, nameEnd + 3, end)) return HeaderProblem.text
    at = end
  }
  const twice = count <= pairwiseCountMax ? pairTwice(bytes, from, to) : nameTwice(bytes, from, to)
  return twice ? HeaderProblem.twice : HeaderProblem.none
}

function nextHeader(bytes: Uint8Array, at: number, to: number): number {
  const nameEnd = at + 1 + bytes[at]
  return valueEnd(bytes, nameEnd + 1, to, bytes[nameEnd])
}

function pairTwice(bytes: Uint8Array, from: number, to: number): boolean {
  for (let left = from; left < to; left = nextHeader(bytes, left, to)) {
    for (let right = nextHeader(bytes, left, to); right < to; right = nextHeader(bytes, right, to)) {
      if (sameName(bytes, left, right)) return true
    }
  }
  return false
}

function sameName(bytes: Uint8Array, left: number, right: number): boolean {
  // The size byte is compared as well.
  for (let i = bytes[left]; i >= 0; i--) if (bytes[left + i] !== bytes[right + i]) return false
  return true
}

function nameTwice(bytes: Uint8Array, from: number, to: number): boolean {
  const names = new Set<string>()
  let count = 0
  for (let at = from; at < to; at = nextHeader(bytes, at, to)) {
    names.add(readText(bytes, at + 1, at + 1 + bytes[at]))
    count++
  }
  return names.size !== count
}

/** The headers in `bytes[from..to)`, which have been checked. Values of type bytes are copies. The object has no prototype. */
export function decodeHeaders(bytes: Uint8Array, from: number, to: number): Headers {
  const headers: Record<string, HeaderValue> = Object.create(null)
  let at = from
  while (at < to) {
    const nameEnd = at + 1 + bytes[at]
    const end = nextHeader(bytes, at, to)
    headers[readText(bytes, at + 1, nameEnd)] = decodeValue(bytes, bytes[nameEnd], nameEnd + 1, end)
    at = end
  }
  return headers
}

function decodeValue(bytes: Uint8Array, type: number, at: number, end: number): HeaderValue {
  switch (type) {
    case HeaderType.null:
      return null
    case HeaderType.false:
      return false
    case HeaderType.true:
      return true
    case HeaderType.i64: {
      const value = (BigInt(readU32(bytes, at) | 0) << 32n) | BigInt(readU32(bytes, at + 4))
      return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
    }
    case HeaderType.f64:
      return new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0)
    case HeaderType.string:
      return readText(bytes, at + 2, end)
    default:
      return Buffer.from(bytes.subarray(at + 2, end))
  }
}

/** The bytes of headers, in the order of their keys. Throws WireError `messageMalformed`, naming the header or the limit. */
export function encodeHeaders(headers: Headers): Uint8Array {
  const parts: Uint8Array[] = []
  let size = 0
  const entries = Object.entries(headers)
  if (entries.length > headerCountMax) throw tooMany(`${entries.length} headers; at most ${headerCountMax}`, 'headerCountMax')
  for (const [name, value] of entries) {
    const nameBytes = encodeText(name, `the name of header '${name}'`)
    if (nameBytes.length === 0) throw new WireError('messageMalformed', 'a header has an empty name')
    if (nameBytes.length > nameSizeMax)
      throw tooMany(`the name of header '${name.slice(0, 40)}…' has ${nameBytes.length} bytes`, 'nameSizeMax')
    const valueBytes = encodeValue(name, value)
    parts.push(Buffer.of(nameBytes.length), nameBytes, valueBytes)
    size += 1 + nameBytes.length + valueBytes.length
    if (size > headersSizeMax) throw tooMany(`headers of more than ${headersSizeMax} bytes`, 'headersSizeMax')
  }
  return Buffer.concat(parts, size)
}

function tooMany(message: string, limit: string): WireError {
  return new WireError('messageMalformed', message, { limit })
}

const i64Min = -(2n ** 63n)
const i64Max = 2n ** 63n - 1n

/** Type and value. */
function encodeValue(name: string, value: HeaderValue): Uint8Array {
  if (value === null) return Buffer.of(HeaderType.null)
  if (value === false) return Buffer.of(HeaderType.false)
  if (value === true) return Buffer.of(HeaderType.true)
  if (typeof value === 'bigint') {
    if (value < i64Min || value > i64Max) throw new WireError('messageMalformed', `header '${name}' does not fit in 64 bits`)
    return encodeI64(value)
  }
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? encodeI64(BigInt(value)) : encodeF64(value)
  if (typeof value === 'string') return encodeRun(name, HeaderType.string, encodeText(value, `header '${name}'`))
  if (value instanceof Uint8Array) return encodeRun(name, HeaderType.bytes, value)
  throw new WireError('messageMalformed', `header '${name}' is ${typeof value}; it can be a string, number, bigint, boolean, null or bytes`)
}

function encodeI64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(9)
  bytes[0] = HeaderType.i64
  bytes.writeBigInt64BE(value, 1)
  return bytes
}

function encodeF64(value: number): Uint8Array {
  const bytes = Buffer.alloc(9)
  bytes[0] = HeaderType.f64
  bytes.writeDoubleBE(value, 1)
  return bytes
}

function encodeRun(name: string, type: number, run: Uint8Array): Uint8Array {
  if (run.length > headersSizeMax)
    throw tooMany(`header '${name}' alone has ${run.length} bytes; all together at most ${headersSizeMax}`, 'headersSizeMax')
  const bytes = Buffer.alloc(3 + run.length)
  bytes[0] = type
  writeU16(bytes, 1, run.length)
  copyBytes(bytes, 3, run, 0, run.length)
  return bytes
}
