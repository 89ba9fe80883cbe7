// Hot: once a turn for each session that has something to say.
/**
 * What one connection has been sent and its transport has not taken yet.
 *
 *     given ────────────────▶         pins: slabs whose bytes lie in writes under way, each with the mark
 *     │ complete │ under way │               up to which the writes must be complete to let it go
 */
import type { Slabs } from '../broker/store/slabs.js'
import type { Transport } from '../ports/transport.js'

export class Outbox {
  readonly #slabs: Slabs
  #given = 0
  #pinned: number[] = []
  #marks: number[] = []
  #first = 0

  constructor(slabs: Slabs) {
    this.#slabs = slabs
  }

  /** Bytes ever given to the transport. */
  get givenSize(): number {
    return this.#given
  }

  /** A flush has given `size` bytes that lie in `pinned` slabs; they are let go now or when the writes are complete. */
  gave(size: number, pinned: number[], taken: boolean): void {
    this.#given += size
    if (taken && this.#pinned.length === 0) for (const slab of pinned) this.#slabs.unpin(slab)
    else {
      for (const slab of pinned) {
        this.#pinned.push(slab)
        this.#marks.push(this.#given)
      }
    }
    pinned.length = 0
  }

  /** Lets go what complete writes held. */
  release(transport: Transport): void {
    const complete = this.#given - transport.pendingSize
    while (this.#first < this.#pinned.length && this.#marks[this.#first] <= complete) this.#slabs.unpin(this.#pinned[this.#first++])
    if (this.#first === this.#pinned.length) {
      this.#pinned.length = this.#marks.length = this.#first = 0
    } else if (this.#first > 1024) {
      this.#pinned.splice(0, this.#first)
      this.#marks.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** The transport is gone and reads from nothing any more. */
  close(): void {
    for (; this.#first < this.#pinned.length; this.#first++) this.#slabs.unpin(this.#pinned[this.#first])
    this.#pinned.length = this.#marks.length = this.#first = 0
  }
}
