/** Strings to UTF-8 and back, fatal in both directions: nothing is ever replaced by U+FFFD. */
import { WireError } from './errors.js'

/** Names (exchange, queue, key, virtual host, header) are at most this many bytes of UTF-8. [P-3.3] */
export const nameSizeMax = 255

/** The bytes of a name; whoever publishes keeps them. */
export type EncodedName = Uint8Array

const surrogate = /\p{Surrogate}/u

/** False for a string with half a surrogate pair: it has no UTF-8. */
export function isWellFormed(text: string): boolean {
  return !surrogate.test(text)
}

/** The bytes of an exchange, queue or routing key. Throws WireError `nameTooLong` above 255 bytes, `messageMalformed` without UTF-8. */
export function encodeName(text: string): EncodedName {
  const bytes = encodeText(text, 'a name')
  if (bytes.length > nameSizeMax) {
    throw new WireError('nameTooLong', `a name of ${bytes.length} bytes: '${text.slice(0, 40)}…'; at most ${nameSizeMax}`, {
      limit: 'nameSizeMax',
    })
  }
  return bytes
}

/** The UTF-8 of any string. Throws WireError `messageMalformed` for half a surrogate pair, naming `what` it is. */
export function encodeText(text: string, what: string): Uint8Array {
  if (!isWellFormed(text)) throw new WireError('messageMalformed', `${what} holds half a surrogate pair, which has no UTF-8`)
  return Buffer.from(text, 'utf8')
}

/** The string in `bytes[from..to)`, whose UTF-8 has been checked. */
export function readText(bytes: Uint8Array, from: number, to: number): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('utf8', from, to)
}
