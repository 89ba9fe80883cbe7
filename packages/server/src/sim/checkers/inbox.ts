/**
 * What has arrived on one connection and the broker's session has not got yet, frame by frame.
 *
 *     bytes ─▶ arrived ─┬──────────────────▶ next: right when the broker's session gets it
 *                       └▶ behind HELLO ─▶ held until HELLO is answered, then next once more
 *
 * From the byte on with which the peer breaks the protocol nothing is carried out.
 */
import { type PlainFrame, PlainReader } from './frames.js'

export class Inbox {
  /** When the first byte of the frame came that is not whole; -1: there is none. */
  partialSince = -1
  /** The broker has been given the byte that breaks the protocol. */
  isBroken = false
  readonly #reader = new PlainReader()
  readonly #frames: PlainFrame[] = []
  readonly #early: PlainFrame[] = []
  #breaksAt = Infinity

  breaks(at: number): void {
    this.#breaksAt = Math.min(at, this.#breaksAt)
  }

  arrived(bytes: Buffer, now: number): void {
    if (this.isBroken) return
    const frames = this.#reader.push(bytes)
    for (const frame of frames) {
      if (frame.end > this.#breaksAt) break
      this.#frames.push(frame)
    }
    this.isBroken = this.#reader.readSize + this.#reader.restSize > this.#breaksAt
    if (this.#reader.restSize === 0) this.partialSince = -1
    else if (this.partialSince < 0 || frames.length > 0) this.partialSince = now
  }

  /** The frame that the session must get now. */
  next(isOpen: boolean): PlainFrame | undefined {
    return isOpen && this.#early.length > 0 ? this.#early.shift() : this.#frames.shift()
  }

  /** It came behind HELLO: the session gets it again when that is answered. */
  hold(frame: PlainFrame): void {
    this.#early.push(frame)
  }
}
