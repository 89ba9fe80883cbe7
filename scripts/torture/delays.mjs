/**
 * How long it took until everything went on, and how long it may take. A bound holds for a machine that starts a broker on fresh data within `quietStartMs`;
 * where that took twice as long, everything may.
 */
const quietStartMs = 350
/** Whatever hangs takes longer. */
export const goOnMsMax = 5_000

export class Delays {
  list = []
  #ledger
  #slowness = 1

  constructor(ledger) {
    this.#ledger = ledger
  }

  /** A broker with fresh data has started within `ms`. */
  set freshStartMs(ms) {
    this.#slowness = Math.max(1, ms / quietStartMs)
  }

  /** What is allowed where `ms` is allowed on a quiet machine. */
  scaled(ms) {
    return ms * this.#slowness
  }

  /** `what` took so long; it is in the table, and is broken if it took longer than it may. */
  add(what, ms, msMax = goOnMsMax) {
    this.list.push(ms)
    this.check(what, ms, msMax)
  }

  check(what, ms, msMax) {
    if (ms > this.scaled(msMax)) this.#ledger.broke(`${what} took ${Math.round(ms)} ms, and may take ${Math.round(this.scaled(msMax))} ms`)
  }

  /** At least half of all so far are within `msMax`. */
  checkHalf(what, msMax) {
    const sorted = [...this.list].sort((one, other) => one - other)
    if (sorted.length > 0) this.check(`half of the times, ${what}`, sorted[Math.floor((sorted.length - 1) / 2)], msMax)
  }
}
