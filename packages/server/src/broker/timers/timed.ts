import type { TimerWheel } from './wheel.js'

/** Something whose time can come. The one wheel of a shard holds all of them. */
export interface Timed {
  /** `value` is what was given with the timer, `now` the time of this turn. */
  due(value: number, now: number): void
}

export type Timers = TimerWheel<Timed>
