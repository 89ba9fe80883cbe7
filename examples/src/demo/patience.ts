/** Waiting for something to be so, which is looked at whenever something has happened. */
export class Patience {
  readonly #waiting = new Set<() => void>()

  /** Something has happened. */
  notify(): void {
    for (const look of this.#waiting) look()
  }

  /**
   * Resolves as soon as `isSo`, or after `patienceMs` all the same: who waits in vain goes on to the sum, and the sum
   * says what is missing.
   */
  async until(isSo: () => boolean, patienceMs = 12_000): Promise<void> {
    if (isSo()) return
    await new Promise<void>((resolve) => {
      const stop = () => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve()
      }
      const look = () => {
        if (isSo()) stop()
      }
      const timer = setTimeout(stop, patienceMs)
      this.#waiting.add(look)
    })
  }
}
