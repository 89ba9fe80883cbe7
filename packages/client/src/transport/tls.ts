/**
 * TLS 1.2 or later, by node:tls. The broker's certificate is verified against the authorities and the host; nothing that we write,
 * the password least of all, leaves before that.
 */
import { isIP } from 'node:net'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { WaybillError } from '../errors.js'
import type { TlsOptions } from '../types.js'
import type { Target } from '../url.js'
import type { Socket, Transport, TransportHandlers } from './transport.js'

export class TlsTransport implements Transport {
  readonly #options: TlsOptions

  constructor(options: TlsOptions) {
    this.#options = options
  }

  open(target: Target, handlers: TransportHandlers): Socket {
    const { ca, cert, key, passphrase, serverName, insecureSkipVerification } = this.#options
    const name = serverName ?? target.host
    const options: ConnectionOptions = {
      host: target.host,
      port: target.port,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: insecureSkipVerification !== true,
      // An address has no place in SNI; it is compared with the certificate all the same.
      servername: isIP(name) === 0 ? name : '',
    }
    if (ca !== undefined) options.ca = typeof ca === 'string' || Buffer.isBuffer(ca) ? ca : [...ca]
    if (cert !== undefined) options.cert = cert
    if (key !== undefined) options.key = key
    if (passphrase !== undefined) options.passphrase = passphrase
    return new VerifiedSocket(connect(options), handlers)
  }
}

/** Keeps what is written until the other side has shown who it is. */
class VerifiedSocket implements Socket {
  readonly #socket: TLSSocket
  #early: Uint8Array[] | undefined = []
  #earlySize = 0

  constructor(socket: TLSSocket, handlers: TransportHandlers) {
    this.#socket = socket
    let failure: Error | undefined
    socket.setNoDelay(true)
    socket.setKeepAlive(true)
    socket.on('secureConnect', () => this.#verified())
    socket.on('data', (bytes) => handlers.ingest(bytes, 0, bytes.length))
    socket.on('error', (error) => {
      failure = error
    })
    socket.on('drain', () => handlers.drained())
    socket.on('close', () => handlers.closed(failure === undefined ? undefined : this.#explain(failure)))
  }

  get writableLength(): number {
    return this.#earlySize + this.#socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    if (this.#early === undefined) return this.#socket.write(bytes)
    this.#early.push(Buffer.from(bytes))
    this.#earlySize += bytes.length
    return true
  }

  end(): void {
    if (this.#early === undefined) this.#socket.end()
    else this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Not the network but the certificate, or no TLS at all: trying again cannot help. */
  #explain(failure: NodeJS.ErrnoException): Error {
    if (this.#early === undefined || failure.syscall !== undefined || failure.code === 'ECONNRESET') return failure
    return new WaybillError('TLS_FAILED', `no TLS connection: ${failure.message}`, { cause: failure })
  }

  #verified(): void {
    const early = this.#early ?? []
    this.#early = undefined
    this.#earlySize = 0
    for (const bytes of early) this.#socket.write(bytes)
  }
}
