/**
 * The port that clients connect to, over TCP or TLS: each connection becomes a transport and its session.
 *
 * `localhost` has two addresses, 127.0.0.1 and ::1, and different programs take different ones: it is listened to at both, as far
 * as the machine has them.
 */
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { LandingPlace, Transport, TransportHandler } from '../ports/transport.js'
import { land, landingSize, readByData } from './landing.js'
import { isLoopback, remoteOf, SocketTransport } from './socket-transport.js'

/** Somebody whose TLS handshake is not over: there is no session for it yet. */
export interface Caller {
  readonly address: string
  readonly local: boolean
  readonly arrivedAt: number
  readonly canGiveWay: boolean
  giveWay(): void
}

/** Where connections are received. */
export interface ListenerHome {
  /** Memory to read into, at least `landingSize` bytes of it. */
  landing(): LandingPlace
  /** `arrivedAt`: when it came, by the clock. */
  accept(transport: Transport, arrivedAt: number): TransportHandler
  readonly reception: {
    /** False: there is no place for it. */
    enter(caller: Caller): boolean
    leave(caller: Caller): void
  }
}

export interface ListenOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** PEM texts; with `ca` clients need a certificate that it has signed. */
  readonly tls: { readonly key: string; readonly cert: string; readonly ca?: string | undefined } | undefined
  readonly handshakeMs: number
  readonly clock: Clock
  readonly log: Logger
}

export interface Listener {
  readonly address: AddressInfo
  /** No further connections; resolves when the last one has gone. */
  close(): Promise<void>
}

const backlog = 1024
/** A peer whose heartbeats are off is found dead by the system all the same, some time. */
const keepAliveMs = 60_000

/** Rejects with the error of `listen` of node:net, for example with code EADDRINUSE. */
export async function listen(options: ListenOptions, home: ListenerHome): Promise<Listener> {
  const { host, port } = options
  const { buffer, from } = home.landing()
  const shared = { buffer, from, to: from + landingSize }
  const start = (host: string, port: number): Promise<Door> => bind(makeDoor(options, home, shared), host, port, options.log)

  if (host !== 'localhost') return listenerOf([await start(host, port)])
  const first = await start('127.0.0.1', port).catch(ignoreMissing)
  const samePort = first === undefined ? port : (first.server.address() as AddressInfo).port
  const second = await start('::1', samePort).catch((error: NodeJS.ErrnoException) => {
    // Whoever has that port of ::1 took it before we took ours of 127.0.0.1 by chance.
    if (port === 0 && error.code === 'EADDRINUSE') return undefined
    first?.server.close()
    return ignoreMissing(error)
  })
  const doors = [first, second].filter((door) => door !== undefined)
  if (doors.length === 0) throw Object.assign(new Error('localhost has no address on this machine'), { code: 'EADDRNOTAVAIL' })
  return listenerOf(doors)
}

/** The machine may have no such address. */
function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') throw error
}

/** One address that is listened to. */
interface Door {
  readonly server: Server
  /** Ends those whose handshake is not over. */
  hangUp(): void
}

function listenerOf(doors: readonly Door[]): Listener {
  return {
    address: doors[0].server.address() as AddressInfo,
    close: async () => {
      const closed = doors.map(({ server }) => new Promise<void>((done) => server.close(() => done())))
      for (const door of doors) door.hangUp()
      await Promise.all(closed)
    },
  }
}

function bind(door: Door, host: string, port: number, log: Logger): Promise<Door> {
  const { server } = door
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog }, () => {
      server.off('error', reject)
      server.on('error', (error) => log('error', 'listener-failed', { error }))
      resolve(door)
    })
  })
}

function makeDoor(options: ListenOptions, home: ListenerHome, shared: LandingPlace): Door {
  const { tls, clock, log } = options
  const common = { pauseOnConnect: true, noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs }
  if (tls === undefined) {
    const server = createTcpServer(common, (socket) => {
      connect(home, (reader) => land(socket, shared, reader), false, clock.now())
    })
    return { server, hangUp: () => undefined }
  }
  const server = createTlsServer({
    ...common,
    pauseOnConnect: false,
    // Who hangs up in the handshake is gone at once; afterwards it may end its half.
    allowHalfOpen: false,
    ...tls,
    requestCert: tls.ca !== undefined,
    rejectUnauthorized: tls.ca !== undefined,
    minVersion: 'TLSv1.2',
    handshakeTimeout: options.handshakeMs,
  })
  const callers = new Map<string, Caller>()
  server.on('connection', (socket: Socket) => {
    const key = remoteOf(socket)
    const address = socket.remoteAddress ?? ''
    const caller = { address, local: isLoopback(address), arrivedAt: clock.now(), canGiveWay: true, giveWay: () => socket.destroy() }
    if (!home.reception.enter(caller)) {
      log('warn', 'connection-dropped', { remote: key })
      socket.destroy()
      return
    }
    callers.set(key, caller)
    socket.once('close', () => {
      callers.delete(key)
      home.reception.leave(caller)
    })
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.allowHalfOpen = true
    const caller = callers.get(remoteOf(socket))
    callers.delete(remoteOf(socket))
    if (caller !== undefined) home.reception.leave(caller)
    const read = (reader: Parameters<typeof readByData>[1]) => {
      readByData(socket, reader)
      return socket
    }
    connect(home, read, true, caller?.arrivedAt ?? clock.now())
  })
  server.on('tlsClientError', (error, socket) => {
    log('info', 'tls-failed', { remote: remoteOf(socket), error })
    socket.destroy()
  })
  return {
    server,
    hangUp: () => {
      for (const caller of callers.values()) caller.giveWay()
    },
  }
}

/** `read`: has a socket read from, and returns the one to use. */
function connect(
  home: ListenerHome,
  read: (reader: Pick<TransportHandler, 'ingest' | 'landing'>) => Socket,
  isTls: boolean,
  arrivedAt: number,
): void {
  let handler: TransportHandler | undefined
  const socket = read({
    ingest: (bytes, from, to) => handler?.ingest(bytes, from, to),
    landing: () => handler?.landing(),
  })
  const transport = new SocketTransport(socket, isTls, () => handler?.written())
  let reason = 'ended'
  socket.on('error', (error) => {
    reason = error.message
  })
  handler = home.accept(transport, arrivedAt)
  socket.on('end', () => handler.ended())
  socket.on('close', () => handler.closed(reason))
}
