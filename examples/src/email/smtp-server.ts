/**
 * A small SMTP server that keeps what it is given in memory: the mailbox at the other end of the demo and of the tests.
 *
 * A mail is handed to `accept` only when its last line has come, and the answer that `accept` returns is what the client
 * hears. `greylisted` senders are asked to come back: each of them hears 451 the first time, as real servers do to spammers.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { unstuffLine } from './dots.js'
import type { Envelope } from './smtp-client.js'

export interface SmtpServer {
  readonly port: number
  /** How many times somebody was asked to come back. */
  readonly postponedCount: number
  close(): Promise<void>
}

export interface SmtpOptions {
  readonly port?: number
  readonly accept: (mail: string, envelope: Envelope) => void
  /** True for those who are refused at their first try and taken at their second. */
  readonly greylisted?: (to: string) => boolean
}

const lineSizeMax = 1_000
const mailSizeMax = 1024 * 1024

export async function startSmtpServer(options: SmtpOptions): Promise<SmtpServer> {
  const sockets = new Set<Socket>()
  const seen = new Set<string>()
  const mustComeBack = (to: string) => {
    if (options.greylisted?.(to) !== true || seen.has(to)) return false
    seen.add(to)
    return true
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    converse(socket, options.accept, mustComeBack)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    get postponedCount() {
      return seen.size
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** One client, from greeting to QUIT: a line is a command, or, between DATA and the single dot, a line of the mail. */
function converse(socket: Socket, accept: SmtpOptions['accept'], mustComeBack: (to: string) => boolean): void {
  let [from, to] = ['', '']
  let mail: string[] | undefined
  let mailSize = 0
  let pending = ''
  const say = (reply: string) => socket.write(`${reply}\r\n`)

  const obey = (line: string) => {
    const [, verb = '', address = ''] = /^(EHLO|HELO|MAIL FROM:|RCPT TO:|DATA|RSET|NOOP|QUIT)\s*(?:<([^<>]*)>)?/i.exec(line) ?? []
    const name = verb.toUpperCase()
    if (name === 'EHLO') say('250-localhost\r\n250 SIZE 1048576')
    else if (name === 'MAIL FROM:') from = takeSender(address)
    else if (name === 'RCPT TO:') to = takeRecipient(address)
    else if (name === 'DATA' && to !== '') mail = startMail()
    else if (name === 'DATA') say('503 for whom? RCPT TO first')
    else if (name === 'QUIT') socket.end('221 good bye\r\n')
    else if (name === '') say('500 not a command that I know')
    else say('250 yes')
  }
  const takeSender = (address: string) => {
    say('250 yes')
    return address
  }
  const takeRecipient = (address: string) => {
    const postponed = mustComeBack(address)
    say(postponed ? '451 I do not know you yet; try again in a moment' : '250 yes')
    return postponed ? '' : address
  }
  const startMail = () => {
    say('354 go on, a single dot ends it')
    mailSize = 0
    return []
  }
  const endMail = (lines: readonly string[]) => {
    mail = undefined
    if (mailSize > mailSizeMax) return say('552 too large')
    accept(lines.map((line) => `${line}\r\n`).join(''), { from, to })
    return say('250 it is mine now')
  }
  const takeLine = (line: string) => {
    if (mail === undefined) return obey(line)
    if (line === '.') return endMail(mail)
    mailSize += line.length + 2
    if (mailSize <= mailSizeMax) mail.push(unstuffLine(line))
  }

  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    pending += chunk
    const lines = pending.split('\r\n')
    pending = lines.pop()!
    for (const line of lines) takeLine(line)
    if (pending.length > lineSizeMax) socket.end('500 line too long\r\n')
  })
  say('220 localhost at your service')
}
