/** Whether a connection is read from: not as long as anybody has a reason against it. */
import type { Transport } from '../ports/transport.js'

/** Answers are not taken; bytes that have come have not been looked at. */
export const GateReason = { congestion: 1, backlog: 2 } as const

export class ReadGate {
  readonly #transport: Transport
  #reasons = 0

  constructor(transport: Transport) {
    this.#transport = transport
  }

  get isClosed(): boolean {
    return this.#reasons !== 0
  }

  close(reason: number): void {
    if (this.#reasons === 0) this.#transport.pause()
    this.#reasons |= reason
  }

  open(reason: number): void {
    const before = this.#reasons
    this.#reasons &= ~reason
    if (before !== 0 && this.#reasons === 0) this.#transport.resume()
  }
}
