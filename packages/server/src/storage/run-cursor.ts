// Hot: every message that is read back passes here.
/** The records of a RUN entry, one behind another, found by their ids. Going on is cheap; going back begins again. */
import { recordSize } from '@waybill/protocol'

export class RunCursor {
  bytes: Uint8Array = Buffer.alloc(0)
  firstId = 0
  lastId = -1
  /** Where the record of message `id` begins. */
  at = 0
  id = 0
  #from = 0
  #to = 0

  set(firstId: number, count: number, bytes: Uint8Array, from: number, to: number): void {
    this.bytes = bytes
    this.firstId = this.id = firstId
    this.lastId = firstId + count - 1
    this.at = this.#from = from
    this.#to = to
  }

  /** Goes to the record of a message of the run; false if the run ends before it, which no run of ours does. */
  seek(id: number): boolean {
    if (id < this.id) {
      this.id = this.firstId
      this.at = this.#from
    }
    while (this.id < id) if (!this.skip()) return false
    return true
  }

  /** The size of the record that it stands at; 0 if there is none. */
  get size(): number {
    if (this.at + 4 > this.#to) return 0
    const size = recordSize(this.bytes, this.at)
    return this.at + size <= this.#to ? size : 0
  }

  skip(): boolean {
    const { size } = this
    this.at += size
    this.id++
    return size > 0
  }
}
