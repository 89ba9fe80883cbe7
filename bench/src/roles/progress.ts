/**
 * How far the consumer is, told to the producer over a socket of their own, so that the producer can stay a bounded
 * number of messages ahead. A report is 8 bytes, sent each time an eighth of the allowed lead has been consumed:
 * about a thousand a second at most, whatever the peer.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'

const reportSize = 8
const reportsPerLead = 8
/** The last few deliveries of a burst are reported by time. */
const stragglersMs = 10

export class ProgressReporter {
  /** The count at which the next report is due; the caller compares, to keep it out of the hot path. */
  next: number
  readonly #step: number
  readonly #server: Server
  readonly #report = Buffer.alloc(reportSize)
  #socket: Socket | undefined
  #reported = 0

  private constructor(server: Server, ahead: number) {
    this.#step = Math.max(1, Math.floor(ahead / reportsPerLead))
    this.next = this.#step
    this.#server = server
    server.on('connection', (socket) => {
      this.#socket = socket
      socket.on('error', () => {})
    })
  }

  static async listen(path: string, ahead: number, count: () => number): Promise<ProgressReporter> {
    const server = createServer()
    const reporter = new ProgressReporter(server, ahead)
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
    setInterval(() => {
      if (count() !== reporter.#reported) reporter.report(count())
    }, stragglersMs).unref()
    return reporter
  }

  report(count: number): void {
    this.next = count + this.#step
    this.#reported = count
    this.#report.writeDoubleBE(count)
    // A copy: the socket may still hold the one before.
    this.#socket?.write(Buffer.from(this.#report))
  }

  close(): void {
    this.#socket?.destroy()
    this.#server.close()
  }
}

export class Progress {
  count = 0
  #rest: Buffer = Buffer.alloc(0)
  #waiting: (() => void)[] = []

  static async connect(path: string): Promise<Progress> {
    const progress = new Progress()
    const socket = connect(path)
    await new Promise<void>((resolve, reject) => socket.once('error', reject).once('connect', resolve))
    socket.on('data', (chunk) => progress.#read(chunk))
    socket.on('error', () => {})
    socket.unref()
    return progress
  }

  /** Resolves at the next report. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Lets everybody go who waits, so that a stop is noticed. */
  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const whole = bytes.length - (bytes.length % reportSize)
    if (whole > 0) this.count = bytes.readDoubleBE(whole - reportSize)
    this.#rest = bytes.subarray(whole)
    this.wake()
  }
}
