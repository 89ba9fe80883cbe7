// Hot: written for each published message. Typed arrays only.
/**
 * What has been decided of the messages published on one channel and has not been told yet, as CONFIRM tells it:
 * runs of taken messages, and exceptions, in order: behind a run that waits for the disk everything waits. [P-4.4]
 *
 * Words are for people: of many exceptions in one turn only the first ones say more than their code (`detailsSizeMax` in all), so that
 * a frame full of bad messages is not answered with many times its size.
 */
import {
  confirmExceptionSize,
  confirmHeaderSize,
  confirmRunSize,
  frameHeaderSize,
  Level,
  queueCountMax,
  writeConfirmException,
  writeConfirmHeader,
  writeConfirmRun,
} from '@waybill/protocol'
import { type Output, outputSize } from './output.js'

/** What surely fits into the output buffer goes into one frame; more goes into further frames. */
const partsSizeMax = outputSize / 2
const detailSizeMax = 1024
const detailsSizeMax = 64 * 1024
/** Arrays that have grown larger than this are given back when everything is told. */
const idleCapacity = 4096

interface Exception {
  readonly sequence: number
  readonly code: number
  readonly detail: string
}

const none = new Uint32Array(0)
const noNumbers = new Float64Array(0)
const noDetail: Uint8Array = Buffer.alloc(0)

export class Confirms {
  /** Everything up to here is decided. */
  through = 0
  /** Messages named in runs so far, and in exceptions. */
  takenCount = 0
  refusedCount = 0

  #capacity = 0
  #sequences = noNumbers
  #ids = noNumbers
  #counts = none
  #queueCounts = none
  #levels = none
  /** The batch of the journal that has to be synced before the run is told, or written if that is its level; 0: none. */
  #gates = noNumbers
  #count = 0

  #exceptionCapacity = 0
  #refusedSequences = noNumbers
  #codes = none
  #details: Uint8Array[] = []
  #detailsSize = 0
  #exceptionCount = 0
  #lastDetail = ''
  #lastBytes = noDetail

  /** Whether there is anything that a client must be told, now or when the disk has it. */
  get pending(): boolean {
    return this.#count > 0 || this.#exceptionCount > 0
  }

