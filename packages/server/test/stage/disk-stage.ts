/** A stage whose broker keeps what is durable on a simulated disk, in small segments: what the disk does takes time of the paper clock. */
import { SimDisk } from '../../dist/sim/disk.js'
import { Random } from '../../dist/sim/random.js'
import { openLocalLog } from '../../dist/storage/local/index.js'
import { type OpenStore, openStore } from '../../dist/storage/open-store.js'
import { PaperClock } from './paper-clock.js'
import { type LogEntry, Stage, type StageOptions } from './stage.js'

export interface DiskStageOptions extends Omit<StageOptions, 'store' | 'clock'> {
  readonly segmentSize?: number
  readonly capacity?: number
  /** A sync takes so long. Default 1 ms. */
  readonly syncMs?: number
  /** How the process before this one came to its end. Default kill. */
  readonly end?: 'kill' | 'power cut'
  readonly seed?: number
}

/** What the disk is going to do, and when. */
class Later {
  readonly #clock: PaperClock
  readonly #waiting: { readonly at: number; readonly run: () => void }[] = []

  constructor(clock: PaperClock) {
    this.#clock = clock
  }

  readonly in = (ms: number, run: () => void): void => {
    this.#waiting.push({ at: this.#clock.now() + ms, run })
  }

  get next(): number {
    return this.#waiting.reduce((least, { at }) => Math.min(least, at), Infinity)
  }

  /** Does what is due, in its order. */
  runDue(): void {
    for (;;) {
      const next = this.#waiting.reduce(
        (least, each) => (each.at < least.at ? each : least),
        this.#waiting[0] ?? { at: Infinity, run: () => {} },
      )
      if (next.at > this.#clock.now()) return
      this.#waiting.splice(this.#waiting.indexOf(next), 1)
      next.run()
    }
  }
}

export class DiskStage extends Stage {
  readonly disk: SimDisk
  readonly store: OpenStore
  readonly #later: Later

  private constructor(options: StageOptions, store: OpenStore, disk: SimDisk, later: Later) {
    super({ ...options, store })
    this.store = store
    this.disk = disk
    this.#later = later
  }

  static async open(options: DiskStageOptions = {}, from?: SimDisk): Promise<DiskStage> {
    const { segmentSize = 64 * 1024, capacity = 2 ** 30, syncMs = 1, end = 'kill', seed = 1, ...rest } = options
    const clock = new PaperClock()
    const later = new Later(clock)
    const timing = { later: later.in, capacity, syncMs: { least: syncMs, most: syncMs } }
    const after = end === 'kill' ? from?.kill(timing) : from?.cut(undefined, timing)
    const disk = after ?? new SimDisk({ random: new Random(seed), ...timing })
    let wake: () => void = () => undefined
    const told: LogEntry[] = []
    const opening = openLocalLog(disk, {
      clock,
      entropy: { name: () => 'disklog' },
      later: later.in,
      wake: () => wake(),
      segmentSize,
      spareCount: 1,
    }).then((log) =>
      openStore(
        log,
        (level, event, fields) => told.push({ level, event, ...fields }),
        () => clock.now(),
      ),
    )
    let isOpen = false
    const opened = opening.finally(() => {
      isOpen = true
    })
    while (!isOpen) {
      await new Promise((resume) => setImmediate(resume))
      clock.pass(1)
      later.runDue()
    }
    const stage = new DiskStage({ ...rest, limits: { diskFreeMin: 0, ...rest.limits }, clock }, await opened, disk, later)
    stage.log.push(...told)
    wake = () => clock.soon(stage.turn.run)
    stage.pass(0)
    return stage
  }

  /** The process is killed; the next one, on the same disk. */
  next(options: DiskStageOptions = {}): Promise<DiskStage> {
    return DiskStage.open(options, this.disk)
  }

  override pass(ms: number): void {
    const end = this.clock.now() + ms
    for (;;) {
      this.clock.settle()
      // In small steps: a turn may ask for something that is due before the next timer.
      const at = Math.min(end, this.clock.now() + 5, Math.max(this.clock.now(), this.#later.next))
      this.clock.pass(at - this.clock.now())
      this.#later.runDue()
      this.clock.settle()
      if (at === end && this.#later.next > end) break
    }
    this.turn.invariants()
  }
}
