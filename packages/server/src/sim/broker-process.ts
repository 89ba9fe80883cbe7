/**
 * The broker's process over and over: it opens what its disk has, serves, and comes to an end, by a signal or with the power, between any two
 * operations of the disk or in the middle of one.
 *
 *     opening ─▶ up ─▶ down ─▶ opening …         clients are refused until it is up
 */
import assert from 'node:assert'
import type { Entropy } from '../ports/entropy.js'
import type { Logger } from '../ports/logger.js'
import { type LocalLogOptions, openLocalLog } from '../storage/local/index.js'
import { segmentOfName } from '../storage/local/names.js'
import { type OpenStore, openStore } from '../storage/open-store.js'
import type { SimClock } from './clock.js'
import { SimDisk, type SimDiskOptions } from './disk.js'
import { fail, SimulationFailure } from './failure.js'
import type { Random } from './random.js'
import type { Tally } from './tally.js'
import { Timeline } from './timeline.js'

/** What the process keeps, and how. */
export interface DataOptions {
  /** Bytes of a segment. */
  readonly segmentSize: number
  /** Bytes of log between two snapshots, at least. */
  readonly snapshotEvery: number
  readonly spareCount: number
  readonly syncMs: { readonly least: number; readonly most: number }
  /** A sync takes a millisecond more for so many bytes: a snapshot takes longer than the log. Default: any number. */
  readonly bytesPerMs?: number
  /** In so many turns of all memory is so short that every page of messages leaves it that can. */
  readonly coldShare: number
}

export interface ProcessHome {
  readonly clock: SimClock
  readonly tally: Tally
  readonly log: Logger
  random(purpose: string): Random
  /** A turn should run. */
  wake(): void
  /** It serves. */
  begins(store: OpenStore): void
  /** It has ended. */
  ended(isPowerCut: boolean): void
  diskFailed(): void
  rotten(where: string): void
  /** Something is wrong that cannot be thrown from where it was seen. */
  fail(failure: SimulationFailure): void
}

const capacity = 2 ** 30
/** The machine is back after so long. */
const restartMsMax = 3_000
/** One in so many openings is done twice more, elsewhere, and must come to the same. */
const comparedShare = 0.1

export class BrokerProcess {
  disk: SimDisk
  isUp = false
  /** It serves, or opens what its disk has; not so between its end and the next one's beginning. */
  isThere = false
  hasRotten = false
  /** Meanwhile time stands still. */
  comparing: Promise<void> | undefined
  readonly #home: ProcessHome
  readonly #options: DataOptions
  readonly #random: Random
  readonly #timeline: Timeline
  #life = 0
  #isFull: (free: number) => void = () => undefined
  #isSlow: () => void = () => undefined

  constructor(home: ProcessHome, options: DataOptions, timeline: Timeline) {
    this.#home = home
    this.#options = options
    this.#timeline = timeline
    this.#random = home.random('process')
    this.disk = new SimDisk({
      random: home.random('disk'),
      later: (ms, run) => home.clock.later(ms, run),
      tally: home.tally,
      failed: () => home.diskFailed(),
      syncing: () => this.#isSlow(),
      room: (free) => this.#isFull(free),
      now: () => home.clock.now() - home.clock.stalledMs,
      syncMs: options.syncMs,
      ...(options.bytesPerMs === undefined ? {} : { bytesPerMs: options.bytesPerMs }),
    })
    void this.#open()
  }

  /** It ends in the middle of an operation that the disk is asked for soon. `hit`: it has. */
  endIn(operations: number, how: 'kill' | 'power cut', hit: () => void = () => undefined): void {
    this.disk.endIn(operations, () => {
      this.#home.tally.count(`${how} in an operation`)
      hit()
      this.end(how)
    })
  }

  /** Rises with every process. */
  get life(): number {
    return this.#life
  }

