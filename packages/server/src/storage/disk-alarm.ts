/**
 * Whether the disk has room for more:
 *
 *     free   ▔▔▔▔▔▔╲                    ╱▔▔▔▔
 *     min + 1/16 ┄┄┄╲┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄╱┄┄┄┄┄       over: somewhat later than it began, so that it does not come and go
 *     min        ┄┄┄┄╲▁▁▁╱▔╲▁▁▁▁▁▁▁▁▁▁╱┄┄┄┄┄┄
 *     raised          ├────────────────┤
 *
 * It is raised before the disk is full: what is left is for whoever settles, and for what others on the machine write.
 */
export class DiskAlarm {
  isRaised = false
  readonly #freeMin: number

  /** Bytes that have to be free. */
  constructor(freeMin: number) {
    this.#freeMin = freeMin
  }

  look(free: number): void {
    this.isRaised = free < (this.isRaised ? this.#freeMin + this.#freeMin / 16 : this.#freeMin)
  }
}
