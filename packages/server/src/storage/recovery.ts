// Each record of the log's tail passes `run`, by its size alone.
/**
 * What a log says, as the state that a broker goes on with:
 *
 *     snapshot ─▶ blocks behind it, in order ─▶ names, what each queue has left, where ids lie
 *
 * Nothing is routed and no record is looked into. What cannot be so is *damage*: it is named, and everything else holds. A message that was lost is missed by who
 * reads it; one whose end was lost is delivered again, and says that it may have been.
 */
import { readU32 } from '@waybill/protocol'
import type { DurableHost, DurableState, KeptRun } from '../broker/durable.js'
import type { TopologyChange } from '../broker/journal.js'
import type { Log, LogDamage, Position, SegmentId } from '../ports/log.js'
import { type EntrySink, readEntries, routeQueue, routeQueueCount } from './entries.js'
import { IdIndex } from './id-index.js'
import { idReserve } from './log-journal.js'
import { MovedIndex } from './moved-index.js'
import { RecoveredNames } from './recovered-names.js'
import { RecoveredQueue } from './recovered-queue.js'
import { readSnapshot } from './snapshot.js'

export interface Recovery {
  readonly state: DurableState
  readonly index: IdIndex
  readonly moved: MovedIndex
  readonly report: RecoveryReport
}

export interface RecoveryReport {
  readonly queueCount: number
  /** Messages that queues have; one in three queues counts three times. */
  readonly messageCount: number
  /** Of the log behind the snapshot. */
  readonly blockCount: number
  readonly tailSize: number
  readonly damage: readonly LogDamage[]
  readonly torn: LogDamage | undefined
}

export async function recover(log: Log): Promise<Recovery> {
  const tail = new Tail()
  const snapshot = await log.loadSnapshot()
  if (snapshot !== undefined) tail.begin(snapshot.parts)
  const damage: LogDamage[] = []
  let tailSize = 0
  const {
    blockCount,
    damage: unread,
    torn,
  } = await log.replay(snapshot?.through ?? 0, (position, bytes) => {
    tailSize += bytes.length
    for (const message of tail.block(position, bytes, log.segmentOf(position))) {
      damage.push({ segment: log.segmentOf(position), where: `block ${position}`, message })
    }
  })
  damage.unshift(...unread.filter(({ segment }) => !tail.dropped.has(segment)))
  const there = new Set(log.segments().map(({ id }) => id))
  for (const segment of tail.segments) {
    if (there.has(segment) || tail.dropped.has(segment) || damage.some((known) => known.segment === segment)) continue
    damage.push({ segment, where: `segment ${segment}`, message: 'it is missing, and with it the messages that it held' })
  }
  const isGone = (position: Position) => !there.has(log.segmentOf(position))
  tail.index.forget(isGone)
  tail.moved.forget(isGone)
  const state = tail.end(damage.length > 0)
  let queueCount = 0
  let messageCount = 0
  for (const { queues } of state.hosts) {
    queueCount += queues.length
    for (const { runs } of queues) for (const { count } of runs) messageCount += count
  }
  return { state, index: tail.index, moved: tail.moved, report: { queueCount, messageCount, blockCount, tailSize, damage, torn } }
}

interface Route {
  readonly queues: readonly RecoveredQueue[]
  /** Numbers of queues that are not there: deleted while a message was on its way, or lost. */
  readonly missing: readonly number[] | undefined
}

class Tail implements EntrySink {
  readonly index = new IdIndex()
  readonly moved = new MovedIndex()
  readonly dropped = new Set<number>()
  /** That the log had at the snapshot. */
  segments: readonly number[] = []
  readonly #names = new RecoveredNames()
  readonly #queues = new Map<number, RecoveredQueue>()
  /** Numbers of queues that were deleted behind the snapshot. */
  readonly #deleted = new Set<number>()
  /** Numbers of queues that nothing is known of: said once each. */
  readonly #unknown = new Set<number>()
  #nextQueueId = 1
  #nextMessageId = 1
  #problems: string[] = []
  /** Of the block being read. */
  #routes: Route[] = []
  #firstId = 0
  #recordsSize = 0
  #movedFirst = Infinity
  #movedLast = 0
  /** Of the run being read: sizes of its records. */
  #sizes = new Uint32Array(1_024)

  /** Takes over a snapshot. Throws if it is none of ours. */
  begin(parts: readonly Uint8Array[]): void {
    const runs = new Map<number, KeptRun[]>()
    readSnapshot(parts, {
      head: (nextQueueId, nextMessageId, segments) => {
        this.#nextQueueId = nextQueueId
        this.#nextMessageId = nextMessageId
        this.segments = segments
      },
      name: (change) => {
        this.#names.apply(change)
        if (change.op === 'queue') runs.set(change.id, [])
      },
      run: (queue, run) => runs.get(queue)?.push(run),
      id: (id, position) => this.index.mark(id, position),
      moved: (first, last, position) => this.moved.add(first, last, position),
    })
    for (const [id, ofQueue] of runs) this.#queues.set(id, new RecoveredQueue(ofQueue))
  }

