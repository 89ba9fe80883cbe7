/** Far ends made of sockets, and a listener whose transports are noted. */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { landingSize } from '../../dist/host/landing.js'
import { type Listener, listen, type ListenOptions } from '../../dist/host/listener.js'
import { nodeClock } from '../../dist/host/node-clock.js'
import type { Transport } from '../../dist/ports/transport.js'
import { type FarEnd, Recorder } from './transport-contract.js'

export function certificate(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../test/host/certificates/${name}`, import.meta.url)), 'utf8')
}

export const tls = { key: certificate('server.key'), cert: certificate('server.pem') }

/** Reads only while somebody waits for bytes. */
export class SocketFarEnd implements FarEnd {
  readonly socket: Socket
  readonly hasEnded: Promise<void>
  #ended: () => void = () => undefined
  #isOver = false

  constructor(socket: Socket) {
    this.socket = socket
    this.hasEnded = new Promise((resolve) => {
      this.#ended = resolve
    })
    for (const event of ['end', 'close'] as const) {
      socket.on(event, () => {
        this.#isOver = true
        this.#ended()
      })
    }
    socket.on('error', () => undefined)
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  end(): void {
    this.socket.end()
  }

  destroy(): void {
    this.socket.destroy()
  }

  async read(size: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    let read = 0
    while (read < size) {
      const chunk = this.socket.read(Math.min(size - read, this.socket.readableLength || 1)) as Buffer | null
      if (chunk !== null) {
        chunks.push(chunk)
        read += chunk.length
      } else if (this.#isOver) break
      else await this.#changed()
    }
    // Looked at without taking: so the end is seen too.
    if (this.socket.readableLength === 0) this.socket.read(0)
    return Buffer.concat(chunks)
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      const events = ['readable', 'end', 'close']
      const look = () => {
        for (const event of events) this.socket.off(event, look)
        resolve()
      }
      for (const event of events) this.socket.on(event, look)
    })
  }
}

export interface Accepted {
  readonly transport: Transport
  readonly handler: Recorder
}

/** A listener on a free port; `accepted` is the next connection. */
export async function startListener(options: Partial<ListenOptions> = {}) {
  const waiting: ((accepted: Accepted) => void)[] = []
  const queue: Accepted[] = []
  const log: string[] = []
  const place = Buffer.allocUnsafeSlow(landingSize)
  const listener: Listener = await listen(
    {
      host: '127.0.0.1',
      port: 0,
      tls: undefined,
      handshakeMs: 5_000,
      clock: nodeClock(),
      log: (_level, event) => log.push(event),
      ...options,
    },
    {
      landing: () => ({ buffer: place, from: 0, to: place.length }),
      accept(transport) {
        const accepted = { transport, handler: new Recorder() }
        const next = waiting.shift()
        if (next === undefined) queue.push(accepted)
        else next(accepted)
        return accepted.handler
      },
      reception: { enter: () => true, leave: () => undefined },
    },
  )
  const accepted = (): Promise<Accepted> => {
    const first = queue.shift()
    return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first)
  }
  return { listener, accepted, log, port: listener.address.port }
}

export function dial(port: number, isTls: boolean, host = '127.0.0.1'): Promise<SocketFarEnd> {
  return new Promise((resolve, reject) => {
    const socket = isTls
      ? connectTls({ socket: connect({ port, host, allowHalfOpen: true }), ca: certificate('authority.pem'), servername: 'localhost' })
      : connect({ port, host, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      socket.off('error', reject)
      resolve(new SocketFarEnd(socket))
    })
  })
}
