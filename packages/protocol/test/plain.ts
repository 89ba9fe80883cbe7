/**
 * The same things said plainly, with Buffer's methods, copies and exceptions: what the hot files must agree with on any bytes.
 */
import { errorByCode } from '@waybill/protocol'

export interface PlainFrame {
  readonly type: number
  readonly flags: number
  readonly channel: number
  readonly correlation: number
  readonly body: Buffer
}

export interface PlainStream {
  readonly frames: readonly PlainFrame[]
  readonly fault: 'frameTooLarge' | 'frameMalformed' | undefined
  /** Bytes of a frame that is not whole; 0 after a fault. */
  readonly rest: number
}

/** Clause 2.1 to 2.3, word for word. */
export function plainFrames(bytes: Buffer, frameSizeMax: number): PlainStream {
  const frames: PlainFrame[] = []
  let rest = bytes
  while (rest.length >= 4) {
    const size = rest.readUInt32BE(0)
    if (size > frameSizeMax) return { frames, fault: 'frameTooLarge', rest: 0 }
    if (size < 4) return { frames, fault: 'frameMalformed', rest: 0 }
    if (rest.length < 8) break
    const correlated = (rest[5] & 1) === 1
    if (correlated && size < 8) return { frames, fault: 'frameMalformed', rest: 0 }
    if (rest.length < 4 + size) break
    const correlation = correlated ? rest.readUInt32BE(8) : 0
    if (correlated && correlation === 0) return { frames, fault: 'frameMalformed', rest: 0 }
    const body = Buffer.from(rest.subarray(correlated ? 12 : 8, 4 + size))
    frames.push({ type: rest[4], flags: rest[5], channel: rest.readUInt16BE(6), correlation, body })
    rest = rest.subarray(4 + size)
  }
  return { frames, fault: undefined, rest: rest.length }
}

/** What is wrong with a record that fills `bytes` or begins it, as clauses 3.1 to 3.6 say; undefined when it is good. */
export function plainRecordError(bytes: Buffer, delivered: boolean): string | undefined {
  if (bytes.length < 16) return 'frameMalformed'
  const size = bytes.readUInt32BE(0)
  if (size < 12 || size + 4 > bytes.length) return 'frameMalformed'
  try {
    return readPlainRecord(new PlainReader(Buffer.from(bytes.subarray(4, 4 + size))), delivered)
  } catch (error) {
    if (error instanceof PlainFault) return 'messageMalformed'
    throw error
  }
}

const strings = new Set([0, 1, 2, 3, 4, 5, 6, 11, 12, 14, 15])

function readPlainRecord(record: PlainReader, delivered: boolean): string | undefined {
  expect(record.u8() === 1)
  const flags = record.u8()
  expect(flags <= (delivered ? 3 : 1))
  const exchangeSize = record.u8()
  const keySize = record.u8()
  const mask = record.u32()
  const propertiesSize = record.u16()
  const headersSize = record.u16()
  const names = [record.take(exchangeSize), record.take(keySize)]
  const properties = new PlainReader(record.take(propertiesSize))
  const headers = new PlainReader(record.take(headersSize))
  if ((flags & 2) !== 0) record.take(record.u16())
  // What is not carried out is refused by name before the text is looked at.
  if ((mask & ~(delivered ? 0xffff : 0xc0ff)) !== 0) return 'propertyUnsupported'
  for (let bit = 0; bit < 16; bit++) {
    if ((mask & (1 << bit)) === 0) continue
    if (strings.has(bit)) text(properties.take(properties.u8()))
    else if (bit === 8) properties.u8()
    else expect(properties.u64() < 2n ** 53n)
  }
  expect(properties.left === 0)
  readPlainHeaders(headers)
  for (const name of names) text(name)
  return undefined
}

function readPlainHeaders(headers: PlainReader): void {
  expect(headers.left <= 8192)
  const names = new Set<string>()
  for (let count = 1; headers.left > 0; count++) {
    expect(count <= 64)
    const name = text(headers.take(headers.u8()))
    expect(name !== '' && !names.has(name))
    names.add(name)
    const type = headers.u8()
    expect(type <= 6)
    if (type === 3 || type === 4) headers.u64()
    if (type === 5) text(headers.take(headers.u16()))
    if (type === 6) headers.take(headers.u16())
  }
}

class PlainFault extends Error {}

function expect(condition: boolean): void {
  if (!condition) throw new PlainFault()
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function text(bytes: Buffer): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new PlainFault()
  }
}

class PlainReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(size: number): Buffer {
    expect(size <= this.left)
    this.#at += size
    return this.#bytes.subarray(this.#at - size, this.#at)
  }

  u8(): number {
    return this.take(1).readUInt8(0)
  }

  u16(): number {
    return this.take(2).readUInt16BE(0)
  }

  u32(): number {
    return this.take(4).readUInt32BE(0)
  }

  u64(): bigint {
    return this.take(8).readBigUInt64BE(0)
  }
}

/** The name of an error by its number, undefined for 0. */
export function errorName(code: number): string | undefined {
  return errorByCode(code)?.name
}
