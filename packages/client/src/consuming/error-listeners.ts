/** What handlers throw: told to whoever listens, or, when nobody does, a few lines in the log. */
import type { Clock } from '../clock.js'
import { messageOf } from '../errors.js'
import { type Log, RateLimit } from '../log.js'
import type { Message } from '../types.js'

export type ErrorListener = (error: unknown, message: Message) => void

export class ErrorListeners {
  readonly #queue: string
  readonly #log: Log
  readonly #limit: RateLimit
  readonly #listeners = new Set<ErrorListener>()

  constructor(queue: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#queue = queue
    this.#log = log
    this.#limit = new RateLimit(clock)
  }

  add(listener: ErrorListener): void {
    this.#listeners.add(listener)
  }

  remove(listener: ErrorListener): void {
    this.#listeners.delete(listener)
  }

  /** A mistake of a listener is a line in the log. */
  tell(error: unknown, message: Message): void {
    if (this.#listeners.size === 0) {
      this.#write(error, message)
      return
    }
    for (const listener of this.#listeners) {
      try {
        listener(error, message)
      } catch (thrown) {
        this.#log({ level: 'error', event: 'listener-failed', on: 'error', message: messageOf(thrown) })
      }
    }
  }

  #write(error: unknown, { id }: Message): void {
    const suppressed = this.#limit.pass()
    if (suppressed === undefined) return
    const fields = { queue: this.#queue, id, suppressed: suppressed === 0 ? undefined : suppressed, message: messageOf(error) }
    this.#log({ level: 'error', event: 'handler-failed', ...fields })
  }
}
