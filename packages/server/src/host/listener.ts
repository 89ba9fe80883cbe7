/** The port that clients connect to, over TCP or TLS: each connection becomes a transport and its session. */
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Logger } from '../ports/log.js'
import type { LandingPlace, Transport, TransportHandler } from '../ports/transport.js'
import { land, landingSize, readByData } from './landing.js'
import { SocketTransport } from './socket-transport.js'

export interface ListenOptions {
  readonly host: string
  readonly port: number
  /** PEM texts. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer; readonly ca?: string | Buffer | undefined }
  readonly accept: (transport: Transport) => TransportHandler
  /** Memory to read into, at least `landingSize` bytes of it. */
  readonly landing: () => LandingPlace
  readonly log: Logger
  readonly handshakeMs: number
}

export interface Listener {
  readonly address: AddressInfo
  /** No further connections; resolves when the last one has gone. */
  close(): Promise<void>
}

export function listen(options: ListenOptions): Promise<Listener> {
  const { tls, log } = options
  const { buffer, from } = options.landing()
  const shared = { buffer, from, to: from + landingSize }
  const server: Server =
    tls === undefined
      ? createTcpServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: false }, (socket) => connect(socket, false))
      : createTlsServer({ ...tls, minVersion: 'TLSv1.2', handshakeTimeout: options.handshakeMs }, (socket) => {
          socket.setNoDelay(true)
          connect(socket, true)
        })
  server.on('tlsClientError', (error) => log('info', 'tls-refused', { message: error.message }))
  server.on('drop', () => log('warn', 'connection-dropped', {}))

  function connect(accepted: Socket, isTls: boolean): void {
    let handler: TransportHandler | undefined
    const reader = {
      ingest: (bytes: Uint8Array, from: number, to: number): void => handler?.ingest(bytes, from, to),
      landing: (): LandingPlace | undefined => handler?.landing(),
    }
    let socket = accepted
    if (isTls) readByData(socket, reader)
    else socket = land(accepted, shared, reader)
    const transport = new SocketTransport(socket, isTls, () => handler?.written())
    handler = options.accept(transport)
    let reason = 'ended by the client'
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('end', () => transport.end())
    socket.on('close', () => handler.closed(reason))
  }

  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
      server.off('error', reject)
      server.on('error', (error) => log('error', 'listener-failed', { message: error.message }))
      resolve({
        address: server.address() as AddressInfo,
        close: () => new Promise((done) => server.close(() => done())),
      })
    })
  })
}