  /** Whether something may be told when everything up to this batch is synced. */
  isReady(synced: number): boolean {
    if (this.#count > 0 && this.#isOpen(0, synced)) return true
    return this.#exceptionCount > 0 && this.#refusedSequences[0] < this.#firstOf(0)
  }

  /** Whether words would still be told. */
  get hasRoomForDetail(): boolean {
    return this.#detailsSize < detailsSizeMax
  }

  /** So many messages in a row, from `sequence` and `id` on. */
  taken(sequence: number, id: number, takenCount: number, queueCount: number, level: number, gate: number): void {
    this.through = sequence + takenCount - 1
    const queues = Math.min(queueCount, queueCountMax)
    const last = this.#count - 1
    if (last >= 0) {
      const count = this.#counts[last]
      if (
        this.#sequences[last] + count === sequence &&
        this.#ids[last] + count === id &&
        this.#queueCounts[last] === queues &&
        this.#levels[last] === level &&
        this.#gates[last] === gate
      ) {
        this.#counts[last] = count + takenCount
        return
      }
    }
    if (this.#count === this.#capacity) this.#resizeRuns(this.#capacity === 0 ? 4 : this.#capacity * 4)
    const i = this.#count++
    this.#sequences[i] = sequence
    this.#ids[i] = id
    this.#counts[i] = takenCount
    this.#queueCounts[i] = queues
    this.#levels[i] = level
    this.#gates[i] = gate
  }

  /** No queue took it. */
  refused(sequence: number, code: number, detail: string): void {
    this.through = sequence
    this.refusedCount++
    if (this.#exceptionCount === this.#exceptionCapacity) this.#resizeExceptions(Math.max(16, this.#exceptionCapacity * 4))
    const i = this.#exceptionCount++
    this.#refusedSequences[i] = sequence
    this.#codes[i] = code
    // Those behind the first one without words have none either.
    if (this.#detailsSize >= detailsSizeMax) return
    if (detail !== this.#lastDetail) {
      this.#lastDetail = detail
      this.#lastBytes = cut(Buffer.from(detail))
    }
    this.#details.push(this.#lastBytes)
    this.#detailsSize += this.#lastBytes.length
  }

  /** Whether something waits for a batch that is lost: one above `synced`, up to `lost`. */
  hasLost(synced: number, lost: number): boolean {
    for (let i = 0; i < this.#count; i++) if (this.#gates[i] > synced && this.#gates[i] <= lost) return true
    return false
  }

  /** What waits for a batch that is lost is refused after all. Calls `withdraw` with the ids of each run of messages. */
  refuseLost(synced: number, lost: number, code: number, detail: string, withdraw: (firstId: number, count: number) => void): void {
    const before = this.#takeExceptions()
    let next = 0
    let kept = 0
    const { through } = this
    for (let i = 0; i < this.#count; i++) {
      const first = this.#sequences[i]
      if (this.#gates[i] <= synced || this.#gates[i] > lost) {
        this.#keep(i, kept++)
        continue
      }
      for (; next < before.length && before[next]!.sequence < first; next++) this.#refuseAgain(before[next]!)
      for (let sequence = first; sequence < first + this.#counts[i]; sequence++) this.refused(sequence, code, detail)
      withdraw(this.#ids[i], this.#counts[i])
    }
    for (; next < before.length; next++) this.#refuseAgain(before[next]!)
    this.#count = kept
    this.through = through
  }

  #takeExceptions(): Exception[] {
    const exceptions: Exception[] = []
    for (let i = 0; i < this.#exceptionCount; i++) {
      exceptions.push({ sequence: this.#refusedSequences[i], code: this.#codes[i], detail: Buffer.from(this.#detailOf(i)).toString() })
    }
    this.#exceptionCount = 0
    this.#forgetDetails()
    return exceptions
  }

  #refuseAgain({ sequence, code, detail }: Exception): void {
    this.refusedCount--
    this.refused(sequence, code, detail)
  }

  #keep(from: number, to: number): void {
    this.#sequences[to] = this.#sequences[from]
    this.#ids[to] = this.#ids[from]
    this.#counts[to] = this.#counts[from]
    this.#queueCounts[to] = this.#queueCounts[from]
    this.#levels[to] = this.#levels[from]
    this.#gates[to] = this.#gates[from]
  }

  /** Writes CONFIRM frames for all that may be told when everything up to the batch `synced` is, each with everything up to its `through`. */
  write(output: Output, channel: number, creditSequence: number, creditSize: number, synced: number): void {
    let run = 0
    let exception = 0
    let told = 0
    while (told < this.#count && this.#isOpen(told, synced)) told++
    const waitingFrom = this.#firstOf(told)
    let exceptionsTold = this.#exceptionCount
    if (told < this.#count) for (exceptionsTold = 0; this.#refusedAt(exceptionsTold) < waitingFrom; ) exceptionsTold++
    do {
      let runEnd = run
      let exceptionEnd = exception
      let size = 0
      for (;;) {
        const isRun = runEnd < told && this.#firstOf(runEnd) < this.#refusedAt(exceptionEnd)
        if (!isRun && exceptionEnd === exceptionsTold) break
        size += isRun ? confirmRunSize : confirmExceptionSize + this.#detailOf(exceptionEnd).length
        if (size > partsSizeMax) {
          size -= isRun ? confirmRunSize : confirmExceptionSize + this.#detailOf(exceptionEnd).length
          break
        }
        if (isRun) runEnd++
        else exceptionEnd++
      }
      const through = Math.min(this.through, this.#firstOf(runEnd) - 1, this.#refusedAt(exceptionEnd) - 1)
      output.reserve(frameHeaderSize + confirmHeaderSize + size)
      output.at = writeConfirmHeader(
        output.buffer,
        output.at,
        channel,
        through,
        creditSequence,
        creditSize,
        runEnd - run,
        exceptionEnd - exception,
        size,
      )
      for (; run < runEnd; run++) {
        this.takenCount += this.#counts[run]
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
      for (; exception < exceptionEnd; exception++) {
        const detail = this.#detailOf(exception)
        output.at = writeConfirmException(output.buffer, output.at, this.#refusedSequences[exception], this.#codes[exception], 0, detail)
      }
    } while (run < told || exception < exceptionsTold)
    this.#forget(told, exceptionsTold)
  }

  /** These have been told. */
  #forget(runs: number, exceptions: number): void {
    this.#count -= runs
    this.#exceptionCount -= exceptions
    if (this.#count > 0 && runs > 0) {
      this.#sequences.copyWithin(0, runs, runs + this.#count)
      this.#ids.copyWithin(0, runs, runs + this.#count)
      this.#counts.copyWithin(0, runs, runs + this.#count)
      this.#queueCounts.copyWithin(0, runs, runs + this.#count)
      this.#levels.copyWithin(0, runs, runs + this.#count)
      this.#gates.copyWithin(0, runs, runs + this.#count)
    }
    if (this.#exceptionCount > 0) {
      if (exceptions === 0) return
      this.#refusedSequences.copyWithin(0, exceptions, exceptions + this.#exceptionCount)
      this.#codes.copyWithin(0, exceptions, exceptions + this.#exceptionCount)
      for (const detail of this.#details.splice(0, exceptions)) this.#detailsSize -= detail.length
      return
    }
    if (this.#details.length > 0) this.#forgetDetails()
    if (this.#count > 0) return
    if (this.#capacity > idleCapacity) this.#resizeRuns(0)
    if (this.#exceptionCapacity > idleCapacity) this.#resizeExceptions(0)
  }

  /** Whether a run may be told. What has come here is written; unless it is lost, which is told before. */
  #isOpen(run: number, synced: number): boolean {
    return this.#gates[run] <= synced || this.#levels[run] === Level.written
  }

  #firstOf(run: number): number {
    return run < this.#count ? this.#sequences[run] : Infinity
  }

  #refusedAt(exception: number): number {
    return exception < this.#exceptionCount ? this.#refusedSequences[exception] : Infinity
  }

  #detailOf(exception: number): Uint8Array {
    return exception < this.#details.length ? this.#details[exception] : noDetail
  }

  #forgetDetails(): void {
    this.#details = []
    this.#detailsSize = 0
    this.#lastDetail = ''
    this.#lastBytes = noDetail
  }

  #resizeRuns(capacity: number): void {
    this.#sequences = copied(this.#sequences, new Float64Array(capacity))
    this.#ids = copied(this.#ids, new Float64Array(capacity))
    this.#counts = copied(this.#counts, new Uint32Array(capacity))
    this.#queueCounts = copied(this.#queueCounts, new Uint32Array(capacity))
    this.#levels = copied(this.#levels, new Uint32Array(capacity))
    this.#gates = copied(this.#gates, new Float64Array(capacity))
    this.#capacity = capacity
  }

  #resizeExceptions(capacity: number): void {
    this.#refusedSequences = copied(this.#refusedSequences, new Float64Array(capacity))
    this.#codes = copied(this.#codes, new Uint32Array(capacity))
    this.#exceptionCapacity = capacity
  }
}

function copied<A extends Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(from: A, to: A): A {
  if (to.length >= from.length) to.set(from)
  return to
}

/** At most `detailSizeMax` bytes, cut between characters. */
function cut(detail: Buffer): Uint8Array {
  if (detail.length <= detailSizeMax) return detail
  let end = detailSizeMax
  while ((detail[end] & 0xc0) === 0x80) end--
  return detail.subarray(0, end)
}
