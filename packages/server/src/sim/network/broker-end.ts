/** The broker's end of a connection: the port `Transport`, as a listener of Node makes it of a socket. */
import type { LandingPlace, Transport, TransportHandler } from '../../ports/transport.js'
import { land, type NetworkContext, type Wire } from './context.js'
import { Outflow } from './outflow.js'

export class BrokerEnd implements Transport {
  readonly remote: string
  readonly local = true
  readonly tls = false
  /** When bytes came last, and when a byte was taken last: ms. */
  arrivedAt: number
  takenAt: number
  readonly #connection: Wire
  readonly #context: NetworkContext
  readonly #outflow: Outflow
  #handler: TransportHandler | undefined
  /** Where the next read lands. It is fixed after the read before it, whatever the handler thinks of it meanwhile. */
  #place: LandingPlace | undefined
  #isOrphan = false
  #hasEnded = false
  #isReadOut = false
  #closing = false
  #closed = false
  #toldSize = 0

  constructor(connection: Wire, context: NetworkContext) {
    this.#connection = connection
    this.#context = context
    this.remote = `127.0.0.1:${50_000 + connection.number}`
    this.arrivedAt = this.takenAt = context.timeline.now
    this.#outflow = new Outflow(`broker's end of connection ${connection.number}`, connection.down)
    this.#outflow.onWritten = () => {
      this.#noteTaken()
      context.clock.whenAwake(() => {
        if (!this.#closed) this.#handler!.written()
      }, 0)
    }
    this.#outflow.onFinished = () => this.#closeIfDone()
  }

  accepted(handler: TransportHandler): void {
    this.#handler = handler
    this.#fixPlace()
  }

  get isClosing(): boolean {
    return this.#closing || this.#hasEnded
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** The most that one read takes. */
  get readSizeMax(): number {
    return this.#place === undefined ? this.#context.brokerLanding.size : this.#place.to - this.#place.from
  }

  checkPending(): void {
    this.#outflow.checkPending()
  }

  // ─── what the broker does ───────────────────────────────────────────────

  get pendingSize(): number {
    return this.#outflow.pendingSize
  }

  get takenSize(): number {
    return this.#outflow.takenSize
  }

  cork(): void {
    this.#outflow.cork()
  }

  uncork(): void {
    this.#outflow.uncork()
    this.#noteTaken()
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    if (this.#isOrphan) return
    // Bytes for a connection that is no more are sent as far as the broker can know.
    this.#context.doorkeeper.written(this.#connection, Buffer.from(bytes.subarray(from, to)))
    if (this.#closing) return
    this.#outflow.write(bytes, from, to)
    this.#noteTaken()
  }

  pause(): void {
    if (!this.#closing) this.#connection.up.pause()
  }

  resume(): void {
    if (!this.#closing) this.#connection.up.resume()
  }

  end(): void {
    if (this.#closing || this.#hasEnded) return
    this.#hasEnded = true
    this.#context.doorkeeper.ended(this.#connection)
    this.#outflow.end()
  }

  destroy(): void {
    if (this.#closing) return
    this.#context.doorkeeper.destroyed(this.#connection)
    this.#closing = true
    this.#outflow.destroy()
    this.#connection.abandonedByBroker()
    this.#closeSoon('destroyed')
  }

  // ─── what happens to it ─────────────────────────────────────────────────

  /** Its process has ended: nobody is there to be told. */
  orphan(): void {
    this.#isOrphan = this.#closed = this.#closing = true
    this.#outflow.destroy()
  }

  read(piece: Buffer): void {
    if (this.#closing) return
    this.arrivedAt = this.#context.timeline.now
    this.#context.doorkeeper.arrived(this.#connection, piece)
    const handler = this.#handler!
    const place = this.#place
    if (place === undefined) land(this.#context.brokerLanding, piece, (bytes, from, to) => handler.ingest(bytes, from, to))
    else {
      this.#context.tally.count('reads in place')
      piece.copy(place.buffer, place.from)
      handler.ingest(place.buffer, place.from, place.from + piece.length)
    }
    this.#fixPlace()
  }

  readEnd(): void {
    if (this.#closing) return
    this.#isReadOut = true
    this.#handler!.ended()
    this.#closeIfDone()
  }

  /** The connection is gone: the broker is told. */
  close(reason: string): void {
    if (this.#closed) return
    this.#closed = this.#closing = true
    this.#outflow.destroy()
    this.#context.doorkeeper.closed(this.#connection)
    this.#handler!.closed(reason)
  }

  #fixPlace(): void {
    const place = this.#closing || this.#context.readsByData ? undefined : this.#handler!.landing()
    this.#place = place && { buffer: place.buffer, from: place.from, to: place.to }
  }

  #closeIfDone(): void {
    if (!this.#isReadOut || !this.#outflow.isFinished || this.#closing) return
    this.#closing = true
    this.#closeSoon('ended by the client')
  }

  #closeSoon(reason: string): void {
    const { timeline, clock } = this.#context
    timeline.in(0, () => clock.whenAwake(() => this.close(reason), 0))
  }

  #noteTaken(): void {
    if (this.#outflow.takenSize === this.#toldSize) return
    this.#toldSize = this.#outflow.takenSize
    this.takenAt = this.#context.timeline.now
  }
}
