/** Reads what `message.ts` writes, as a mail program would: headers unfolded, encoded words and quoted-printable decoded. */

export interface ReceivedMail {
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
}

export function read(source: string): ReceivedMail {
  const end = source.indexOf('\r\n\r\n')
  if (end < 0) throw new Error('a mail without an empty line behind its headers')
  const lines = source.slice(0, end).replace(/\r\n(?=[ \t])/g, '')
  const headers = new Map<string, string>()
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new Error(`not a header: ${line}`)
    headers.set(line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 1).trim()))
  }
  return { headers, text: decodeQuotedPrintable(source.slice(end + 4)) }
}

/** White space between two encoded words belongs to neither of them. */
function decodeWords(value: string): string {
  return value
    .replace(/(\?=)\s+(?==\?)/g, '$1')
    .replace(/=\?UTF-8\?B\?([A-Za-z0-9+/=]*)\?=/g, (_, base64: string) => Buffer.from(base64, 'base64').toString())
}

function decodeQuotedPrintable(text: string): string {
  const bytes = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(bytes, 'latin1').toString().replaceAll('\r\n', '\n')
}
