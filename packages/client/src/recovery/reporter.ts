/** The status of a connection: the last lasting one, who listens, and the lines for when nobody does. */
import { messageOf } from '../errors.js'
import type { Log, LogEntry } from '../log.js'
import type { Status } from '../types.js'

export type Connected = Extract<Status, { readonly state: 'connected' }>

export class Reporter {
  /** Neither 'unblocked' nor 'stalled', which are moments. */
  status: Status
  readonly #log: Log
  readonly #isLogged: boolean
  readonly #listeners = new Set<(status: Status) => void>()
  #connected: Connected | undefined

  /** `isLogged`: the program has a logger of its own, which hears everything, listeners or not. */
  constructor(status: Status, log: Log, isLogged: boolean) {
    this.status = status
    this.#log = log
    this.#isLogged = isLogged
  }

  on(listener: (status: Status) => void): void {
    this.#listeners.add(listener)
  }

  off(listener: (status: Status) => void): void {
    this.#listeners.delete(listener)
  }

  /** Tells the listeners; a mistake of one is a line in the log. */
  emit(status: Status): void {
    if (status.state === 'connected') this.#connected = status
    if (status.state === 'unblocked') this.status = this.#connected ?? this.status
    else if (status.state !== 'stalled') this.status = status
    if (status.state === 'blocked' || status.state === 'unblocked' || status.state === 'draining' || status.state === 'stalled') {
      this.tell({ level: 'info', event: `connection-${status.state}`, ...status })
    }
    for (const listener of this.#listeners) {
      try {
        listener(status)
      } catch (error) {
        this.#log({ level: 'error', event: 'listener-failed', on: 'status', message: messageOf(error) })
      }
    }
  }

  /** A line for those who do not listen. */
  tell(entry: LogEntry): void {
    if (this.#isLogged || this.#listeners.size === 0) this.#log(entry)
  }

  /** The connection is back: what came back with it, and what did not. */
  restored({ host, attempt, restored, failed }: Connected): void {
    const notRestored = failed.map(({ what, name, error }) => `${what} ${name} (${error.code})`).join(', ')
    const entry = { host, attempt, ...restored, notRestored: notRestored === '' ? undefined : notRestored }
    this.tell({ level: 'warn', event: 'connection-restored', ...entry })
  }
}
