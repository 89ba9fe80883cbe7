/**
 * Hot: the records of a PUBLISH or DELIVER, one behind the other; they fill the frame exactly. [P-4.2]
 *
 * Only sizes are looked at here; what is inside a record is one message's affair (record.ts).
 */
import { readU32 } from './bytes.js'
import { recordHeaderSize } from './record.js'

/** Do exactly `count` records, each with its fixed part, fill `bytes[from..to)`? */
export function recordsFill(bytes: Uint8Array, from: number, to: number, count: number): boolean {
  let at = from
  for (let i = 0; i < count; i++) {
    if (to - at < recordHeaderSize) return false
    const size = readU32(bytes, at)
    if (size < recordHeaderSize - 4 || size > to - at - 4) return false
    at += 4 + size
  }
  return at === to
}
