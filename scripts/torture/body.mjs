/**
 * The body of a message says whose it is, which one, and whether it is whole:
 *
 *     "WbT1" │ u32 run │ u32 producer │ u32 n │ noise … │ u32 crc32 of everything before
 *
 * `run` is a number of this ledger, so that a message of another data directory is no message of ours.
 */
import { randomFillSync } from 'node:crypto'
import { crc32 } from 'node:zlib'

const magic = 0x57625431
const headerSize = 16
export const bodySizeMin = headerSize + 4
const noise = randomFillSync(Buffer.allocUnsafe(1 << 20))

export function writeBody(run, producer, n, size) {
  const body = Buffer.allocUnsafe(size)
  body.writeUInt32BE(magic, 0)
  body.writeUInt32BE(run, 4)
  body.writeUInt32BE(producer, 8)
  body.writeUInt32BE(n, 12)
  for (let at = headerSize, from = (n * 7919) % (noise.length >> 1); at < size - 4; from = 0)
    at += noise.copy(body, at, from, Math.min(noise.length, from + size - 4 - at))
  body.writeUInt32BE(crc32(body.subarray(0, size - 4)), size - 4)
  return body
}

/** `{ run, producer, n }`, or undefined for bytes that were not written here, or not like this. */
export function readBody(body) {
  if (body.length < bodySizeMin || body.readUInt32BE(0) !== magic) return undefined
  if (crc32(body.subarray(0, body.length - 4)) !== body.readUInt32BE(body.length - 4)) return undefined
  return { run: body.readUInt32BE(4), producer: body.readUInt32BE(8), n: body.readUInt32BE(12) }
}
