/**
 * The last words of a connection: they have been written, and whoever reads them gets the time to. A slow reader that reads on gets
 * what was said to it, within reason; one that does not is cut off.
 */
import type { Transport } from '../ports/transport.js'
import type { Liveness } from './liveness.js'

export class Farewell {
  readonly #transport: Transport
  readonly #liveness: Liveness
  readonly #lingerMs: number
  readonly #lingerMaxMs: number
  readonly #since: number
  #takenSize: number

  /** Ends the transport behind what has been written. */
  constructor(transport: Transport, liveness: Liveness, now: number, lingerMs: number, lingerMaxMs: number) {
    this.#transport = transport
    this.#liveness = liveness
    this.#lingerMs = lingerMs
    this.#lingerMaxMs = lingerMaxMs
    this.#since = now
    this.#takenSize = transport.takenSize
    liveness.closing(lingerMs, now)
    transport.end()
  }

  /** The time is up: it is cut, or given some more. */
  timeUp(now: number): void {
    const { pendingSize, takenSize } = this.#transport
    const isReading = pendingSize > 0 && takenSize > this.#takenSize
    if (!isReading || now - this.#since >= this.#lingerMaxMs) {
      this.#transport.destroy()
      return
    }
    this.#takenSize = takenSize
    this.#liveness.closing(this.#lingerMs, now)
  }
}
