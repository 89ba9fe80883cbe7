/**
 * The bodies that the simulated publishers write: each says who published it as which, and would show any damage.
 *
 *     u32 crc of what follows | u32 publisher | u32 number | filler…
 */
import { crc32 } from 'node:zlib'

export const bodySizeMin = 12

export interface Identity {
  readonly publisher: number
  readonly number: number
}

export function makeBody(size: number, publisher: number, number: number): Buffer {
  const body = Buffer.alloc(Math.max(bodySizeMin, size), (publisher * 31 + number * 7) & 255)
  body.writeUInt32BE(publisher, 4)
  body.writeUInt32BE(number, 8)
  body.writeUInt32BE(crc32(body.subarray(4)), 0)
  return body
}

/** Undefined when it is damaged, or none of ours. */
export function readBody(body: Buffer): Identity | undefined {
  if (body.length < bodySizeMin || crc32(body.subarray(4)) !== body.readUInt32BE(0)) return undefined
  return { publisher: body.readUInt32BE(4), number: body.readUInt32BE(8) }
}

export function nameOf({ publisher, number }: Identity): string {
  return `${publisher}.${number}`
}
