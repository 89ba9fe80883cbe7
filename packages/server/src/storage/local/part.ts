/**
 * Parts of a snapshot file. Big-endian.
 *
 *     part   u32 size of what follows the header │ u32 crc32 of bytes 8.. │ u8 format │ u8 kind │ u16 0 │ u32 index │ bytes
 *     end    the same without bytes; its index is the count of parts
 *
 * So a part that is missing, doubled or in another's place shows as much as one that has changed.
 */
import { crc32 } from 'node:zlib'
import { readU32, writeU32 } from '@waybill/protocol'
import { DataFormatError } from './format-error.js'

const format = 1
const headerSize = 16
const Kind = { part: 1, end: 2 } as const

/** The bytes of a file, in order. */
export function frameParts(parts: readonly Uint8Array[]): Uint8Array[] {
  const framed: Uint8Array[] = []
  for (const [index, part] of parts.entries()) framed.push(headerOf(Kind.part, index, part), part)
  framed.push(headerOf(Kind.end, parts.length, new Uint8Array(0)))
  return framed
}

/** The parts of the file `name`, or what is wrong with it. Throws DataFormatError when a newer version has written one. */
export function readParts(bytes: Uint8Array, name: string): readonly Uint8Array[] | string {
  const parts: Uint8Array[] = []
  for (let at = 0; ; ) {
    if (bytes.length - at < headerSize) return `it ends at ${bytes.length}, in the middle`
    const size = readU32(bytes, at)
    const to = at + headerSize + size
    if (to > bytes.length) return `the part at ${at} is longer than the file`
    if (crc32(bytes.subarray(at + 8, to)) !== readU32(bytes, at + 4)) return `the part at ${at} is not what was written`
    if (bytes[at + 8] > format) throw new DataFormatError(`a part of ${name}`, bytes[at + 8], format)
    if (bytes[at + 8] !== format) return `the part at ${at} has format ${bytes[at + 8]}, and this version reads ${format}`
    if (readU32(bytes, at + 12) !== parts.length) return `the part at ${at} belongs elsewhere`
    if (bytes[at + 9] === Kind.end) return to === bytes.length ? parts : `something follows the end at ${at}`
    parts.push(bytes.subarray(at + headerSize, to))
    at = to
  }
}

function headerOf(kind: number, index: number, part: Uint8Array): Uint8Array {
  const header = new Uint8Array(headerSize)
  writeU32(header, 0, part.length)
  header[8] = format
  header[9] = kind
  writeU32(header, 12, index)
  writeU32(header, 4, crc32(part, crc32(header.subarray(8))))
  return header
}
