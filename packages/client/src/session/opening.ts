/** The beginning of a link: until HELLO is answered, it has failed, or its time is up; whichever comes first. */
import type { Clock, Timer } from '../clock.js'
import type { WaybillError } from '../errors.js'

export class Opening {
  /** Resolves when HELLO is answered, rejects when that does not happen. */
  readonly opened: Promise<void>
  /** Whether it is still open how it goes. */
  isUnderWay = true
  readonly #clock: Clock
  readonly #timer: Timer
  #resolve: () => void = () => {}
  #reject: (error: WaybillError) => void = () => {}

  /** `late` is called when the time is up. */
  constructor(clock: Clock, timeoutMs: number, late: () => void) {
    this.#clock = clock
    this.#timer = clock.setTimeout(late, timeoutMs)
    this.opened = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  succeed(): void {
    this.cancel()
    this.#resolve()
  }

  fail(error: WaybillError): void {
    this.cancel()
    this.#reject(error)
  }

  /** Nobody is told how it went. */
  cancel(): void {
    this.isUnderWay = false
    this.#clock.clearTimeout(this.#timer)
  }
}
