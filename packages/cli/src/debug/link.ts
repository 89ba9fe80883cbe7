/**
 * A socket to a broker: the preface, then frames as they come, taken apart. [P-1, P-2]
 *
 * It looks at everything and judges nothing; frames that make no sense are frames all the same. What ends the connection
 * is told once, in words.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  checkPreface,
  correlationSize,
  Flag,
  frameHeaderSize,
  FrameReader,
  type FrameSink,
  limits,
  preface,
  prefaceSize,
  protocolMajor,
  protocolMinor,
} from '@waybill/protocol'
import { type Direction, type Frame, readFrame } from './frame.js'
import { type Target, targetText } from './target.js'

/** There is no connection: why, and what to do. */
export class ConnectFailure extends Error {
  override readonly name = 'ConnectFailure'
}

export interface LinkListener {
  frame(frame: Frame): void
  preface(direction: Direction, bytes: Uint8Array): void
  /** Bytes that came and are no frames. */
  foreign(bytes: Uint8Array): void
  /** Nothing more comes; `why` is undefined if the broker simply closed the connection. */
  ended(why: string | undefined): void
}

export interface LinkOptions {
  readonly target: Target
  /** Certificate authorities, PEM; without them those of Node hold. */
  readonly ca?: Buffer | undefined
  readonly timeoutMs: number
  /** Started by a command of npm, so in a clone of the repository. */
  readonly npm: boolean
}

export class Link implements FrameSink {
  /** When bytes last came and last went, in ms of performance.now(). */
  receivedAt = performance.now()
  sentAt = performance.now()
  readonly #socket: Socket
  readonly #listener: LinkListener
  readonly #reader = new FrameReader(this, limits.frameSizeMax.value)
  #ended = false

  constructor(socket: Socket, listener: LinkListener) {
    this.#socket = socket
    this.#listener = listener
    socket.on('data', (bytes) => this.#read(bytes))
    socket.on('error', (error) => this.#end(error.message))
    socket.on('close', () => this.#end(undefined))
  }

  /** The largest frame that is read, from the answer to HELLO on. */
  set frameSizeMax(size: number) {
    this.#reader.frameSizeMax = size
  }

  send(bytes: Uint8Array): void {
    this.sentAt = performance.now()
    if (!this.#ended) this.#socket.write(bytes)
  }

  /** Ends the socket; what was sent still goes out. */
  close(): void {
    this.#ended = true
    this.#socket.end()
    this.#socket.destroySoon()
  }

  /** Gives the connection up, because of what we say. */
  abandon(why: string): void {
    this.#end(why)
  }

  frame(bytes: Uint8Array, _type: number, flags: number, _channel: number, _correlation: number, from: number, to: number): void {
    const start = from - frameHeaderSize - ((flags & Flag.correlated) === 0 ? 0 : correlationSize)
    this.#listener.frame(readFrame(Buffer.from(bytes.subarray(start, to))))
  }

  #read(bytes: Uint8Array): void {
    this.receivedAt = performance.now()
    if (this.#ended || this.#reader.read(bytes, 0, bytes.length)) return
    const fault = this.#reader.fault
    this.#listener.foreign(bytes)
    this.#end(`the broker sent what cannot be read: ${fault?.code}: ${fault?.message}`)
  }

  #end(why: string | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.destroy()
    this.#listener.ended(why)
  }
}

/** Connects and exchanges prefaces. Rejects with ConnectFailure. */
export async function openLink(options: LinkOptions, listener: LinkListener): Promise<Link> {
  const socket = await openSocket(options)
  listener.preface('out', preface)
  socket.write(preface)
  const answer = await readPreface(socket, options)
  listener.preface('in', answer.subarray(0, prefaceSize))
  const link = new Link(socket, listener)
  if (answer.length > prefaceSize) socket.unshift(answer.subarray(prefaceSize))
  socket.resume()
  return link
}

function openSocket(options: LinkOptions): Promise<Socket> {
  const { target, ca, timeoutMs } = options
  const { host, port, tls } = target
  return new Promise((resolve, reject) => {
    const isName = !/^[\d.]+$|:/.test(host)
    const socket = tls
      ? connectTls({ host, port, minVersion: 'TLSv1.2', ...(isName ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }) })
      : connectTcp({ host, port })
    socket.setNoDelay(true)
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new ConnectFailure(`${targetText(target)} does not answer`))
    }, timeoutMs)
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(new ConnectFailure(connectProblem(error, options)))
    })
  })
}

/** At least 8 bytes, which are a preface of our version. */
function readPreface(socket: Socket, options: LinkOptions): Promise<Buffer> {
  const { target, timeoutMs } = options
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(() => done(`${targetText(target)} took the connection and says nothing`), timeoutMs)
    const done = (problem?: string): void => {
      clearTimeout(timer)
      socket.off('data', onData).off('end', onEnd).off('error', onError)
      if (problem === undefined) resolve(bytes)
      else {
        socket.on('error', () => {}).destroy()
        reject(new ConnectFailure(problem))
      }
    }
    const look = (ended: boolean): void => {
      const check = checkPreface(bytes, 0, bytes.length, ended)
      if (check.state === 'need-more') return
      if (check.state === 'foreign') done(foreignProblem(bytes, target))
      else if (check.refused || check.major !== protocolMajor) {
        done(
          `${targetText(target)} speaks version ${check.major}.${check.minor} of the protocol; this tool speaks ${protocolMajor}.${protocolMinor}`,
        )
      } else {
        socket.pause()
        done()
      }
    }
    const onData = (more: Buffer): void => {
      bytes = Buffer.concat([bytes, more])
      look(false)
    }
    const onEnd = (): void => look(true)
    const onError = (error: Error): void => done(connectProblem(error, options))
    socket.on('data', onData).on('end', onEnd).on('error', onError)
  })
}

function foreignProblem(bytes: Buffer, target: Target): string {
  const where = targetText(target)
  if (bytes.length === 0) return `${where} closed the connection without a word; if it wants TLS, say --tls`
  if (bytes[0] === 0x15 && bytes[1] === 0x03) return `${where} wants TLS: say --tls, or waybills://${where}`
  const line = JSON.stringify(bytes.toString('latin1').split(/\r?\n/)[0].slice(0, 200))
  return `${where} is no Waybill broker, or does not want us; it says ${line}`
}

function connectProblem(error: NodeJS.ErrnoException, { target, npm }: LinkOptions): string {
  const where = targetText(target)
  switch (error.code) {
    case 'ECONNREFUSED':
      return `nothing listens on ${where}; start a broker with: ${npm ? 'npm start' : 'waybill serve'}`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `no host is called ${target.host}`
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return `${where} does not speak TLS here; leave out --tls, or use the port that has it`
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `the certificate of ${where} is signed by nobody known here; name its authority with --ca FILE`
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${where} does not hold: ${error.message}`
    default:
      return `cannot connect to ${where}: ${error.message || error.code}`
  }
}
