/**
 * What became of the settlements of one consumer, counted:
 *
 *     settled ─┬─ a flush is answered ───▶ kept
 *              └─ the connection is lost ─▶ lost ─ told once, by flush or close ─▶ nobody's affair any more
 *     settled when its message is no longer ours ─▶ lost
 *     lost, and the connection is back when the program closes ─▶ nobody's affair: those messages have come again
 *
 * A requeue is not counted: a lost connection puts the message back as well. [P-5.9]
 *
 * Hot in `settled`: numbers only. That a connection was lost is seen when a message of the next one comes, or when somebody asks.
 *
 * Invariant: decidedCount <= settledCount, and those between the two were settled on the connection that `#lossCount` stands for.
 */
import { Outcome } from '@waybill/protocol'
import { asWaybillError, WaybillError } from '../errors.js'

/** The channel, as the ledger of a consumer needs it. */
export interface LedgerHome {
  /** How often its connection, or it alone, has been lost; and by what the last time. */
  readonly lossCount: number
  readonly lostBy: WaybillError | undefined
  /** Whether it has a connection now. */
  readonly isConnected: boolean
  /** Resolves when the broker has what was settled so far on this connection, at once when that is nothing. */
  flushSettlements(timeoutMs: number): Promise<void>
}

export class Ledger {
  readonly #home: LedgerHome
  readonly #queue: string
  readonly #keeps: boolean
  #settledCount = 0
  /** Those of them that are kept, or lost. */
  #decidedCount = 0
  #lostCount = 0
  /** Those of them that the program knows of. */
  #toldCount = 0
  #lossCount: number
  #cause: Error | undefined

  /** `keeps`: the broker does with a message what it is settled as; in mode 'none' it was gone when it was sent. [P-5.5] */
  constructor(home: LedgerHome, queue: string, keeps: boolean) {
    this.#home = home
    this.#queue = queue
    this.#keeps = keeps
    this.#lossCount = home.lossCount
  }

  settled(outcome: number): void {
    if (this.#keeps && outcome !== Outcome.requeue) this.#settledCount++
  }

  /** Settled, but the message was no longer ours, for this reason. */
  settledInVain(outcome: number, cause: Error): void {
    if (!this.#keeps || outcome === Outcome.requeue) return
    this.#lostCount++
    this.#cause = cause
  }

  /** What was settled on a connection that is lost by now is lost with it; called before anything is settled on the next. */
  look(): void {
    if (this.#lossCount === this.#home.lossCount) return
    this.#lossCount = this.#home.lossCount
    if (this.#settledCount === this.#decidedCount) return
    this.#lostCount += this.#settledCount - this.#decidedCount
    this.#decidedCount = this.#settledCount
    this.#cause = this.#home.lostBy
  }

  /** The program closes: what was lost with former connections came again by the one that is up. What is lost from now on is told. */
  closing(): void {
    if (!this.#home.isConnected) return
    this.look()
    this.#toldCount = this.#lostCount
  }

  /** The queue is gone, and its messages with it: none of them comes again. */
  forget(): void {
    this.look()
    this.#decidedCount = this.#settledCount
  }

  /** Resolves when all is kept; rejects when it was not answered, or when something is lost of which nobody had been told before. */
  async flush(timeoutMs: number): Promise<void> {
    this.look()
    const through = this.#settledCount
    const toldCount = this.#toldCount
    try {
      await this.#home.flushSettlements(timeoutMs)
      this.#decidedCount = Math.max(this.#decidedCount, through)
    } catch (error) {
      this.look()
      const failure = asWaybillError(error, 'FLUSH_FAILED')
      const undecidedCount = through - this.#decidedCount
      // Lost with its connection: counted above, unless there was nothing to lose.
      const isLoss = failure.code === 'CONNECTION_LOST' || failure.code === 'CLOSED'
      if (undecidedCount > 0) throw unansweredError(this.#queue, undecidedCount, failure)
      if (!isLoss) throw failure
    }
    this.look()
    const lostCount = this.#lostCount - toldCount
    if (lostCount === 0) return
    this.#toldCount = this.#lostCount
    throw lostError(this.#queue, lostCount, this.#cause)
  }
}

/** Not retryable: there is nothing left to ask the broker for. */
function lostError(queue: string, count: number, cause: Error | undefined): WaybillError {
  const code = cause instanceof WaybillError && cause.code === 'CLOSED' ? 'CLOSED' : 'CONNECTION_LOST'
  const why = cause === undefined ? '' : ` (${cause.message})`
  return new WaybillError(code, `${settlements(queue, count)} not kept, and the messages come again, redelivered${why}`, { cause })
}

function unansweredError(queue: string, count: number, cause: WaybillError): WaybillError {
  const { code, message, retryable } = cause
  return new WaybillError(code, `${settlements(queue, count)} not answered, and the messages may come again: ${message}`, {
    cause,
    retryable,
  })
}

function settlements(queue: string, count: number): string {
  return `${count} ${count === 1 ? 'settlement' : 'settlements'} of the consumer of '${queue}' ${count === 1 ? 'was' : 'were'}`
}
