/**
 * The writing half of a socket, as Node and the kernel have it:
 *
 *     write ─▶ buffered ─▶ one operation of all of it ─▶ kernel (a Pipe), as far as there is room
 *                          └──────── pendingSize ───────┘ └ taken
 *
 * An operation that fits is over at once. One that does not is read from the writer's memory bit by bit as room comes back, and
 * `pendingSize` does not shrink before all of it has gone. What is written meanwhile waits, and is the next operation.
 *
 * It checks what a kernel cannot: the bytes of a write stay as they were until `pendingSize` says that they have gone. It keeps a
 * copy of them, compares each piece as it is taken, and all of it again at the end.
 */
import { fail } from '../failure.js'
import type { Pipe } from './pipe.js'

interface Range {
  readonly source: Uint8Array
  readonly from: number
  readonly to: number
  /** As it was written. */
  readonly copy: Buffer
  taken: number
}

export class Outflow {
  /** Called later, never from within: an operation that had to wait is over. */
  onWritten: () => void = () => undefined
  /** Everything has been taken, and the end told. */
  onFinished: () => void = () => undefined
  /** Who writes, for the words of a failure. */
  readonly #name: string
  readonly #pipe: Pipe
  #operation: Range[] = []
  #buffered: Range[] = []
  #corked = 0
  #pending = 0
  #taken = 0
  #waiting = false
  #ending = false
  #finished = false
  #destroyed = false

  constructor(name: string, pipe: Pipe) {
    this.#name = name
    this.#pipe = pipe
    pipe.onRoom = () => this.#resume()
  }

  get pendingSize(): number {
    return this.#pending
  }

  get takenSize(): number {
    return this.#taken
  }

  get isFinished(): boolean {
    return this.#finished
  }

  cork(): void {
    this.#corked++
  }

  uncork(): void {
    if (this.#corked === 0) fail('transport', `${this.#name} is uncorked without having been corked`)
    if (--this.#corked === 0) this.#start()
  }

  write(source: Uint8Array, from: number, to: number): void {
    if (this.#destroyed) return
    if (this.#ending) fail('transport', `${this.#name} is written to after its end`)
    if (from > to || to > source.length) fail('transport', `${this.#name} is given the range ${from}..${to} of ${source.length} bytes`)
    if (from === to) return
    const copy = Buffer.from(source.subarray(from, to))
    this.#buffered.push({ source, from, to, copy, taken: 0 })
    this.#pending += to - from
    if (this.#corked === 0) this.#start()
  }

  end(): void {
    if (this.#ending || this.#destroyed) return
    this.#ending = true
    this.#finishIfDone()
  }

  /** What is pending is lost; the memory is the writer's again. */
  destroy(): void {
    if (this.#destroyed) return
    this.checkPending()
    this.#destroyed = true
    this.#operation = []
    this.#buffered = []
  }

  /** All that is pending is as it was written. */
  checkPending(): void {
    for (const range of this.#operation) this.#compare(range, 0)
    for (const range of this.#buffered) this.#compare(range, 0)
  }

  #start(): void {
    if (this.#destroyed || this.#operation.length > 0 || this.#buffered.length === 0) return
    this.#operation = this.#buffered
    this.#buffered = []
    this.#push()
  }

  /** Gives the kernel what it has room for. */
  #push(): void {
    for (const range of this.#operation) {
      const size = range.copy.length
      if (range.taken === size) continue
      this.#compare(range, range.taken)
      const taken = this.#pipe.put(range.copy.subarray(range.taken))
      range.taken += taken
      this.#taken += taken
      if (range.taken < size) {
        this.#waiting = true
        return
      }
    }
    this.#waiting = false
    let size = 0
    for (const range of this.#operation) {
      this.#compare(range, 0)
      size += range.copy.length
    }
    this.#operation = []
    this.#pending -= size
    if (this.#corked === 0) this.#start()
    this.#finishIfDone()
  }

  #resume(): void {
    if (this.#destroyed || !this.#waiting) return
    const before = this.#pending
    this.#push()
    if (this.#pending < before && !this.#destroyed) this.onWritten()
  }

  #finishIfDone(): void {
    if (!this.#ending || this.#finished || this.#pending > 0) return
    this.#finished = true
    this.#pipe.end()
    this.onFinished()
  }

  #compare(range: Range, from: number): void {
    const { source, copy } = range
    if (copy.compare(source, range.from + from, range.to, from) === 0) return
    let at = from
    while (copy[at] === source[range.from + at]) at++
    fail('pinned', `${this.#name}: byte ${at} of a pending write of ${copy.length} changed from ${copy[at]} to ${source[range.from + at]}`)
  }
}
