// Hot: written for each published message. Typed arrays only.
/**
 * What has been decided of the messages published on one channel and has not been told yet, as CONFIRM tells it:
 * runs of taken messages, and exceptions. [P-4.4]
 */
import {
  confirmExceptionSize,
  confirmHeaderSize,
  confirmRunSize,
  detailSizeMax,
  frameHeaderSize,
  queueCountMax,
  writeConfirmException,
  writeConfirmHeader,
  writeConfirmRun,
} from '@waybill/protocol'
import { type Output, outputSize } from './output.js'

interface Exception {
  readonly sequence: number
  readonly code: number
  readonly queueCount: number
  readonly detail: Buffer
}

/** As many parts go into one frame as surely fit into the output buffer; more go into further frames. */
const runsPerFrame = Math.floor((outputSize / 2 - 1024) / confirmRunSize)
const detailMax = 1024

const none = new Uint32Array(0)

export class Confirms {
  /** Everything up to here is decided. */
  through = 0
  #told = 0
  #capacity = 0
  #sequences = new Float64Array(0)
  #ids = new Float64Array(0)
  #counts = none
  #queueCounts = none
  #levels = none
  #count = 0
  #exceptions: Exception[] = []

  /** Whether there is anything that a client must be told. */
  get pending(): boolean {
    return this.#count > 0 || this.#exceptions.length > 0
  }

  taken(sequence: number, id: number, queueCount: number, level: number): void {
    this.through = sequence
    const queues = queueCount > queueCountMax ? queueCountMax : queueCount
    const last = this.#count - 1
    if (last >= 0) {
      const count = this.#counts[last]
      if (
        this.#sequences[last] + count === sequence &&
        this.#ids[last] + count === id &&
        this.#queueCounts[last] === queues &&
        this.#levels[last] === level
      ) {
        this.#counts[last] = count + 1
        return
      }
    }
    if (this.#count === this.#capacity) this.#grow()
    const i = this.#count++
    this.#sequences[i] = sequence
    this.#ids[i] = id
    this.#counts[i] = 1
    this.#queueCounts[i] = queues
    this.#levels[i] = level
  }

  refused(sequence: number, code: number, queueCount: number, detail: string): void {
    this.through = sequence
    this.#exceptions.push({ sequence, code, queueCount, detail: cut(Buffer.from(detail)) })
  }

  /** Writes CONFIRM frames for all that is pending. */
  write(output: Output, channel: number, creditSequence: number, creditSize: number): void {
    let run = 0
    let exception = 0
    do {
      const runs = Math.min(runsPerFrame, this.#count - run)
      let size = runs * confirmRunSize
      let exceptions = 0
      if (run + runs === this.#count) {
        const room = outputSize - frameHeaderSize - confirmHeaderSize
        for (const { detail } of this.#exceptions.slice(exception)) {
          if (size + confirmExceptionSize + detail.length > room) break
          size += confirmExceptionSize + detail.length
          exceptions++
        }
      }
      const isLast = run + runs === this.#count && exception + exceptions === this.#exceptions.length
      const through = isLast ? this.through : this.#told
      output.reserve(frameHeaderSize + confirmHeaderSize + size)
      output.at = writeConfirmHeader(output.buffer, output.at, channel, through, creditSequence, creditSize, runs, exceptions, size)
      for (const end = run + runs; run < end; run++) {
        output.at = writeConfirmRun(
          output.buffer,
          output.at,
          this.#sequences[run],
          this.#ids[run],
          this.#counts[run],
          this.#queueCounts[run],
          this.#levels[run],
        )
      }
      for (const end = exception + exceptions; exception < end; exception++) {
        const { sequence, code, queueCount, detail } = this.#exceptions[exception]
        output.at = writeConfirmException(output.buffer, output.at, sequence, code, queueCount, detail)
      }
    } while (run < this.#count || exception < this.#exceptions.length)
    this.#told = this.through
    this.#count = 0
    if (this.#exceptions.length > 0) this.#exceptions = []
  }

  #grow(): void {
    const capacity = this.#capacity === 0 ? 4 : this.#capacity * 4
    const resized = (from: Uint32Array) => {
      const to = new Uint32Array(capacity)
      to.set(from)
      return to
    }
    const sequences = new Float64Array(capacity)
    sequences.set(this.#sequences)
    this.#sequences = sequences
    const ids = new Float64Array(capacity)
    ids.set(this.#ids)
    this.#ids = ids
    this.#counts = resized(this.#counts)
    this.#queueCounts = resized(this.#queueCounts)
    this.#levels = resized(this.#levels)
    this.#capacity = capacity
  }
}

/** At most `detailMax` bytes, cut between characters. */
function cut(detail: Buffer): Buffer {
  if (detail.length <= Math.min(detailMax, detailSizeMax)) return detail
  let end = detailMax
  while ((detail[end] & 0xc0) === 0x80) end--
  return detail.subarray(0, end)
}
