import { expect } from '../failure.js'
import type { ExpectedQueue, QueueConsumer } from './queue.js'

export interface ConsumerOptions {
  readonly ack: 'manual' | 'none'
  /** A `get`. */
  readonly once: boolean
  readonly exclusive: boolean
  /** The window: unsettled messages, and bytes of them; one message may exceed the bytes, 0 of either pauses. [P-5.3] */
  readonly count: number
  readonly size: number
}

/** One consumer as it must be: it never holds more than its window. */
export class ExpectedConsumer implements QueueConsumer {
  readonly id: number
  readonly queue: ExpectedQueue
  readonly ack: 'manual' | 'none'
  readonly once: boolean
  readonly exclusive: boolean
  isUncertain = false
  deliveredCount = 0
  unsettledCount = 0
  unsettledSize = 0
  over = false
  /** Its end has been told: no delivery may follow. */
  endTold = false
  #count: number
  #size: number
  /** The largest window since the last turn: what was decided before it shrank is written after. */
  #countMost: number
  #sizeMost: number

  constructor(id: number, queue: ExpectedQueue, { ack, once, exclusive, count, size }: ConsumerOptions) {
    this.id = id
    this.queue = queue
    this.ack = ack
    this.once = once
    this.exclusive = exclusive
    this.#count = this.#countMost = count
    this.#size = this.#sizeMost = size
  }

  setWindow(count: number, size: number): void {
    this.#count = count
    this.#size = size
    this.#countMost = Math.max(count, this.#countMost)
    this.#sizeMost = Math.max(size, this.#sizeMost)
  }

  /** A delivery has been written to it. */
  takes(size: number): void {
    const { unsettledCount, unsettledSize } = this
    const words = (): string =>
      `consumer ${this.id} of queue '${this.queue.name}' holds ${unsettledCount} messages of ${unsettledSize} bytes, ` +
      `its window is ${this.#countMost} and ${this.#sizeMost}; one more of ${size} came`
    expect(!this.endTold, 'cancel', () => `consumer ${this.id} of queue '${this.queue.name}' gets a message after its end was told`)
    expect(unsettledCount < this.#countMost && this.#sizeMost > 0, 'prefetch', words)
    expect(unsettledCount === 0 || unsettledSize + size <= this.#sizeMost, 'prefetch', words)
    this.deliveredCount++
    this.unsettledCount++
    this.unsettledSize += size
  }

  /** A settlement gives its part of the window back. */
  returns(size: number): void {
    this.unsettledCount--
    this.unsettledSize -= size
  }

  turnEnds(): void {
    this.#countMost = this.#count
    this.#sizeMost = this.#size
  }
}