  /** Returns what is wrong with it, in words. */
  block(position: Position, bytes: Uint8Array, segment: SegmentId): readonly string[] {
    this.#routes = []
    this.#recordsSize = 0
    this.#movedFirst = Infinity
    this.#movedLast = 0
    this.#problems = []
    try {
      readEntries(bytes, this)
    } catch (error) {
      this.#problems.push((error as Error).message)
    }
    if (this.#recordsSize > 0) this.index.add(this.#firstId, position, this.#recordsSize, segment)
    if (this.#movedFirst !== Infinity) this.moved.add(this.#movedFirst, this.#movedLast, position)
    return this.#problems
  }

  route(bytes: Uint8Array, from: number, to: number): void {
    const queues: RecoveredQueue[] = []
    let missing: number[] | undefined
    for (let i = 0, count = routeQueueCount(from, to); i < count; i++) {
      const id = routeQueue(bytes, from, i)
      const queue = this.#queues.get(id)
      if (queue !== undefined) queues.push(queue)
      else if (missing === undefined) missing = [id]
      else missing.push(id)
    }
    this.#routes.push({ queues, missing })
  }

  run(firstId: number, route: number, count: number, isMoved: boolean, bytes: Uint8Array, from: number, to: number): void {
    const lastId = firstId + count - 1
    if (isMoved) {
      this.#movedFirst = Math.min(this.#movedFirst, firstId)
      this.#movedLast = Math.max(this.#movedLast, lastId)
      return
    }
    if (count > this.#sizes.length) this.#sizes = new Uint32Array(count * 2)
    const sizes = this.#sizes
    let at = from
    let i = 0
    for (; i < count && at + 4 <= to; i++) at += sizes[i] = 4 + readU32(bytes, at)
    const known = this.#routes[route] as Route | undefined
    if (i < count || at !== to || known === undefined) {
      this.#problems.push(`the messages ${firstId} to ${lastId} do not fill their entry, or have no route; they are left out`)
      return
    }
    const { queues, missing } = known
    for (let k = 0; k < queues.length; k++) queues[k].add(firstId, count, sizes)
    if (missing !== undefined) for (const queue of missing) this.#missing(queue)
    if (this.#recordsSize === 0) this.#firstId = firstId
    this.#recordsSize += to - from
    if (lastId >= this.#nextMessageId) this.#nextMessageId = lastId + 1
  }

  gone(queue: number, first: number, last: number, count: number, size: number): void {
    const found = this.#queues.get(queue)
    if (found === undefined) this.#missing(queue)
    else if (!found.gone(first, last, count, size)) {
      this.#problems.push(
        `queue number ${queue} did not have ${count} messages of ${size} bytes from id ${first} to ${last}, which are gone`,
      )
    }
  }

  topology(json: string): void {
    const change = JSON.parse(json) as TopologyChange
    this.#names.apply(change)
    if (change.op === 'queue') {
      this.#queues.set(change.id, new RecoveredQueue())
      this.#nextQueueId = Math.max(this.#nextQueueId, change.id + 1)
    } else if (change.op === 'deleteQueue') {
      this.#queues.delete(change.id)
      this.#deleted.add(change.id)
    }
  }

  ids(next: number): void {
    if (next > this.#nextMessageId) this.#nextMessageId = next
  }

  drop(segment: number): void {
    this.dropped.add(segment)
  }

  /** `isDamaged`: ids may have been reserved where nobody can read it. */
  end(isDamaged: boolean): DurableState {
    const hosts: DurableHost[] = []
    for (const [name, { exchanges, queues, bindings }] of this.#names.hosts) {
      hosts.push({
        name,
        exchanges: [...exchanges.values()],
        queues: [...queues.values()].map((queue) => ({ ...queue, runs: this.#queues.get(queue.id)!.left() })),
        bindings: [...bindings.values()],
      })
    }
    return { hosts, nextQueueId: this.#nextQueueId, nextMessageId: this.#nextMessageId + (isDamaged ? idReserve : 0) }
  }

  #missing(queue: number): void {
    this.#nextQueueId = Math.max(this.#nextQueueId, queue + 1)
    if (this.#deleted.has(queue) || this.#unknown.has(queue)) return
    this.#unknown.add(queue)
    this.#problems.push(`nothing says what queue number ${queue} is called; its messages are left out`)
  }
}
