/** A broker core with a journal on a log in memory, and a pager: what is cold comes back within the turn that wants it. */
import type { DurableState } from '../../dist/broker/durable.js'
import type { Queue, QueueOptions } from '../../dist/broker/queues/queue.js'
import { IdIndex } from '../../dist/storage/id-index.js'
import { LogJournal } from '../../dist/storage/log-journal.js'
import { MovedIndex } from '../../dist/storage/moved-index.js'
import { Pager } from '../../dist/storage/pager.js'
import { recover } from '../../dist/storage/recovery.js'
import { BrokerRecorder, type Delivery } from '../broker/recorder.js'
import { ReadableLog } from './readable-log.js'

export interface PagedOptions {
  readonly memorySize?: number
  readonly log?: ReadableLog
  readonly index?: IdIndex
  readonly moved?: MovedIndex
  /** What it goes on with. */
  readonly state?: DurableState
}

export class PagedRecorder extends BrokerRecorder {
  readonly log: ReadableLog
  readonly journal: LogJournal
  readonly moved: MovedIndex
  readonly pager: Pager
  readonly reports: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[] = []
  /** Bytes of memory at the end of the turn that had most. */
  mostUsed = 0

  constructor(options: PagedOptions = {}) {
    super()
    const { memorySize = 64 * 2 ** 20, log = new ReadableLog(), index = new IdIndex(), moved = new MovedIndex(), state } = options
    const { broker } = this
    if (state !== undefined) broker.restore(state)
    this.log = log
    this.moved = moved
    this.journal = new LogJournal({ log, slabs: broker.slabs, nextMessageId: () => broker.nextMessageId, index })
    this.pager = new Pager({
      log,
      index,
      moved,
      broker,
      memorySize,
      wake: () => undefined,
      report: (_level, event, fields = {}) => this.reports.push({ event, fields }),
    })
    broker.journal = this.journal
    broker.pager = this.pager
    this.#write()
  }

  /** Another broker that goes on with what the log of this one has. */
  async restarted(options: PagedOptions = {}): Promise<PagedRecorder> {
    return new PagedRecorder({ ...options, ...(await recover(this.log)), log: this.log })
  }

  /** A durable queue. */
  override queue(name: string, options: Partial<QueueOptions> = {}, owner = 0): Queue {
    return super.queue(name, { durable: true, ...options }, owner)
  }

  override turn(ms = 0): Delivery[] {
    const delivered: Delivery[] = []
    let wait = ms
    do {
      this.journal.progressed()
      this.pager.step(this.now + wait)
      delivered.push(...super.turn(wait))
      wait = 0
      this.#write()
      this.mostUsed = Math.max(this.mostUsed, this.broker.usedSize)
    } while (this.log.arrive())
    this.deliveries = delivered
    return delivered
  }

  /** Hands out what a queue has, and what of it has to be read. */
  override handOut(queue: Queue): void {
    super.handOut(queue)
    while (queue.isWaitingForPage) {
      this.#write()
      if (!this.log.arrive()) throw new Error(`queue '${queue.name}' waits for a page that nobody reads`)
      this.pager.step(this.now)
      super.handOut(queue)
    }
  }

  /** Lets everything of a queue go that can go. Returns how many pages went. */
  chill(name: string): number {
    this.#write()
    const queue = this.host.queue(name)
    if (queue === undefined) return 0
    queue.endPage()
    return queue.chill(1_000, 10_000, 0)
  }

  #write(): void {
    this.journal.write()
    this.log.sync()
    this.journal.progressed()
  }
}
