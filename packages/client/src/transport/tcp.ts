/**
 * TCP, by node:net. Every socket reads into one landing buffer of the transport: the bytes are handed on during the callback and
 * the next read of any socket may overwrite them, so a thousand idle connections share 256 KiB, and nothing is allocated for a read.
 */
import { connect } from 'node:net'
import type { Target } from '../url.js'
import type { Socket, Transport, TransportHandlers } from './transport.js'

const landingSize = 256 * 1024

export class TcpTransport implements Transport {
  #landing: Buffer | undefined

  open(target: Target, handlers: TransportHandlers): Socket {
    this.#landing ??= Buffer.allocUnsafeSlow(landingSize)
    const onread = {
      buffer: this.#landing,
      callback: (size: number, bytes: Uint8Array): boolean => {
        handlers.ingest(bytes, 0, size)
        return true
      },
    }
    const socket = connect({ host: target.host, port: target.port, noDelay: true, keepAlive: true, onread })
    let failure: Error | undefined
    socket.on('error', (error) => {
      failure = error
    })
    socket.on('drain', () => handlers.drained())
    socket.on('close', () => handlers.closed(failure))
    return socket
  }
}
