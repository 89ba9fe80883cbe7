import assert from 'node:assert'
import type { Transport, TransportHandler } from '../../dist/ports/transport.js'

interface Write {
  readonly bytes: Uint8Array
  from: number
  readonly to: number
}

/**
 * A socket made of paper. It takes `capacity` bytes at once; the rest waits where it lies, as with a real one, and is read from there
 * when there is room: so bytes that change while a write is pending arrive changed.
 */
export class PaperTransport implements Transport {
  readonly remote: string
  readonly local: boolean
  readonly tls = false
  handler: TransportHandler | undefined
  capacity = Infinity
  /** Bytes that have arrived at the other end and have not been looked at. */
  arrived: Buffer[] = []
  isPaused = false
  hasEnded = false
  isClosed = false
  writeCount = 0
  takenSize = 0
  #pending: Write[] = []
  #corked: Write[] = []
  #isCorked = false

  constructor(remote: string, local: boolean) {
    this.remote = remote
    this.local = local
  }

  get pendingSize(): number {
    return sizeOf(this.#pending) + sizeOf(this.#corked)
  }

  cork(): void {
    assert(!this.#isCorked)
    this.#isCorked = true
  }

  uncork(): void {
    assert(this.#isCorked)
    this.#isCorked = false
    if (this.#corked.length > 0) this.writeCount++
    this.#pending.push(...this.#corked)
    this.#corked = []
    this.#move()
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    assert(from < to && to <= bytes.length)
    if (this.isClosed) return
    assert(!this.hasEnded, 'nothing is written behind the end')
    this.#corked.push({ bytes, from, to })
    if (!this.#isCorked) {
      this.#isCorked = true
      this.uncork()
    }
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    this.hasEnded = true
  }

  destroy(): void {
    this.close('destroyed')
  }

  /** The other end reads so much more. */
  take(size: number): void {
    this.capacity += size
    this.#move()
    if (!this.isClosed) this.handler!.written()
  }

  /** Nothing comes or goes any more. */
  close(reason: string): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#pending = []
    this.handler?.closed(reason)
  }

  #move(): void {
    while (this.#pending.length > 0 && this.capacity > 0) {
      const write = this.#pending[0]!
      const size = Math.min(this.capacity, write.to - write.from)
      this.arrived.push(Buffer.from(write.bytes.subarray(write.from, write.from + size)))
      write.from += size
      this.capacity -= size
      this.takenSize += size
      if (write.from === write.to) this.#pending.shift()
    }
  }
}

function sizeOf(writes: readonly Write[]): number {
  return writes.reduce((size, { from, to }) => size + to - from, 0)
}
