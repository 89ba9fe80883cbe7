/**
 * Messages that are out and not answered, for clients that leave counting them to the program. Full at `size`, and
 * ready again when half of it is answered: the window of Waybill's own publisher, so that all fill theirs alike.
 */
interface Waiter {
  readonly most: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Window {
  readonly #size: number
  #count = 0
  #failure: unknown
  /** Those who let most be out first. */
  readonly #waiters: Waiter[] = []

  constructor(size: number) {
    this.#size = size
  }

  get full(): boolean {
    return this.#count >= this.#size
  }

  sent(count = 1): void {
    this.#count += count
  }

  /** A callback as Node has them: bound, one for all messages. */
  readonly answered = (error?: unknown): void => this.answer(1, error)

  answer(count: number, error?: unknown): void {
    this.#count -= count
    if (error !== undefined && error !== null) this.#failure ??= error
    this.#wake()
  }

  /** Resolves when no longer full. */
  ready(): Promise<void> {
    return this.full ? this.#until(Math.floor(this.#size / 2)) : Promise.resolve()
  }

  /** Resolves when everything is answered; rejects with the first failure. */
  empty(): Promise<void> {
    return this.#until(0)
  }

  #until(most: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ most, resolve, reject })
      this.#waiters.sort((a, b) => b.most - a.most)
      this.#wake()
    })
  }

  #wake(): void {
    for (let waiter = this.#waiters[0]; waiter !== undefined && this.#count <= waiter.most; waiter = this.#waiters[0]) {
      this.#waiters.shift()
      if (this.#failure === undefined) waiter.resolve()
      else waiter.reject(this.#failure)
    }
  }
}
