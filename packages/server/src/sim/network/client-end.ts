/** The client's end of a connection: a socket as the client package wants it. Nothing calls back from within its methods. */
import { land, type NetworkContext, type Wire } from './context.js'
import { Outflow } from './outflow.js'

export interface ClientHandlers {
  /** Bytes have come; they are valid during the call only. */
  ingest(bytes: Uint8Array, from: number, to: number): void
  /** All that was written has been taken. */
  drained(): void
  /** Nothing will come or go any more. Called once; without an error when the other side ended it. */
  closed(error?: Error): void
}

const highWaterMark = 16 * 1024

export class ClientEnd {
  readonly #connection: Wire
  readonly #context: NetworkContext
  readonly #handlers: ClientHandlers
  readonly #outflow: Outflow
  /** What is written before there is a connection. */
  #early: Buffer[] | undefined = []
  #earlySize = 0
  #earlyEnd = false
  #isReadOut = false
  #hasEnded = false
  #closing = false
  #closed = false

  constructor(connection: Wire, context: NetworkContext, handlers: ClientHandlers) {
    this.#connection = connection
    this.#context = context
    this.#handlers = handlers
    this.#outflow = new Outflow(`client's end of connection ${connection.number}`, connection.up)
    this.#outflow.onWritten = () => {
      if (this.writableLength === 0 && !this.#closing) handlers.drained()
    }
    this.#outflow.onFinished = () => this.#closeIfDone()
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** It has ended, or is about to: nothing more will come from it. */
  get isLeaving(): boolean {
    return this.#closing || this.#hasEnded
  }

  checkPending(): void {
    this.#outflow.checkPending()
  }

  // ─── what the client does ───────────────────────────────────────────────

  get writableLength(): number {
    return this.#earlySize + this.#outflow.pendingSize
  }

  write(bytes: Uint8Array): boolean {
    // Who has read the end of the other side is about to be told, and nothing is sent any more.
    if (this.#closing || this.#isReadOut) return false
    if (this.#early !== undefined) {
      this.#early.push(Buffer.from(bytes))
      this.#earlySize += bytes.length
    } else this.#outflow.write(bytes, 0, bytes.length)
    return this.writableLength < highWaterMark
  }

  end(): void {
    this.#hasEnded = true
    if (this.#early !== undefined) this.#earlyEnd = true
    else if (!this.#closing) this.#outflow.end()
  }

  destroy(): void {
    if (this.#closing) return
    this.#closing = true
    this.#outflow.destroy()
    this.#connection.abandonedByClient()
    this.#context.timeline.in(0, () => this.close())
  }

  // ─── what happens to it ─────────────────────────────────────────────────

  /** The connection is there. */
  established(): void {
    const early = this.#early ?? []
    this.#early = undefined
    this.#earlySize = 0
    if (this.#closing) return
    for (const bytes of early) this.#outflow.write(bytes, 0, bytes.length)
    if (this.#earlyEnd) this.#outflow.end()
    if (early.length > 0 && this.writableLength === 0) this.#handlers.drained()
  }

  read(piece: Buffer): void {
    if (this.#closing) return
    land(this.#context.clientLanding, piece, (bytes, from, to) => this.#handlers.ingest(bytes, from, to))
  }

  readEnd(): void {
    if (this.#closing) return
    this.#isReadOut = true
    this.#outflow.end()
    this.#closeIfDone()
  }

  close(error?: Error): void {
    if (this.#closed) return
    this.#closed = this.#closing = true
    this.#outflow.destroy()
    this.#handlers.closed(error)
  }

  #closeIfDone(): void {
    if (!this.#isReadOut || !this.#outflow.isFinished || this.#closing) return
    this.#closing = true
    this.#context.timeline.in(0, () => this.close())
  }
}
