/**
 * Bytes as a person reads them:
 *
 *     0000  00 00 00 14 05 00 00 01  00 00 00 00 00 00 01 00  |................|
 *     0010  00 00 00 00 00 01 00 00                           |........|
 */

const bytesPerLine = 16

/** One line for every 16 bytes; the last line of a dump that `sizeMax` cuts says how many are left out. */
export function hexdump(bytes: Uint8Array, sizeMax = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = []
  const end = Math.min(bytes.length, sizeMax)
  const digits = Math.max(4, (bytes.length - 1).toString(16).length)
  for (let at = 0; at < end; at += bytesPerLine) lines.push(line(bytes, at, Math.min(end, at + bytesPerLine), digits))
  if (end < bytes.length) lines.push(`${'…'.padEnd(digits)}  ${bytes.length - end} bytes more`)
  return lines
}

function line(bytes: Uint8Array, from: number, to: number, digits: number): string {
  let hex = ''
  let text = ''
  for (let at = from; at < from + bytesPerLine; at++) {
    if (at === from + bytesPerLine / 2) hex += ' '
    hex += at < to ? `${bytes[at]!.toString(16).padStart(2, '0')} ` : '   '
    if (at < to) text += isPrintable(bytes[at]!) ? String.fromCharCode(bytes[at]!) : '.'
  }
  return `${from.toString(16).padStart(digits, '0')}  ${hex} |${text}|`
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e
}
