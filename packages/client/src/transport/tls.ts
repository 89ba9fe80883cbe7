/**
 * TLS 1.2 or later, by node:tls. The broker's certificate is verified against the authorities and the host; nothing that we write,
 * the password least of all, leaves before that.
 */
import { isIP } from 'node:net'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { messageOf, WaybillError } from '../errors.js'
import type { TlsOptions } from '../types.js'
import { hostOf, type Target } from '../url.js'
import { authoritiesOf } from './tls-options.js'
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
    if (cert !== undefined) options.cert = cert
    if (key !== undefined) options.key = key
    if (passphrase !== undefined) options.passphrase = passphrase
    try {
      if (ca !== undefined) options.ca = authoritiesOf(ca)
      return new VerifiedSocket(connect(options), hostOf(target), handlers, ca !== undefined)
    } catch (error) {
      throw new WaybillError('TLS_FAILED', `tls.ca, tls.cert or tls.key cannot be used: ${messageOf(error)}`, { cause: error })
    }
  }
}

const untrusted = 'give the certificate of its authority as tls.ca'
const otherAuthority = 'tls.ca is given, but the certificate comes from another authority'

/** What to do about it, by the code of Node. */
const fixes: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks no TLS: the URL of such a broker begins with waybill://',
  ERR_TLS_CERT_ALTNAME_INVALID: 'connect by a name that its certificate has, or give that name as tls.serverName',
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
}

/** Keeps what is written until the other side has shown who it is. */
class VerifiedSocket implements Socket {
  readonly #socket: TLSSocket
  readonly #host: string
  readonly #hasAuthority: boolean
  #early: Uint8Array[] | undefined = []
  #earlySize = 0

  /** `hasAuthority`: `tls.ca` was given. */
  constructor(socket: TLSSocket, host: string, handlers: TransportHandlers, hasAuthority: boolean) {
    this.#socket = socket
    this.#host = host
    this.#hasAuthority = hasAuthority
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
    const known = failure.code === undefined ? undefined : fixes[failure.code]
    const fix = known === untrusted && this.#hasAuthority ? otherAuthority : known
    const message = `no TLS connection to ${this.#host}: ${failure.message.trim()}${fix === undefined ? '' : `; ${fix}`}`
    return new WaybillError('TLS_FAILED', message, { cause: failure })
  }

  #verified(): void {
    const early = this.#early ?? []
    this.#early = undefined
    this.#earlySize = 0
    for (const bytes of early) this.#socket.write(bytes)
  }
}
