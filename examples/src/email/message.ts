/**
 * Writes a mail as RFC 5322 wants it: ASCII only, lines of at most 78 characters ended by CR LF.
 *
 *     Subject: =?UTF-8?B?...?=            a header that is not ASCII: encoded words of at most 75 characters (RFC 2047)
 *     Content-Transfer-Encoding: quoted-printable
 *
 *     Hello Zo=C3=AB,                     the text: what is not ASCII is `=` and two digits (RFC 2045)
 *
 * No value can break out of its header: line ends and other control characters become spaces before anything else is looked at.
 */

export interface Mail {
  readonly from: Mailbox
  readonly to: Mailbox
  readonly subject: string
  readonly text: string
  readonly date: Date
  /** Without angle brackets: `something@host`. Equal for every try to send this mail. */
  readonly messageId: string
  /** For who looks into a mail that came twice: the delivery of the job that it was made from. */
  readonly delivery: string
}

export interface Mailbox {
  readonly name: string
  readonly address: string
}

const lineLengthMax = 76
/** Words that are longer travel as encoded words, which can be cut; a line has no other place to break. */
const wordLengthMax = 60
/** Bytes of UTF-8 in one encoded word: 64 characters with `=?UTF-8?B?` and `?=`, which leaves room for `Subject: `. */
const wordSizeMax = 39

export function compose(mail: Mail): string {
  return [
    header('From', mailbox(mail.from)),
    header('To', mailbox(mail.to)),
    header('Subject', subject(mail.subject)),
    header('Date', [mail.date.toUTCString().replace('GMT', '+0000')]),
    header('Message-ID', [`<${clean(mail.messageId)}>`]),
    header('X-Delivery', [clean(mail.delivery)]),
    header('MIME-Version', ['1.0']),
    header('Content-Type', ['text/plain; charset=utf-8']),
    header('Content-Transfer-Encoding', ['quoted-printable']),
    '',
    quotedPrintable(mail.text),
  ].join('\r\n')
}

/** One header; its words go on a new line, which begins with a space, where the line would become too long. */
function header(name: string, parts: readonly string[]): string {
  const lines = [`${name}:`]
  for (const part of parts) {
    const line = lines.at(-1)!
    if (line.length + 1 + part.length <= lineLengthMax || line === `${name}:`) lines[lines.length - 1] = `${line} ${part}`
    else lines.push(` ${part}`)
  }
  return lines.join('\r\n')
}

function subject(text: string): string[] {
  return words(clean(text), (plain) => plain.split(' '))
}

function mailbox({ name, address }: Mailbox): string[] {
  const quoted = (text: string) => [/^[\w ]*$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`]
  return name === '' ? [`<${address}>`] : [...words(clean(name), quoted), `<${address}>`]
}

/** ASCII as `plain` writes it, everything else as encoded words, none of which cuts a character in two. */
function words(text: string, plain: (text: string) => string[]): string[] {
  const whole = plain(text)
  if (/^[\x20-\x7e]*$/.test(text) && !text.includes('=?') && whole.every((word) => word.length <= wordLengthMax)) return whole
  const pieces = ['']
  for (const character of text) {
    if (Buffer.byteLength(pieces.at(-1)! + character) > wordSizeMax) pieces.push('')
    pieces[pieces.length - 1] += character
  }
  return pieces.map((piece) => `=?UTF-8?B?${Buffer.from(piece).toString('base64')}?=`)
}

function clean(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, ' ').trim()
}

/** The text as lines of at most 76 characters; a line that goes on ends with `=`. Ends with a line end. */
export function quotedPrintable(text: string): string {
  return text
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
    .map((line) => `${softBreaks(encodeLine(line)).join('=\r\n')}\r\n`)
    .join('')
}

/** One unit for each byte: the character itself, or `=` and two digits. */
function encodeLine(line: string): string[] {
  const bytes = Buffer.from(line)
  return Array.from(bytes, (byte, i) => {
    const isLastSpace = i === bytes.length - 1 && (byte === 0x20 || byte === 0x09)
    const isPlain = (byte >= 0x20 && byte <= 0x7e && byte !== 0x3d) || byte === 0x09
    return isPlain && !isLastSpace ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
  })
}

function softBreaks(units: readonly string[]): string[] {
  const lines = ['']
  for (const unit of units) {
    if (lines.at(-1)!.length + unit.length > lineLengthMax - 1) lines.push('')
    lines[lines.length - 1] += unit
  }
  return lines
}
