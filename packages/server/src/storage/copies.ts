/**
 * Messages that are written to the log again: those whose segment is to go, and those that a disk which has failed does not have.
 *
 *     block     │ ROUTE │ RUN, MOVED: records │ RUN, MOVED: records │ ROUTE │ …        up to 64 KiB, or one record
 *
 * A copy says nothing new: on replay it is only another place where a message lies. Each block is noted in the index of moved messages.
 */
import type { Log, Position } from '../ports/log.js'
import { EntryFlag, EntryKind, entryHeaderSize, runHeaderSize, writeEntryHeader, writeRunHeader } from './entries.js'
import type { MovedIndex } from './moved-index.js'

/** So much is read to find one of them. */
const blockSize = 64 * 1024
const noQueues: Uint8Array = new Uint8Array(0)

export class Copies {
  /** Bytes appended so far. */
  size = 0
  /** Of the last block appended, or 0. */
  position: Position = 0
  readonly #log: Log
  readonly #moved: MovedIndex
  #buffer = Buffer.allocUnsafeSlow(blockSize)
  #at = 0
  /** Numbers of the block's routes, by their queues; and the last of them. */
  readonly #routes = new Map<string, number>()
  #queues = noQueues
  #route = 0
  /** Of the run being written: where it begins, or -1, its first id, how many there are. */
  #run = -1
  #runFirst = 0
  #runCount = 0
  #first = Infinity
  #last = 0

  constructor(log: Log, moved: MovedIndex) {
    this.#log = log
    this.#moved = moved
  }

  /** Adds the record at `from` to `to`. `queues`: the numbers of those that have it, u32 each, in bytes that stay. */
  add(id: number, queues: Uint8Array, bytes: Uint8Array, from: number, to: number): void {
    // A block is found by its range of ids: one that goes back and forth would be found in vain.
    if (id < this.#last) this.flush()
    const needed = 2 * entryHeaderSize + runHeaderSize + queues.length + to - from
    if (this.#at + needed > this.#buffer.length) {
      this.flush()
      if (needed > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(needed)
    }
    if (this.#run < 0 || id !== this.#runFirst + this.#runCount || Buffer.compare(queues, this.#queues) !== 0) {
      this.#endRun()
      this.#setRoute(queues)
      this.#run = this.#at
      this.#runFirst = id
      this.#runCount = 0
      this.#at += entryHeaderSize + runHeaderSize
    }
    this.#buffer.set(bytes.subarray(from, to), this.#at)
    this.#at += to - from
    this.#runCount++
    if (id < this.#first) this.#first = id
    if (id > this.#last) this.#last = id
  }

  /** Appends what has been added. It is synced with the next sync, or soon. */
  flush(): void {
    if (this.#at === 0) return
    this.#endRun()
    this.position = this.#log.append([this.#buffer.subarray(0, this.#at)], 'lazy')
    this.#moved.add(this.#first, this.#last, this.position)
    this.size += this.#at
    if (this.#buffer.length > blockSize) this.#buffer = Buffer.allocUnsafeSlow(blockSize)
    this.#at = 0
    this.#routes.clear()
    this.#first = Infinity
    this.#last = 0
  }

  #setRoute(queues: Uint8Array): void {
    this.#queues = queues
    const key = Buffer.from(queues).toString('latin1')
    const known = this.#routes.get(key)
    this.#route = known ?? this.#routes.size
    if (known !== undefined) return
    this.#routes.set(key, this.#route)
    this.#at = writeEntryHeader(this.#buffer, this.#at, EntryKind.route, 0, queues.length)
    this.#buffer.set(queues, this.#at)
    this.#at += queues.length
  }

  #endRun(): void {
    if (this.#run < 0) return
    const recordsSize = this.#at - this.#run - entryHeaderSize - runHeaderSize
    writeRunHeader(this.#buffer, this.#run, EntryFlag.moved, this.#runFirst, this.#route, this.#runCount, recordsSize)
    this.#run = -1
  }
}
