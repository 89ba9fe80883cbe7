/**
 * A broker of this process, without a socket: `connect(broker)`.
 *
 * The broker's end takes or copies what it is given before `write` returns, and calls back later, never from within.
 */
import { UsageError } from '../errors.js'
import type { EmbeddedBroker } from '../types.js'
import type { Target } from '../url.js'
import type { Socket, Transport, TransportHandlers } from './transport.js'

/** What `connect()` of such a broker returns. */
export interface EmbeddedPeer {
  write(bytes: Uint8Array): void
  end(): void
  destroy(): void
  onBytes: (bytes: Uint8Array, from: number, to: number) => void
  onClose: (reason?: unknown) => void
}

export class EmbeddedTransport implements Transport {
  readonly #broker: EmbeddedBroker

  constructor(broker: EmbeddedBroker) {
    this.#broker = broker
  }

  open(_target: Target, handlers: TransportHandlers): Socket {
    const peer = this.#broker.connect()
    if (!isPeer(peer))
      throw new UsageError('BROKER_INVALID', 'the broker that was given to connect() is none: its connect() returns no connection')
    return new EmbeddedSocket(peer, handlers)
  }
}

function isPeer(peer: unknown): peer is EmbeddedPeer {
  return typeof peer === 'object' && peer !== null && typeof (peer as EmbeddedPeer).write === 'function'
}

class EmbeddedSocket implements Socket {
  readonly writableLength = 0
  readonly #peer: EmbeddedPeer
  readonly #handlers: TransportHandlers
  #closed = false

  constructor(peer: EmbeddedPeer, handlers: TransportHandlers) {
    this.#peer = peer
    this.#handlers = handlers
    peer.onBytes = (bytes, from, to) => {
      if (!this.#closed) handlers.ingest(bytes, from, to)
    }
    peer.onClose = (reason) => this.#close(reason instanceof Error ? reason : undefined)
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#closed) this.#peer.write(bytes)
    return true
  }

  end(): void {
    if (!this.#closed) this.#peer.end()
  }

  destroy(): void {
    if (this.#closed) return
    this.#peer.destroy()
    // Whether or not the broker says so: we are gone, and tell it later like every transport.
    queueMicrotask(() => this.#close(undefined))
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers.closed(error)
  }
}
