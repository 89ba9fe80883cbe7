/** Records by their bytes, so that they may be as wrong as one likes. */
export interface RawRecord {
  readonly exchange?: string | Buffer
  readonly key?: string | Buffer
  readonly format?: number
  readonly flags?: number
  readonly mask?: number
  readonly properties?: Buffer
  readonly headers?: Buffer
  readonly body?: string | Buffer
  /** What the size field says, if not the truth. */
  readonly size?: number
}

export function rawRecord({
  exchange = '',
  key = 'q',
  format = 1,
  flags = 0,
  mask = 0,
  properties,
  headers,
  body = '',
  size,
}: RawRecord): Buffer {
  const parts = [Buffer.from(exchange), Buffer.from(key), properties ?? Buffer.alloc(0), headers ?? Buffer.alloc(0), Buffer.from(body)]
  const header = Buffer.alloc(16)
  header.writeUInt32BE(size ?? 12 + parts.reduce((sum, part) => sum + part.length, 0))
  header[4] = format
  header[5] = flags
  header[6] = parts[0]!.length
  header[7] = parts[1]!.length
  header.writeUInt32BE(mask, 8)
  header.writeUInt16BE(parts[2]!.length, 12)
  header.writeUInt16BE(parts[3]!.length, 14)
  return Buffer.concat([header, ...parts])
}

/** A PUBLISH of such records. `flags`: 0x02 CONFIRM, 0x04 MANDATORY, 0x08 ATOMIC. */
export function rawPublish(
  channel: number,
  firstSequence: number,
  records: readonly RawRecord[],
  flags = 0x02,
  count = records.length,
): Buffer {
  const body = Buffer.concat(records.map(rawRecord))
  const header = Buffer.alloc(24)
  header.writeUInt32BE(20 + body.length)
  header[4] = 0x01
  header[5] = flags
  header.writeUInt16BE(channel, 6)
  header.writeBigUInt64BE(BigInt(firstSequence), 8)
  header.writeUInt32BE(count, 16)
  return Buffer.concat([header, body])
}
