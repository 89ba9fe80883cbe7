/**
 * One direction of a connection: what one end has written and the other has not read.
 *
 *     put ─▶ │ bytes on their way, at most `capacity` │ ─▶ reader, in pieces of any size
 *
 * It stands for both kernels and the wire between them. Bytes come out in the order they went in, after `latencyMs`, in pieces that
 * `pieceSize` draws, as fast as `sizePerMs` allows. Who wants to write more than there is room for waits for `onRoom`.
 */
import { type Event, Rank, type Timeline } from '../timeline.js'

export interface PipeWeather {
  /** Bytes that both kernels hold. */
  readonly capacity: number
  readonly latencyMs: number
  readonly sizePerMs: number
  /** Draws the size of the next piece, at least 1, when so many bytes are waiting. */
  readonly pieceSize: (waitingSize: number) => number
}

export interface PipeReader {
  /** `piece` may be kept. */
  read(piece: Buffer): void
  /** All bytes have been read and none will follow. */
  ended(): void
  /** Runs what concerns the reader when its process does run. */
  whenAwake(run: () => void): void
  /** The most that it takes at once. */
  sizeMax(): number
}

/** A large piece; the reader may take less at once. */
export const pieceSizeMax = 256 * 1024

export class Pipe {
  /** Room has come back after `put` took less than it was given. */
  onRoom: () => void = () => undefined
  weather: PipeWeather
  readonly #timeline: Timeline
  readonly #reader: PipeReader
  #chunks: Buffer[] = []
  #size = 0
  #pump: Event | undefined
  #readable = false
  #wantsRoom = false
  #ending = false
  #over = false
  #cut = false
  #paused = false
  #held: () => void = () => undefined

  constructor(timeline: Timeline, weather: PipeWeather, reader: PipeReader) {
    this.#timeline = timeline
    this.weather = weather
    this.#reader = reader
  }

  /** Bytes that are on their way. */
  get size(): number {
    return this.#size
  }

  /** Whether bytes have arrived that the reader has had no chance to read. */
  get isReadable(): boolean {
    return this.#readable
  }

  /** Whether the reader does not read for a while. */
  get isPaused(): boolean {
    return this.#paused
  }

  /** Takes as much of the bytes as there is room for; they must not change. Returns how much. */
  put(bytes: Buffer): number {
    if (this.#over) return bytes.length
    const size = Math.min(bytes.length, Math.max(0, this.weather.capacity - this.#size))
    if (size < bytes.length) this.#wantsRoom = true
    if (size === 0) return 0
    this.#chunks.push(size === bytes.length ? bytes : bytes.subarray(0, size))
    this.#size += size
    if (this.#paused && !this.#cut) this.#held()
    this.#ask(this.weather.latencyMs)
    return size
  }

  /** Nothing more will be put. */
  end(): void {
    this.#ending = true
    this.#ask(this.weather.latencyMs)
  }

  /** The reader does not read for a while. `held`: bytes wait for it. */
  pause(held: () => void = () => undefined): void {
    this.#paused = true
    this.#held = held
    if (this.#size > 0 && !this.#over && !this.#cut) held()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#size > 0 || this.#ending) this.#ask(0)
  }

  /** Nothing comes through any more, and nobody is told. False: nothing has anyway. */
  cut(): boolean {
    if (this.#cut || this.#over) return false
    this.#cut = true
    this.#readable = false
    if (this.#pump !== undefined) this.#timeline.cancel(this.#pump)
    return true
  }

  /** What is on its way is lost; the reader hears nothing more. */
  close(): void {
    this.#over = true
    this.#chunks = []
    this.#size = 0
    if (this.#pump !== undefined) this.#timeline.cancel(this.#pump)
  }

  #ask(delayMs: number): void {
    if (this.#pump !== undefined || this.#over || this.#cut || this.#paused) return
    this.#pump = this.#timeline.in(delayMs, () => {
      this.#readable = true
      this.#reader.whenAwake(() => this.#deliver())
    })
  }

  #deliver(): void {
    this.#pump = undefined
    if (this.#over || this.#cut || this.#paused) return
    this.#readable = false
    if (this.#size > 0) {
      const piece = this.#take(Math.min(this.#size, this.#reader.sizeMax(), Math.max(1, this.weather.pieceSize(this.#size))))
      this.#reader.read(piece)
      if (this.#over || this.#cut) return
      if (this.#wantsRoom) {
        this.#wantsRoom = false
        this.#timeline.in(this.weather.latencyMs, () => this.onRoom(), Rank.arrival)
      }
      if (this.#size > 0 || this.#ending) this.#ask(piece.length / this.weather.sizePerMs)
    } else if (this.#ending) {
      this.#over = true
      this.#reader.ended()
    }
  }

  #take(size: number): Buffer {
    this.#size -= size
    const first = this.#chunks[0]!
    if (first.length > size) {
      this.#chunks[0] = first.subarray(size)
      return first.subarray(0, size)
    }
    if (first.length === size) return this.#chunks.shift()!
    const piece = Buffer.allocUnsafe(size)
    let at = 0
    while (at < size) {
      const chunk = this.#chunks[0]!
      const part = Math.min(chunk.length, size - at)
      chunk.copy(piece, at, 0, part)
      at += part
      if (part === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(part)
    }
    return piece
  }
}
