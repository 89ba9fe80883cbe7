/**
 * Hands one mail to an SMTP server: a small client that knows the six commands it needs, one mail a connection.
 *
 *     S: 220 …                         C: MAIL FROM:<…>   S: 250      C: (the mail, dots doubled) .   S: 250, it is theirs
 *     C: EHLO …     S: 250-… 250 …     C: RCPT TO:<…>     S: 250      C: QUIT
 *                                      C: DATA            S: 354
 *
 * When `deliver` resolves the server has taken the mail. When it rejects, it has not, or the connection broke before it
 * could say so; then a second try may deliver the mail twice, and its Message-ID tells that it is the same.
 */
import { connect, type Socket } from 'node:net'
import { stuffDots } from './dots.js'

export interface Envelope {
  readonly from: string
  readonly to: string
}

/** The server's refusal. 4xx: later it may work. 5xx: never. */
export class SmtpError extends Error {
  override name = 'SmtpError'
  readonly status: number

  constructor(status: number, text: string) {
    super(`${status} ${text}`)
    this.status = status
  }

  get isPermanent(): boolean {
    return this.status >= 500
  }
}

interface Reply {
  readonly status: number
  readonly text: string
}

const patienceMs = 30_000
const replySizeMax = 65_536

export async function deliver(
  mail: string,
  envelope: Envelope,
  server: { readonly host: string; readonly port: number; readonly signal?: AbortSignal },
): Promise<void> {
  const socket = connect({ host: server.host, port: server.port, ...(server.signal === undefined ? {} : { signal: server.signal }) })
  socket.setTimeout(patienceMs, () => socket.destroy(new Error(`the SMTP server said nothing for ${patienceMs / 1000} s`)))
  const replies = readReplies(socket)
  const ask = async (command: string, status: number) => {
    if (command !== '') socket.write(command)
    const reply = (await replies.next()).value as Reply | undefined
    if (reply === undefined) throw new Error('the SMTP server ended the connection')
    if (reply.status !== status) throw new SmtpError(reply.status, reply.text)
  }
  try {
    await ask('', 220)
    await ask('EHLO localhost\r\n', 250)
    await ask(`MAIL FROM:<${envelope.from}>\r\n`, 250)
    await ask(`RCPT TO:<${envelope.to}>\r\n`, 250)
    await ask('DATA\r\n', 354)
    await ask(stuffDots(mail), 250)
    socket.end('QUIT\r\n')
  } finally {
    socket.destroySoon()
  }
}

/** `250-first` `250-second` `250 last` are one reply of three lines. */
async function* readReplies(socket: Socket): AsyncGenerator<Reply> {
  let pending = ''
  let text = ''
  socket.setEncoding('latin1')
  for await (const chunk of socket) {
    pending += chunk
    if (pending.length + text.length > replySizeMax) throw new Error('the SMTP server does not stop talking')
    for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
      const line = pending.slice(0, end)
      pending = pending.slice(end + 2)
      if (!/^\d{3}([ -]|$)/.test(line)) throw new Error(`not an SMTP reply: ${line.slice(0, 80)}`)
      text += `${text === '' ? '' : '\n'}${line.slice(4)}`
      if (line[3] === '-') continue
      yield { status: Number(line.slice(0, 3)), text }
      text = ''
    }
  }
}
