/** Exchange and routing key of a record as text. Only for names not seen before: the route cache goes by their bytes. [P-3.1] */
export function readNames(bytes: Uint8Array, at: number): { exchange: string; routingKey: string } {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const exchangeStart = at + 16
  const keyStart = exchangeStart + buffer[at + 6]
  return {
    exchange: buffer.toString('utf8', exchangeStart, keyStart),
    routingKey: buffer.toString('utf8', keyStart, keyStart + buffer[at + 7]),
  }
}
