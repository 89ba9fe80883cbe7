// Hot: every write of every connection.
import type { Socket } from 'node:net'
import type { Transport } from '../ports/transport.js'

/** The counters of the handle below a socket, where there are any. */
interface StreamHandle {
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
}

/** A socket of net or tls as a transport. */
export class SocketTransport implements Transport {
  readonly remote: string
  readonly local: boolean
  readonly tls: boolean
  readonly #socket: Socket
  #given = 0
  /** Called when a write is complete. */
  readonly #written: () => void

  constructor(socket: Socket, tls: boolean, written: () => void) {
    this.#socket = socket
    this.tls = tls
    this.remote = remoteOf(socket)
    this.local = isLoopback(socket.remoteAddress)
    this.#written = written
  }

  get pendingSize(): number {
    return this.#socket.writableLength
  }

  get takenSize(): number {
    const handle = (this.#socket as unknown as { _handle?: StreamHandle | null })._handle
    if (!this.tls && handle?.bytesWritten !== undefined && handle.writeQueueSize !== undefined)
      return handle.bytesWritten - handle.writeQueueSize
    return this.#given - this.#socket.writableLength
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    this.#given += to - from
    this.#socket.write(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.#written)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** `10.0.0.7:50412`, `[2001:db8::1]:50412` */
export function remoteOf({ remoteAddress = '?', remotePort = 0 }: Socket): string {
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, '')
  return address.includes(':') ? `[${address}]:${remotePort}` : `${address}:${remotePort}`
}

export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.'))
}
