/**
 * How bytes get to a broker and back. Made of a TCP socket, of TLS, of a broker in this process, or of a seed.
 *
 * Nothing calls back from within `open`, `write`, `end` or `destroy`.
 */
import type { Target } from '../url.js'

export interface TransportHandlers {
  /** Bytes have come; they are valid during the call only. */
  ingest(bytes: Uint8Array, from: number, to: number): void
  /** All that was written has been taken. */
  drained(): void
  /** Nothing will come or go any more. Called once; without an error when the other side ended it. */
  closed(error?: Error): void
}

export interface Socket {
  /** The bytes may be changed when `writableLength` is 0 after the call, or else when it has become 0. True: more can be written. */
  write(bytes: Uint8Array): boolean
  /** Bytes written and not taken yet. */
  readonly writableLength: number
  /** Sends what is written, then ends. */
  end(): void
  /** Ends now; `closed` follows. */
  destroy(): void
}

export interface Transport {
  /** Begins to connect. What is written before the connection is there is kept until then. */
  open(target: Target, handlers: TransportHandlers): Socket
}
