/**
 * Deliveries from a queue, by the broker's id of their message. A message may come again, and then it is flagged; so of one message at most one
 * delivery is without the flag.
 */
export class Deliveries {
  count = 0
  readonly #ids = new Set<string>()
  readonly #unflagged = new Set<string>()
  #wrongCount = 0

  add(id: string, isFlagged: boolean): void {
    this.count++
    this.#ids.add(id)
    if (isFlagged) return
    if (this.#unflagged.has(id)) this.#wrongCount++
    this.#unflagged.add(id)
  }

  /** Those that came before. */
  get repeatCount(): number {
    return this.count - this.#ids.size
  }

  /** Those that came for the first time, or said that they come again: it should be all of them. */
  get rightCount(): number {
    return this.count - this.#wrongCount
  }
}
