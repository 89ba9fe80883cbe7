/** Things that a test waits for: they are put in as they happen, and taken out in that order. */
export class Collected<T> {
  readonly all: T[] = []
  #taken = 0
  #waiters: (() => void)[] = []

  readonly add = (item: T): void => {
    this.all.push(item)
    for (const wake of this.#waiters.splice(0)) wake()
  }

  /** The next one that has not been taken. */
  async next(): Promise<T> {
    while (this.#taken >= this.all.length) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    return this.all[this.#taken++]
  }

  /** The first from here on that `isIt`. */
  async find(isIt: (item: T) => boolean): Promise<T> {
    for (;;) {
      const item = await this.next()
      if (isIt(item)) return item
    }
  }
}

/** A promise, and what settles it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
