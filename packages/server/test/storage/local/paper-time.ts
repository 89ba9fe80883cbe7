/** Time that passes when somebody waits for something. */
export class PaperTime {
  now = 0
  #next = 0
  readonly #waiting: { readonly at: number; readonly order: number; readonly run: () => void }[] = []

  readonly later = (ms: number, run: () => void): void => {
    this.#waiting.push({ at: this.now + ms, order: this.#next++, run })
  }

  /** Until `isMet`; throws when nothing more will happen. */
  async until(isMet: () => boolean): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (isMet()) return
      if (!this.#step()) throw new Error('nothing more will happen')
    }
  }

  async wait<T>(promise: Promise<T>): Promise<T> {
    let isDone = false
    const done = (): void => {
      isDone = true
    }
    promise.then(done, done)
    await this.until(() => isDone)
    return promise
  }

  /** Lets `ms` pass. */
  pass(ms: number): void {
    const end = this.now + ms
    while (this.#waiting.some(({ at }) => at <= end)) this.#step()
    this.now = end
  }

  /** Nothing of what was to happen will: its process has ended. */
  forget(): void {
    this.#waiting.length = 0
  }

  #step(): boolean {
    if (this.#waiting.length === 0) return false
    let first = this.#waiting[0]
    for (const each of this.#waiting) if (each.at < first.at || (each.at === first.at && each.order < first.order)) first = each
    this.#waiting.splice(this.#waiting.indexOf(first), 1)
    this.now = Math.max(this.now, first.at)
    first.run()
    return true
  }
}