  /** The disk has room for so many more bytes. `hit`: a write has had none, or somebody was told that there is less than `freeMin`. */
  fill(freeSize: number, freeMin = 0, hit: () => void = () => undefined): void {
    this.#isFull = (free) => {
      if (freeSize < Infinity && (free === 0 || free < freeMin)) hit()
    }
    this.disk.capacity = freeSize === Infinity ? capacity : Math.min(capacity, this.disk.usedSize + freeSize)
  }

  /** Whether whatever it is asked for may fail. */
  get isDiskFailing(): boolean {
    return this.disk.isFailing || this.disk.capacity < capacity
  }

  /** A bit turns of what the disk has, mostly where messages lie; of what one process after another has written, one in all. */
  rot(random: Random): boolean {
    if (this.hasRotten) return false
    const isWanted = random.chance(0.8) ? (name: string) => segmentOfName(name) !== undefined : undefined
    const where = this.disk.rot(random, isWanted)
    if (where === undefined) return false
    this.hasRotten = true
    this.#home.tally.count('disk bit rot')
    this.#home.rotten(`${where.name} offset ${where.offset}`)
    return true
  }

  /** A sync takes so much longer. `hit`: one does. */
  slow(ms: number, hit: () => void = () => undefined): void {
    this.#isSlow = hit
    const { least, most } = this.#options.syncMs
    this.disk.syncMs = { least: least + ms / 10, most: most + ms }
  }

  /** Nothing goes wrong with the disk any more. */
  heal(): void {
    this.disk.failSyncs(0)
    this.disk.heal()
    this.fill(Infinity)
    this.slow(0)
  }

  end(how: 'kill' | 'power cut'): void {
    const { clock, tally } = this.#home
    if (!this.isUp) tally.count(`${how} while opening`)
    this.#life++
    this.isUp = this.isThere = false
    clock.crash()
    this.disk = how === 'kill' ? this.disk.kill() : this.disk.cut(this.#weights())
    this.#home.ended(how === 'power cut')
    this.#timeline.in(this.#random.spread(1, restartMsMax), this.#again())
  }

  /** How a power cut treats what was not synced: all lost, all there, or anything. */
  #weights(): { readonly old: number; readonly new: number; readonly damaged: number } {
    return this.#random.pick([
      { old: 1, new: 0, damaged: 0 },
      { old: 0, new: 1, damaged: 0 },
      { old: 1, new: 1, damaged: 0 },
      { old: 1, new: 1, damaged: 1 },
      { old: 1, new: 1, damaged: 8 },
      { old: 0, new: 0, damaged: 1 },
    ])
  }

  #again(): () => void {
    const life = this.#life
    return () => {
      if (this.#life === life) void this.#open()
    }
  }

  async #open(): Promise<void> {
    this.isThere = true
    const life = this.#life
    const { log, clock } = this.#home
    const copy = this.#random.chance(comparedShare) ? this.disk.copy() : undefined
    try {
      const opened = await openLocalLog(this.disk, this.#logOptions())
      const tell: Logger = (level, event, fields) => {
        if (life === this.#life) log(level, event, fields)
      }
      const store = await openStore(opened, tell, () => clock.now())
      if (copy !== undefined) {
        this.comparing = this.#compare(copy, store)
        await this.comparing
      }
      this.comparing = undefined
      if (life !== this.#life) return
      this.isUp = true
      this.#home.begins(store)
    } catch (error) {
      this.comparing = undefined
      if (life !== this.#life) return
      if (error instanceof Error && error.name === 'DiskError') this.#giveUp()
      else this.#home.fail(error instanceof SimulationFailure ? error : new SimulationFailure('exception', String((error as Error).stack)))
    }
  }

  /** A broker whose disk does not serve ends, and somebody starts it again. */
  #giveUp(): void {
    this.#home.tally.count('openings that failed')
    this.end('kill')
  }

  #logOptions(): LocalLogOptions {
    const { segmentSize, spareCount } = this.#options
    const { clock, random, wake } = this.#home
    const entropy: Pick<Entropy, 'name'> = { name: () => random('log').next().toString(36).slice(2) }
    const own = clock.ofProcess()
    return { clock: own, entropy, later: (ms, run) => own.later(ms, run), wake, segmentSize, spareCount }
  }

  /** Opened elsewhere, and there again, the same files give the same state. */
  async #compare(copy: SimDisk, { state }: OpenStore): Promise<void> {
    this.#home.tally.count('openings compared')
    const first = await this.#openAlone(copy)
    const second = await this.#openAlone(first.disk.kill())
    try {
      assert.deepStrictEqual(first.store.state, state)
    } catch (error) {
      fail('recovery', `the same files give another state elsewhere: ${(error as Error).message}`)
    }
    const { nextMessageId, nextQueueId, hosts } = second.store.state
    // Who finds damage leaves some out, to be sure; nobody has been given one yet.
    const isWhole = first.store.report.damage.length === 0
    try {
      assert.deepStrictEqual(hosts, state.hosts)
    } catch (error) {
      fail('recovery', `opened once more the files give another state: ${(error as Error).message}`)
    }
    if (isWhole && (nextMessageId < state.nextMessageId || nextQueueId < state.nextQueueId))
      fail('recovery', 'opened once more, ids are used again')
  }

  /** On a clock of its own, while everything else stands still. */
  async #openAlone(files: SimDisk): Promise<{ readonly disk: SimDisk; readonly store: OpenStore }> {
    const timeline = new Timeline()
    const later = (ms: number, run: () => void): void => void timeline.in(ms, run)
    const options: Partial<SimDiskOptions> = {
      later,
      tally: undefined as never,
      syncing: () => undefined,
      room: () => undefined,
      failed: () => undefined,
      random: this.#home.random('elsewhere'),
    }
    const disk = files.copy(options)
    let store: OpenStore | undefined
    let failure: unknown
    openLocalLog(disk, { ...this.#logOptions(), later, wake: () => undefined })
      .then((log) =>
        openStore(
          log,
          () => undefined,
          () => timeline.now,
        ),
      )
      .then(
        (opened) => {
          store = opened
        },
        (error: unknown) => {
          failure = error
        },
      )
    for (;;) {
      for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => process.nextTick(resolve))
      if (failure !== undefined) throw failure
      if (store !== undefined) return { disk, store }
      if (!timeline.step()) fail('recovery', 'opening does not come to an end')
    }
  }
}
