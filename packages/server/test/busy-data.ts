/**
 * A data directory whose segments turn over: three of them stay, of all others each turn writes one, and gives back what the one before has written.
 *
 * So little is written into each that no spare is made any more, once there is one: it is a segment in one turn, given back in the next, and used again.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { nodeClock } from '../dist/host/node-clock.js'
import { type OpenData, openData } from '../dist/open-data.js'
import type { LogSnapshot } from '../dist/ports/log.js'
import { IdIndex } from '../dist/storage/id-index.js'
import { MovedIndex } from '../dist/storage/moved-index.js'
import { segmentName } from '../dist/storage/local/names.js'
import { encodeSnapshot } from '../dist/storage/snapshot.js'
import { drop, gone, queue, route, run } from './storage/blocks.js'

const segmentSize = 1 << 20
const runCount = 40
/** More than half a segment. */
const keptSize = 16 * 1024
/** A tenth of one. */
const flowSize = 2 * 1024
const sizesOf = (size: number): number[] => Array.from({ length: runCount }, () => size)
const [kept, flow] = [1, 2]

export class BusyData {
  /** Messages in the queue that is never read. */
  static readonly keptCount = 3 * runCount
  static readonly flowCount = runCount
  turnCount = 0
  readonly #data: OpenData
  readonly #directory: string
  readonly #keptSegments: readonly number[]
  #nextId: number
  #running: Promise<void> = Promise.resolve()
  #isEnding = false
  #woken = (): void => undefined

  static async open(directory: string): Promise<BusyData> {
    const data = await openData(directory, nodeClock(), () => undefined, segmentSize)
    const { log } = data.store
    log.append([queue(kept), queue(flow)], 'lazy')
    for (let i = 0; i < 3; i++) log.append([route(kept), run(1 + i * runCount, sizesOf(keptSize))], 'lazy')
    // Half of the segment is full now: with this a spare is begun.
    log.append([], 'sync')
    const busy = new BusyData(data, directory)
    await busy.#turn(false)
    while (!busy.isInSpare) await busy.turn()
    return busy
  }

  constructor(data: OpenData, directory: string) {
    this.#data = data
    this.#directory = directory
    this.#nextId = 1 + BusyData.keptCount
    this.#keptSegments = data.store.log.segments().map(({ id }) => id)
    data.wake = () => this.#woken()
  }

  /** Whether what is written to was a spare, and is going to be one. */
  get isInSpare(): boolean {
    const current = this.#data.store.log.segments().at(-1)!
    return statSync(join(this.#directory, segmentName(current.id))).size === segmentSize
  }

  async turn(): Promise<void> {
    await this.#turn(true)
    this.turnCount++
  }

  /** Turns over again and again, until it is ended. */
  begin(): void {
    this.#running = (async () => {
      while (!this.#isEnding) await this.turn()
    })()
  }

  async end(): Promise<void> {
    this.#isEnding = true
    await this.#running
    await new Promise<void>((done) => this.#data.store.log.close(done))
    await this.#data.release()
  }

  async #turn(isNext: boolean): Promise<void> {
    const { log } = this.#data.store
    const first = this.#nextId
    this.#nextId += runCount
    const there = log.segments().map(({ id }) => id)
    const given = there.filter((id) => !this.#keptSegments.includes(id))
    log.seal()
    log.append([route(flow), run(first, sizesOf(flowSize))], 'sync')
    if (isNext) log.append([gone(flow, first - runCount, first - 1, runCount, runCount * flowSize)], 'sync')
    await this.#synced()
    await new Promise<void>((done, fail) =>
      log.saveSnapshot(this.#snapshot(first), (error) => (error === undefined ? done() : fail(error))),
    )
    for (const id of given) log.append([drop(id)], 'sync')
    await this.#synced()
    for (const id of given) log.drop(id)
    log.append([], 'sync')
    await this.#synced()
  }

  #snapshot(first: number): LogSnapshot {
    const { log } = this.#data.store
    const runOf = (from: number, size: number) => ({
      count: runCount,
      size: runCount * size,
      ranges: Float64Array.of(from, from + runCount - 1),
    })
    const plain = { autoDelete: false }
    const queues = [
      { id: kept, name: 'kept', ...plain, runs: [0, 1, 2].map((i) => runOf(1 + i * runCount, keptSize)) },
      { id: flow, name: 'flow', ...plain, runs: [runOf(first, flowSize)] },
    ]
    return {
      through: log.progress().written,
      parts: encodeSnapshot({
        state: { hosts: [{ name: 'default', exchanges: [], bindings: [], queues }], nextQueueId: 3, nextMessageId: this.#nextId },
        segments: log.segments().map(({ id }) => id),
        index: new IdIndex(),
        moved: new MovedIndex(),
      }),
    }
  }

  async #synced(): Promise<void> {
    const { log } = this.#data.store
    const { written } = log.progress()
    while (log.progress().synced < written) await new Promise<void>((woken) => (this.#woken = woken))
  }
}
