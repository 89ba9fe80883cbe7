// Hot: every message of the log's tail passes here once. Typed arrays only.
/**
 * Up to 1,024 messages of one queue, at most 4 MiB if there are several, as recovery finds them behind the snapshot: their ids, their sizes, and
 * which are gone since.
 *
 *     pieces   first id, index of its first message      ids in a piece are consecutive
 *     size     of every record, or `sizes` if they differ
 *     gone     a bit for each message; made when the first goes
 *
 * A thousand messages of one publisher and one size are a hundred bytes here.
 */
import { type KeptRun, keptRunSizeMax } from '../broker/durable.js'

export const tailPageSize = 1_024

export class TailPage {
  readonly firstId: number
  lastId: number
  /** Messages that came, gone or not. */
  count = 0
  liveCount = 0
  /** Bytes of records that are not gone. */
  liveSize = 0
  #pieceIds = new Float64Array(2)
  #pieceStarts = new Uint16Array(2)
  #pieceCount = 0
  /** Bytes of all records that came. */
  #cameSize = 0
  #size = 0
  #sizes: Uint32Array | undefined
  #gone: Uint32Array | undefined

  constructor(firstId: number) {
    this.firstId = firstId
    this.lastId = firstId - 1
  }

  /**
   * Adds messages with consecutive ids, above all that are there, as many of `count` as there is room for; their sizes lie in `sizes` from `from` on.
   * Returns how many.
   */
  add(firstId: number, count: number, sizes: Uint32Array, from: number): number {
    const end = from + Math.min(count, tailPageSize - this.count)
    if (this.count === 0) this.#size = sizes[from]
    let size = this.#cameSize
    let isSame = this.#sizes === undefined
    let i = from
    for (; i < end; i++) {
      if (size + sizes[i] > keptRunSizeMax && (size > 0 || i > from)) break
      size += sizes[i]
      if (sizes[i] !== this.#size) isSame = false
    }
    const added = i - from
    if (added === 0) return 0
    if (firstId !== this.lastId + 1 || this.#pieceCount === 0) this.#begin(firstId)
    if (!isSame) {
      this.#sizes ??= new Uint32Array(tailPageSize).fill(this.#size, 0, this.count)
      for (let k = 0; k < added; k++) this.#sizes[this.count + k] = sizes[from + k]
    }
    this.count += added
    this.liveCount += added
    this.liveSize += size - this.#cameSize
    this.#cameSize = size
    this.lastId = firstId + added - 1
    return added
  }

  /** The messages with ids from `first` to `last` are gone. What is left can be read off `liveCount` and `liveSize`. */
  drop(first: number, last: number): void {
    this.#gone ??= new Uint32Array(tailPageSize / 32)
    const gone = this.#gone
    for (let index = this.#indexFrom(first), end = this.#indexFrom(last + 1); index < end; index++) {
      const bit = 1 << (index & 31)
      if ((gone[index >> 5] & bit) !== 0) continue
      gone[index >> 5] |= bit
      this.liveCount--
      this.liveSize -= this.#sizes === undefined ? this.#size : this.#sizes[index]
    }
  }

  /** What is left, as a run. Messages that are neighbours here make one range, whatever ids other queues have got in between. */
  run(): KeptRun {
    const ranges: number[] = []
    let isOpen = false
    let piece = 0
    for (let index = 0; index < this.count; index++) {
      if (piece + 1 < this.#pieceCount && this.#pieceStarts[piece + 1] === index) piece++
      const isGone = this.#gone !== undefined && (this.#gone[index >> 5] & (1 << (index & 31))) !== 0
      if (isGone) {
        isOpen = false
        continue
      }
      const id = this.#pieceIds[piece] + index - this.#pieceStarts[piece]
      if (isOpen) ranges[ranges.length - 1] = id
      else ranges.push(id, id)
      isOpen = true
    }
    return { count: this.liveCount, size: this.liveSize, ranges: Float64Array.from(ranges) }
  }

  #begin(firstId: number): void {
    if (this.#pieceCount === this.#pieceIds.length) {
      const ids = new Float64Array(this.#pieceCount * 4)
      const starts = new Uint16Array(this.#pieceCount * 4)
      ids.set(this.#pieceIds)
      starts.set(this.#pieceStarts)
      this.#pieceIds = ids
      this.#pieceStarts = starts
    }
    this.#pieceIds[this.#pieceCount] = firstId
    this.#pieceStarts[this.#pieceCount++] = this.count
  }

  /** Index of the first message whose id is not below `id`. */
  #indexFrom(id: number): number {
    let low = 0
    let high = this.#pieceCount
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#pieceIds[middle] <= id) low = middle + 1
      else high = middle
    }
    if (low === 0) return 0
    const start = this.#pieceStarts[low - 1]
    const end = low < this.#pieceCount ? this.#pieceStarts[low] : this.count
    return Math.min(start + (id - this.#pieceIds[low - 1]), end)
  }
}
