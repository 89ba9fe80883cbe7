// Hot: called for each append.
/**
 * An append as the parts of one write: headers, the caller's bytes, zeros.
 *
 *     small     header │ part │ part │ zeros to 8 │ end mark
 *     large     header │ 1 MiB of parts │ header │ 1 MiB of parts │ header │ the rest │ zeros to 8 │ end mark
 */
import {
  BlockFlag,
  type BlockStamp,
  blockHeaderSize,
  blockSizeOf,
  endOf,
  paddingOf,
  payloadSizeMax,
  sealBlock,
  writeBlockHeader,
} from './block.js'

const growSize = 1 << 20
const zeros = new Uint8Array(growSize)

/** Bytes that an append with so much payload takes, the end mark not counted. */
export function appendSizeOf(payloadSize: number): number {
  if (payloadSize <= payloadSizeMax) return blockSizeOf(payloadSize)
  const wholeCount = Math.floor(payloadSize / payloadSizeMax)
  const rest = payloadSize - wholeCount * payloadSizeMax
  return wholeCount * blockSizeOf(payloadSizeMax) + (rest > 0 ? blockSizeOf(rest) : 0)
}

export class AppendParts {
  /** What is to be written; empty between appends. */
  readonly out: Uint8Array[] = []
  readonly #header = Buffer.alloc(blockHeaderSize)

  /** Gathers an append of which the first block gets this stamp; how many blocks there are. */
  gather(flags: number, stamp: BlockStamp, parts: readonly Uint8Array[], payloadSize: number): number {
    if (payloadSize > payloadSizeMax) return this.#gatherChain(stamp, parts, payloadSize)
    const { out } = this
    writeBlockHeader(this.#header, flags, stamp, payloadSize)
    sealBlock(this.#header, parts, payloadSize)
    out.push(this.#header)
    for (let i = 0; i < parts.length; i++) out.push(parts[i])
    out.push(endOf(payloadSize))
    return 1
  }

  /**
   * So many more zeros at most. A file that grows does so by much at a time: in between a sync has nothing to note about the file, which halves its time.
   * A full disk is full a little earlier by it.
   */
  grow(sizeMax: number): void {
    if (sizeMax > 0) this.out.push(zeros.subarray(0, Math.min(growSize, sizeMax)))
  }

  clear(): void {
    this.out.length = 0
  }

  #gatherChain(stamp: BlockStamp, parts: readonly Uint8Array[], size: number): number {
    let count = 0
    let part = 0
    let at = 0
    for (let left = size; left > 0; count++) {
      const payloadSize = Math.min(left, payloadSizeMax)
      left -= payloadSize
      const pieces: Uint8Array[] = []
      for (let missing = payloadSize; missing > 0; ) {
        const piece = parts[part].subarray(at, at + missing)
        missing -= piece.length
        at += piece.length
        if (piece.length > 0) pieces.push(piece)
        if (at === parts[part].length) {
          part++
          at = 0
        }
      }
      const header = Buffer.alloc(blockHeaderSize)
      const flags = (left > 0 ? BlockFlag.continued : 0) | (count > 0 ? BlockFlag.continuation : 0)
      writeBlockHeader(header, flags, { ...stamp, number: stamp.number + count }, payloadSize)
      sealBlock(header, pieces, payloadSize)
      this.out.push(header, ...pieces, left > 0 ? paddingOf(payloadSize) : endOf(payloadSize))
    }
    return count
  }
}
