/** A connection inside the process: what one side writes, the other side reads in a later turn of the loop, in order. */
import type { Transport, TransportHandler } from '../ports/transport.js'

/** The client's end, as `connect(broker)` of the client package takes it. */
export interface EmbeddedConnection {
  /** The bytes are copied before it returns. */
  write(bytes: Uint8Array): void
  /** Writes what is pending, then ends. */
  end(): void
  destroy(): void
  /** Set by the client; valid during the call only. */
  onBytes: (bytes: Uint8Array, from: number, to: number) => void
  onClose: (reason: string) => void
}

/** One direction: chunks on their way. */
class Pipe {
  #chunks: Uint8Array[] = []
  #asked = false
  #paused = false
  #ended = false
  /** Bytes on their way. */
  size = 0
  readonly #read: (bytes: Uint8Array) => void
  readonly #end: () => void

  constructor(read: (bytes: Uint8Array) => void, end: () => void) {
    this.#read = read
    this.#end = end
  }

  write(bytes: Uint8Array): void {
    if (this.#ended || bytes.length === 0) return
    this.#chunks.push(Uint8Array.prototype.slice.call(bytes))
    this.size += bytes.length
    this.#ask()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#ask()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    if (this.#chunks.length > 0 || this.#ended) this.#ask()
  }

  drop(): void {
    this.#chunks = []
    this.size = 0
  }

  #ask(): void {
    if (this.#asked) return
    this.#asked = true
    setImmediate(() => {
      this.#asked = false
      const chunks = this.#chunks
      this.#chunks = []
      let read = 0
      while (read < chunks.length && !this.#paused) {
        const chunk = chunks[read++]
        this.size = Math.max(0, this.size - chunk.length)
        this.#read(chunk)
      }
      if (read < chunks.length) this.#chunks = [...chunks.slice(read), ...this.#chunks]
      if (this.#ended && this.#chunks.length === 0 && !this.#paused) this.#end()
    })
  }
}

export function embed(accept: (transport: Transport) => TransportHandler): EmbeddedConnection {
  let closed = false
  let given = 0
  let handler: TransportHandler | undefined

  const close = (reason: string): void => {
    if (closed) return
    closed = true
    toClient.drop()
    toBroker.drop()
    setImmediate(() => {
      handler?.closed(reason)
      client.onClose(reason)
    })
  }
  const toClient = new Pipe(
    (bytes) => {
      if (closed) return
      client.onBytes(bytes, 0, bytes.length)
      handler?.written()
    },
    () => close('ended by the broker'),
  )
  const toBroker = new Pipe(
    (bytes) => {
      if (!closed) handler?.ingest(bytes, 0, bytes.length)
    },
    () => {
      if (!closed) handler?.ended()
    },
  )
  const client: EmbeddedConnection = {
    write: (bytes) => {
      if (!closed) toBroker.write(bytes)
    },
    end: () => toBroker.end(),
    destroy: () => close('destroyed by the client'),
    onBytes: () => undefined,
    onClose: () => undefined,
  }
  const transport: Transport = {
    remote: 'embedded',
    local: true,
    tls: false,
    get pendingSize() {
      return 0
    },
    get takenSize() {
      return given - toClient.size
    },
    cork: () => undefined,
    uncork: () => undefined,
    write(bytes, from, to) {
      given += to - from
      if (!closed) toClient.write(bytes.subarray(from, to))
    },
    pause: () => toBroker.pause(),
    resume: () => toBroker.resume(),
    end: () => toClient.end(),
    destroy: () => close('destroyed by the broker'),
  }
  handler = accept(transport)
  return client
}
