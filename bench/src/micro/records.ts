/** Records and publish frames for the rooms, written with the protocol's own writer. */
import { publishHeaderSize, frameHeaderSize, recordSizeOf, writePublishHeader, writeRecord } from '@waybill/protocol'

const exchange = Buffer.from('bench')

/** Records with these keys, back to back, and where each begins. */
export function recordsOf(keys: readonly string[], bodySize: number): { bytes: Buffer; starts: Int32Array } {
  const body = Buffer.alloc(bodySize, 7)
  const encoded = keys.map((key) => Buffer.from(key))
  const bytes = Buffer.alloc(encoded.reduce((size, key) => size + recordSizeOf(exchange, key, undefined, bodySize), 0))
  const starts = new Int32Array(keys.length)
  let at = 0
  for (const [index, key] of encoded.entries()) {
    starts[index] = at
    at = writeRecord(bytes, at, exchange, key, undefined, false, body, 0, bodySize)
  }
  return { bytes, starts }
}

/** Publish frames of one record each, back to back. */
export function publishFramesOf(count: number, bodySize: number): Buffer {
  const record = recordsOf(['orders.eu.created'], bodySize).bytes
  const size = frameHeaderSize + publishHeaderSize + record.length
  const bytes = Buffer.alloc(size * count)
  for (let index = 0; index < count; index++) {
    const at = writePublishHeader(bytes, index * size, 0, 1, index + 1, 1, record.length)
    record.copy(bytes, at)
  }
  return bytes
}
