/**
 * How a mail travels inside an SMTP conversation: line by line, ended by a line that is a single dot. A line of the mail
 * that begins with a dot gets one more on the way, so that no mail can end itself early (RFC 5321, 4.5.2).
 */

/** The mail with its dots doubled and the ending line behind it. */
export function stuffDots(mail: string): string {
  const whole = mail.endsWith('\r\n') ? mail : `${mail}\r\n`
  return `${whole.replace(/(^|\r\n)\./g, '$1..')}.\r\n`
}

/** One line as it was before: without the dot that was added. */
export function unstuffLine(line: string): string {
  return line.startsWith('.') ? line.slice(1) : line
}
