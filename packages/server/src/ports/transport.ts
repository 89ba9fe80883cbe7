/** One connection's way out, made of a socket, of a TLS socket, of memory, or of a seed. Bytes leave in the order written. */
export interface Transport {
  /** Who is at the other end, for logs and lists: `127.0.0.1:50412`. */
  readonly remote: string
  /** Whether the other end is this machine. */
  readonly local: boolean
  readonly tls: boolean
  /** Bytes of writes that are not complete: they must not change yet. */
  readonly pendingSize: number
  /** Bytes that have really gone so far, those of incomplete writes included; it only rises. */
  readonly takenSize: number
  /** Between cork and uncork writes are gathered into one system call. */
  cork(): void
  uncork(): void
  /**
   * Writes a range. When `pendingSize` is 0 after the write (or the uncork) the bytes have been taken and may be changed;
   * otherwise they must stay as they are until `pendingSize` says that they have gone.
   */
  write(bytes: Uint8Array, from: number, to: number): void
  /** Stops reading: bytes wait with the sender until `resume`. Doing either twice is doing it once. */
  pause(): void
  resume(): void
  /** Writes what is pending, then ends; reading goes on. */
  end(): void
  /** Ends now; what is pending is lost. */
  destroy(): void
}

/** A range that bytes may land in. */
export interface LandingPlace {
  readonly buffer: Uint8Array
  readonly from: number
  readonly to: number
}

/** The other way in: what a transport tells the session that it belongs to. */
export interface TransportHandler {
  /** Bytes have come. They are valid during the call only, unless they have landed where `landing` said: then they are in the handler's memory. */
  ingest(bytes: Uint8Array, from: number, to: number): void
  /** Where the next bytes should land; undefined: where the transport likes. Asked after `ingest`, by transports that can. */
  landing(): LandingPlace | undefined
  /** `pendingSize` has shrunk. Never called from within a write. */
  written(): void
  /** The other end will send nothing more; it may still read. */
  ended(): void
  /** Nothing will come or go any more. Called once. */
  closed(reason: string): void
}
