/** What a confirm says of one message. Made for each `await publish()`, so it keeps numbers and makes its texts when asked. */
import { printed } from '../printed.js'
import type { Confirmation } from '../types.js'

const levels = ['received', 'received', 'written', 'synced'] as const

export class StoredConfirmation implements Confirmation {
  readonly queues: number
  readonly #log: string
  readonly #message: number
  readonly #level: number

  constructor(log: string, message: number, level: number, queues: number) {
    this.#log = log
    this.#message = message
    this.#level = level
    this.queues = queues
  }

  /** `<log>-<id>` [P-4.5] */
  get id(): string {
    return `${this.#log}-${this.#message}`
  }

  get level(): 'received' | 'written' | 'synced' {
    return levels[this.#level]
  }

  /** What `console.log` prints. */
  [printed](): Confirmation {
    return this.toJSON()
  }

  toJSON(): Confirmation {
    return { id: this.id, level: this.level, queues: this.queues }
  }
}
