/**
 * The first 8 bytes of a connection, both ways. [P-1]
 *
 *     'W' 'A' 'Y' 'B' | u8 major | u8 minor | u16 refused        57 41 59 42 01 00 00 00
 *
 * What is not a preface is recognised as far as it can be, so that whoever came to the wrong port reads one helpful line.
 * The answer depends on the first 8 bytes (or the first line) alone, never on how they were cut.
 */
import { readU16 } from './bytes.js'

export const prefaceSize = 8
export const protocolMajor = 1
export const protocolMinor = 0

const magic = [0x57, 0x41, 0x59, 0x42] as const

/** The preface of this version, as a client sends it and a server that speaks it answers. */
export const preface: Uint8Array = Uint8Array.of(...magic, protocolMajor, protocolMinor, 0, 0)

/** The answer to a major version that is not spoken here; the connection is closed behind it. */
export const refusedPreface: Uint8Array = Uint8Array.of(...magic, protocolMajor, protocolMinor, 0, 1)

/** Who came to the wrong port, or said nothing at all. */
export type Foreign = 'tls' | 'http' | 'amqp' | 'text' | 'bytes' | 'silence'

export type PrefaceCheck =
  | { readonly state: 'need-more' }
  /** `refused`: the last field is not 0; only a server may say so. */
  | { readonly state: 'version'; readonly major: number; readonly minor: number; readonly refused: boolean }
  | { readonly state: 'foreign'; readonly foreign: Foreign }

/**
 * Looks at the first bytes of a connection, `bytes[from..to)`; a version uses the first `prefaceSize` of them.
 * `ended`: nothing more will come (the peer has ended, or the time is up), so the answer is no longer 'need-more'.
 */
export function checkPreface(bytes: Uint8Array, from: number, to: number, ended = false): PrefaceCheck {
  const size = Math.min(to - from, prefaceSize)
  let matching = 0
  while (matching < size && matching < magic.length && bytes[from + matching] === magic[matching]) matching++

  if (matching === magic.length && size === prefaceSize) {
    const refused = readU16(bytes, from + 6) !== 0
    return { state: 'version', major: bytes[from + 4], minor: bytes[from + 5], refused }
  }
  const decided = size === prefaceSize || ended || lineEnds(bytes, from, from + size)
  if (!decided) return { state: 'need-more' }
  return { state: 'foreign', foreign: recognise(bytes, from, from + size) }
}

/** What a server answers to a client of this version. `refused`: the connection ends behind it. [P-1.2] */
export function answerPreface(major: number, minor: number): { readonly bytes: Uint8Array; readonly refused: boolean } {
  if (major !== protocolMajor) return { bytes: refusedPreface, refused: true }
  return { bytes: Uint8Array.of(...magic, protocolMajor, Math.min(minor, protocolMinor), 0, 0), refused: false }
}

/** The one line that a foreign peer gets, ended by CR LF. [P-1.3] */
export function foreignLine(foreign: Foreign): string {
  return `${lines[foreign]}\r\n`
}

const lines: Readonly<Record<Foreign, string>> = {
  tls: 'This is a Waybill port without TLS: use waybill:// here, or the port of this broker that waybills:// is for.',
  http: 'HTTP/1.1 400 This is a Waybill port, it does not speak HTTP: connect with a Waybill client, waybill://host:port.',
  amqp: 'This is a Waybill port, it does not speak AMQP: connect with a Waybill client, waybill://host:port.',
  text: 'This is a Waybill port. Its protocol is binary; to talk to it by hand, run: waybill debug host:port',
  bytes: 'This is a Waybill port, and the first bytes were not those of its protocol: connect with a Waybill client, waybill://host:port.',
  silence: 'This is a Waybill port, and nothing was said for too long. To talk to it by hand, run: waybill debug host:port',
}

const httpStarts = ['GET ', 'HEAD ', 'POST ', 'PUT ', 'PATCH ', 'DELETE ', 'OPTIONS ', 'CONNECT ', 'TRACE ', 'PRI * HT', 'HTTP/']

function recognise(bytes: Uint8Array, from: number, to: number): Foreign {
  if (from === to) return 'silence'
  if (to - from >= 2 && bytes[from] === 0x16 && bytes[from + 1] === 0x03) return 'tls'
  let text = ''
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at])
  if (text.startsWith('AMQP')) return 'amqp'
  if (httpStarts.some((start) => text.startsWith(start))) return 'http'
  return /^[\t\r\n\x20-\x7e\x80-\xff]*$/.test(text) ? 'text' : 'bytes'
}

function lineEnds(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === 0x0a) return true
  return false
}
