/**
 * Frames and records as plainly as can be: bytes in, objects out, nothing reused. Written from the specification, apart from the
 * readers that the broker uses, so that both would have to be wrong in the same way. [P-2, P-3]
 */
import { crc32 } from 'node:zlib'
import { nameOf, readBody } from '../body.js'

export interface PlainFrame {
  readonly type: number
  readonly flags: number
  readonly channel: number
  /** 0 when there is none. */
  readonly correlation: number
  readonly body: Buffer
  /** How many bytes of the stream lie before its end. */
  readonly end: number
}

/** Cuts what comes one way into its preface and frames. */
export class PlainReader {
  #chunks: Buffer[] = []
  #size = 0
  #read = 0
  #preface: Buffer | undefined

  get preface(): Buffer | undefined {
    return this.#preface
  }

  /** Bytes of whole frames, and the preface, so far. */
  get readSize(): number {
    return this.#read
  }

  /** Bytes of a frame, or preface, that is not whole. */
  get restSize(): number {
    return this.#size
  }

  push(bytes: Buffer): PlainFrame[] {
    this.#chunks.push(bytes)
    this.#size += bytes.length
    if (this.#preface === undefined) {
      if (this.#size < 8) return []
      this.#preface = this.#take(8)
    }
    const frames: PlainFrame[] = []
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame)
    return frames
  }

  #next(): PlainFrame | undefined {
    if (this.#size < 8) return undefined
    if (this.#chunks[0]!.length < 8) this.#chunks = [Buffer.concat(this.#chunks)]
    const size = 4 + this.#chunks[0]!.readUInt32BE(0)
    // Who breaks the protocol is not read any further: the broker has to notice, and does not read on either.
    const isFrame = size >= ((this.#chunks[0]![5]! & 1) === 0 ? 8 : 12)
    if (!isFrame || this.#size < size) return undefined
    const bytes = this.#take(size)
    const flags = bytes[5]!
    const correlated = (flags & 1) !== 0
    return {
      type: bytes[4]!,
      flags,
      channel: bytes.readUInt16BE(6),
      correlation: correlated ? bytes.readUInt32BE(8) : 0,
      body: bytes.subarray(correlated ? 12 : 8),
      end: this.#read,
    }
  }

  #take(size: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = all.length > size ? [all.subarray(size)] : []
    this.#size -= size
    this.#read += size
    return all.subarray(0, size)
  }
}

export interface PlainRecord {
  readonly bytes: Buffer
  readonly persistent: boolean
  readonly exchange: string
  readonly key: string
  /** Name to a text that is the same for equal values. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** The records that fill a frame from `at` on. */
export function plainRecords(bytes: Buffer, at: number): PlainRecord[] {
  const records: PlainRecord[] = []
  for (let start = at; start < bytes.length; ) {
    const end = start + 4 + bytes.readUInt32BE(start)
    records.push(plainRecord(bytes.subarray(start, end)))
    start = end
  }
  return records
}

/** A message's own name: from its body; of a body that is none of ours, or is damaged, from all its bytes. */
export function messageName({ body, bytes }: PlainRecord): string {
  const identity = readBody(body)
  return identity === undefined ? `record ${crc32(bytes)}` : nameOf(identity)
}

function plainRecord(bytes: Buffer): PlainRecord {
  const keyAt = 16 + bytes[6]!
  const propertiesAt = keyAt + bytes[7]!
  const headersAt = propertiesAt + bytes.readUInt16BE(12)
  const bodyAt = headersAt + bytes.readUInt16BE(14)
  return {
    bytes,
    persistent: (bytes[5]! & 1) !== 0,
    exchange: bytes.toString('utf8', 16, keyAt),
    key: bytes.toString('utf8', keyAt, propertiesAt),
    headers: plainHeaders(bytes.subarray(headersAt, bodyAt)),
    body: bytes.subarray(bodyAt),
  }
}

function plainHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + 1 + bytes[at]!
    const name = bytes.toString('utf8', at + 1, nameEnd)
    const type = bytes[nameEnd]!
    const valueAt = nameEnd + 1
    at = type < 3 ? valueAt : type < 5 ? valueAt + 8 : valueAt + 2 + bytes.readUInt16BE(valueAt)
    headers.set(name, plainValue(type, bytes, valueAt, at))
  }
  return headers
}

function plainValue(type: number, bytes: Buffer, from: number, to: number): string {
  switch (type) {
    case 3:
      return numberText(bytes.readBigInt64BE(from))
    case 4:
      return numberText(bytes.readDoubleBE(from))
    case 5:
      return `text ${bytes.toString('utf8', from + 2, to)}`
    case 6:
      return `bytes ${bytes.toString('hex', from + 2, to)}`
    default:
      return ['null', 'false', 'true'][type]!
  }
}

/** A number of a header as text; equal for the integer and the float of the same value. */
export function numberText(value: number | bigint): string {
  return `number ${Number.isInteger(value) ? BigInt(value) : value}`
}

/** A header as JSON has it in a binding. [P-6.9] */
export function jsonValueText(value: unknown): string {
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'string') return `text ${value}`
  if (typeof value === 'object' && value !== null) {
    if ('i64' in value) return numberText(BigInt(value.i64 as string))
    if ('f64' in value) return numberText(Number(value.f64))
    return `bytes ${Buffer.from((value as { bytes: string }).bytes, 'base64').toString('hex')}`
  }
  return String(value)
}
