/**
 * The broker goes away: clients are told and may settle what they hold, then all connections end.
 *
 *     begin ── STATUS draining ─▶ … everything settled, or the time is up ── shuttingDown ─▶ … the last one has gone ─▶ done
 */
import type { Timed, Timers } from '../broker/timers/timed.js'
import type { Session } from '../session/session.js'

export class Drain implements Timed {
  readonly #sessions: ReadonlySet<Session>
  readonly #timers: Timers
  readonly #done: () => void
  #timer: number
  #isEnding = false
  #isDone = false

  constructor(sessions: ReadonlySet<Session>, timers: Timers, now: number, graceMs: number, done: () => void) {
    this.#sessions = sessions
    this.#timers = timers
    this.#done = done
    this.#timer = timers.insert(now + graceMs, this, 0)
    for (const session of [...sessions]) session.drain(graceMs)
  }

  /** Looked at in each turn. */
  look(): void {
    if (this.#isDone) return
    if (!this.#isEnding && this.#isSettled()) this.hurry()
    if (this.#sessions.size > 0) return
    this.#isDone = true
    this.#done()
  }

  /** The time is up. */
  hurry(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    if (this.#timer !== 0) this.#timers.cancel(this.#timer)
    this.#timer = 0
    for (const session of [...this.#sessions]) session.fail('shuttingDown', 'the broker has gone away')
  }

  due(): void {
    this.#timer = 0
    this.hurry()
  }

  #isSettled(): boolean {
    for (const { unsettledCount, isGated } of this.#sessions) if (unsettledCount > 0 || isGated) return false
    return true
  }
}
