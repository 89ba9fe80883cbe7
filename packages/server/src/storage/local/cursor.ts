/**
 * Reads the blocks of one file in order, a window of it at a time. It knows what a block is, not which one should come next.
 *
 *     file    │ block │ block │ block ····· │ zeros
 *     window          └──────────────┘
 */
import type { DiskFile } from '../../ports/disk.js'
import {
  blockDurableAt,
  blockEpochAt,
  blockFlagsAt,
  blockFormat,
  blockFormatAt,
  blockHeaderSize,
  blockNumberAt,
  blockPayloadSizeAt,
  blockSizeAt,
  blockSizeMax,
  isWholeBlock,
  isZero,
} from './block.js'
import { DataFormatError } from './format-error.js'
import { readPatiently } from './patient-read.js'

const windowSize = 2 * blockSizeMax
/** Who looks at one block needs no more. */
const windowSizeFirst = 32 * 1024

export class BlockCursor {
  readonly #file: DiskFile
  #bytes = new Uint8Array(0)
  #start = 0
  #count = 0
  /** Of the block that was read last. */
  at = 0
  size = 0
  flags = 0
  epoch = 0
  number = 0
  durable = 0
  #payloadSize = 0

  constructor(file: DiskFile) {
    this.#file = file
  }

  /** Reads the block at `at`. False: there is none. Throws DataFormatError when a newer version has written it. */
  read(at: number): boolean {
    let index = this.#view(at, blockHeaderSize)
    if (index < 0) return false
    const size = blockSizeAt(this.#bytes, index)
    if (size === 0) return false
    index = this.#view(at, size)
    if (index < 0 || !isWholeBlock(this.#bytes, index, size)) return false
    const format = blockFormatAt(this.#bytes, index)
    if (format > blockFormat) throw new DataFormatError(`a block of ${this.#file.name}`, format, blockFormat)
    this.at = at
    this.size = size
    this.flags = blockFlagsAt(this.#bytes, index)
    this.epoch = blockEpochAt(this.#bytes, index)
    this.number = blockNumberAt(this.#bytes, index)
    this.durable = blockDurableAt(this.#bytes, index)
    this.#payloadSize = blockPayloadSizeAt(this.#bytes, index)
    return this.number > 0
  }

  /** What is in the block that was read last; good until the next one is. */
  get payload(): Uint8Array {
    const from = this.at - this.#start + blockHeaderSize
    return this.#bytes.subarray(from, from + this.#payloadSize)
  }

  /** Whether the file ends at `at`, or goes on with zeros there. */
  isBlank(at: number): boolean {
    const count = Math.min(blockHeaderSize, this.#file.size - at)
    if (count <= 0) return true
    const index = this.#view(at, count)
    return index < 0 || isZero(this.#bytes, index, index + count)
  }

  /** Reads the first block at or behind `from` that `isWanted`, wherever it begins. */
  search(from: number, isWanted: (cursor: BlockCursor) => boolean): boolean {
    const end = this.#file.size - blockHeaderSize
    let at = (from + 7) & ~7
    while (at <= end) {
      const index = this.#view(at, blockHeaderSize)
      if (index < 0) return false
      const found = this.#candidate(index)
      if (found >= 0) {
        at = this.#start + found
        if (this.read(at) && isWanted(this)) return true
        at += 8
      } else {
        at = (this.#start + this.#count - blockHeaderSize + 8) & ~7
      }
    }
    return false
  }

  /** The first index from `index` on where a block might begin; -1: nowhere in the window. */
  #candidate(index: number): number {
    const bytes = this.#bytes
    const end = this.#count - blockHeaderSize
    // A size has zeros in front, a format is not 0: most of what is no block is passed by here.
    for (let i = index; i <= end; i += 8) {
      if (bytes[i] !== 0 || (bytes[i + 3] & 7) !== 0 || bytes[i + 8] === 0) continue
      if (blockSizeAt(bytes, i) !== 0) return i
    }
    return -1
  }

  /** Where in the window `size` bytes from `at` are; -1: the file does not have them. */
  #view(at: number, size: number): number {
    if (at >= this.#start && at + size <= this.#start + this.#count) return at - this.#start
    if (at + size > this.#file.size) return -1
    const wanted = Math.min(this.#bytes.length === 0 ? windowSizeFirst : windowSize, this.#file.size)
    if (this.#bytes.length < Math.max(wanted, size)) this.#bytes = new Uint8Array(Math.max(wanted, size))
    this.#start = at
    const into = this.#bytes.subarray(0, Math.min(this.#bytes.length, this.#file.size - at))
    this.#count = readPatiently(this.#file, into, at)
    return this.#count < size ? -1 : 0
  }
}
