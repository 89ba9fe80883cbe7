/**
 * The broker's clock, and the process that it runs in: one thread, which does one thing at a time and can be held up.
 *
 * A loop of Node serves its timers, then reads sockets, then runs what was asked for `soon`. So does this one when it comes back
 * from a stall: the timers see the late hour before the bytes that have been waiting are read.
 */
import type { Clock } from '../ports/clock.js'
import type { Random } from './random.js'
import { type Event, Rank, type Timeline } from './timeline.js'

/** 2026-01-01 */
const wallStart = 1_767_225_600_000

export interface ProcessClock extends Clock {
  later(ms: number, run: () => void): void
}

export class SimClock implements Clock {
  /** Called around every turn. */
  onTurn: { begin(): void; end(): void } = { begin: () => undefined, end: () => undefined }
  readonly #timeline: Timeline
  readonly #random: Random
  #armed: Event | undefined
  #soon: (() => void) | undefined
  #stalledUntil = 0
  #stalledMs = 0
  #wallJump = 0
  /** The process that runs now: with its end everything it had asked for is void. */
  #life = 0

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline
    this.#random = random
  }

  now(): number {
    return Math.floor(this.#timeline.now)
  }

  wall(): number {
    return wallStart + this.now() + this.#wallJump
  }

  arm(at: number, due: () => void): void {
    if (this.#armed !== undefined) this.#timeline.cancel(this.#armed)
    this.#armed = undefined
    if (at === Infinity) return
    const late = this.#random.chance(0.1) ? this.#random.spread(1, 50) : 0
    this.#armed = this.#timeline.at(
      at + late,
      this.#alive(() => this.whenAwake(() => this.#turn(due), Rank.timer)),
      Rank.timer,
    )
  }

  soon(turn: () => void): void {
    const asked = this.#soon !== undefined
    this.#soon = turn
    if (asked) return
    // What else becomes readable meanwhile is read before: sometimes nothing, sometimes a loop's worth.
    const busy = this.#random.chance(0.5) ? 0 : this.#random.next() * 0.4
    this.#timeline.in(
      busy,
      this.#alive(() => this.whenAwake(() => this.#runSoon(), Rank.soon)),
      Rank.soon,
    )
  }

  /** Something of the broker's process that happens so many milliseconds from now: not if the process has ended by then. */
  later(ms: number, run: () => void): void {
    this.#timeline.in(
      ms,
      this.#alive(() => this.whenAwake(run, Rank.arrival)),
    )
  }

  /** The clock as the process sees it that runs now. After its end nobody listens to it. */
  ofProcess(): ProcessClock {
    const life = this.#life
    const isAlive = (): boolean => this.#life === life
    return {
      now: () => this.now(),
      wall: () => this.wall(),
      arm: (at, due) => {
        if (isAlive()) this.arm(at, due)
      },
      soon: (turn) => {
        if (isAlive()) this.soon(turn)
      },
      later: (ms, run) => {
        if (isAlive()) this.later(ms, run)
      },
    }
  }

  /** Runs something of the broker's process now, or as soon as it is no longer held up. */
  whenAwake(run: () => void, rank: number): void {
    if (this.#timeline.now >= this.#stalledUntil) run()
    else
      this.#timeline.at(
        this.#stalledUntil,
        this.#alive(() => this.whenAwake(run, rank)),
        rank,
      )
  }

  /** The process ends. What runs from now on is another one. */
  crash(): void {
    this.#life++
    if (this.#armed !== undefined) this.#timeline.cancel(this.#armed)
    this.#armed = undefined
    this.#soon = undefined
    this.#stalledUntil = 0
  }

  /** When the process reads and runs again; in the past when it does so now. */
  get stalledUntil(): number {
    return this.#stalledUntil
  }

  /** Milliseconds in which the process has been held up, or will have been when it goes on. */
  get stalledMs(): number {
    return this.#stalledMs
  }

  /** The process gets no processor for so long. False: for longer already. */
  stall(ms: number): boolean {
    const from = Math.max(this.#stalledUntil, this.#timeline.now)
    this.#stalledUntil = Math.max(this.#stalledUntil, Math.ceil(this.#timeline.now + ms))
    this.#stalledMs += Math.max(0, this.#stalledUntil - from)
    return this.#stalledUntil > from
  }

  /** Somebody sets the clock on the wall. */
  jumpWall(ms: number): void {
    this.#wallJump += ms
  }

  #alive(run: () => void): () => void {
    const life = this.#life
    return () => {
      if (this.#life === life) run()
    }
  }

  #runSoon(): void {
    const turn = this.#soon!
    this.#soon = undefined
    this.#turn(turn)
  }

  #turn(turn: () => void): void {
    this.onTurn.begin()
    turn()
    this.onTurn.end()
  }
}
