/**
 * What the blocks of a log say, taken one by one as plainly as it can be said: every message that a queue got stands in a list, and goes out of it when the log says
 * so. What recovery makes of the same blocks must be the same.
 */
import assert from 'node:assert'
import { recordSize } from '@waybill/protocol'
import type { DurableState } from '../../dist/broker/durable.js'
import type { TopologyChange } from '../../dist/broker/journal.js'
import { readEntries, routeQueue, routeQueueCount } from '../../dist/storage/entries.js'

interface NaiveQueue {
  /** Every message that it ever got, with the size of its record. */
  readonly came: { readonly id: number; readonly size: number; isGone: boolean }[]
  readonly declared: string
}

/** A state in words that are the same for equal states, whatever their ranges look like. */
export interface PlainState {
  readonly names: readonly string[]
  /** Queue by queue the ids of its messages and their bytes. */
  readonly queues: Readonly<Record<string, { readonly ids: readonly number[]; readonly size: number }>>
}

export class NaiveStore {
  readonly #names = new Map<string, string>()
  readonly #queues = new Map<number, NaiveQueue>()
  idMax = 0
  nextQueueId = 1

  take(block: Uint8Array): void {
    const routes: number[][] = []
    readEntries(block, {
      route: (bytes, from, to) => routes.push(Array.from({ length: routeQueueCount(from, to) }, (_, i) => routeQueue(bytes, from, i))),
      run: (firstId, route, count, isMoved, bytes, from) => {
        if (isMoved) return
        for (let i = 0, at = from; i < count; i++) {
          const size = recordSize(bytes, at)
          for (const queue of routes[route]!) this.#queues.get(queue)?.came.push({ id: firstId + i, size, isGone: false })
          at += size
          this.idMax = Math.max(this.idMax, firstId + i)
        }
      },
      gone: (queue, first, last, count, size) => {
        const there = this.#queues.get(queue)
        if (there === undefined) return
        const going: NaiveQueue['came'] = []
        for (let i = there.came.length - 1; i >= 0 && there.came[i]!.id >= first; i--) {
          if (there.came[i]!.id <= last && !there.came[i]!.isGone) going.push(there.came[i]!)
        }
        assert.equal(going.length, count, 'the log says how many messages go')
        assert.equal(
          going.reduce((sum, message) => sum + message.size, 0),
          size,
          'and how many bytes',
        )
        for (const message of going) message.isGone = true
      },
      topology: (json) => this.#change(JSON.parse(json) as TopologyChange),
      ids: () => undefined,
      drop: () => undefined,
    })
  }

  #change(change: TopologyChange): void {
    switch (change.op) {
      case 'exchange':
        this.#names.set(`exchange ${change.name}`, `exchange ${plain(change)}`)
        break
      case 'deleteExchange':
        this.#names.delete(`exchange ${change.name}`)
        this.#unbind(
          (binding) => binding.source === change.name || ('exchange' in binding.target && binding.target.exchange === change.name),
        )
        break
      case 'queue': {
        const declared = `queue ${plain(change)}`
        this.#names.set(`queue ${change.id}`, declared)
        this.#queues.set(change.id, { came: [], declared: change.name })
        this.nextQueueId = Math.max(this.nextQueueId, change.id + 1)
        break
      }
      case 'deleteQueue': {
        const name = this.#queues.get(change.id)?.declared
        this.#names.delete(`queue ${change.id}`)
        this.#queues.delete(change.id)
        this.#unbind(({ target }) => 'queue' in target && target.queue === name)
        break
      }
      case 'bind':
        this.#names.set(`bind ${plain(change)}`, `bind ${plain(change)}`)
        break
      case 'unbind':
        assert(this.#names.delete(`bind ${plain(change)}`), 'a binding that ends was there')
    }
  }

  #unbind(isOver: (binding: { source: string; target: { queue: string } | { exchange: string } }) => boolean): void {
    for (const key of [...this.#names.keys()]) {
      if (key.startsWith('bind ') && isOver(JSON.parse(key.slice(5)) as never)) this.#names.delete(key)
    }
  }

  get state(): PlainState {
    const queues: Record<string, { ids: number[]; size: number }> = {}
    for (const { declared, came } of this.#queues.values()) {
      const live = came.filter(({ isGone }) => !isGone)
      queues[declared] = { ids: live.map(({ id }) => id), size: live.reduce((sum, { size }) => sum + size, 0) }
    }
    return { names: [...this.#names.values()].sort(), queues }
  }

  /** The same of what recovery or a broker says; its ranges mean what these blocks have for them. */
  plainStateOf({ hosts }: DurableState): PlainState {
    const names: string[] = []
    const queues: Record<string, { ids: number[]; size: number }> = {}
    for (const host of hosts) {
      const vhost = host.name
      for (const exchange of host.exchanges) names.push(`exchange ${plain({ op: 'exchange', vhost, ...exchange })}`)
      for (const binding of host.bindings) names.push(`bind ${plain({ op: 'bind', vhost, ...binding })}`)
      for (const { runs, ...queue } of host.queues) {
        names.push(`queue ${plain({ op: 'queue', vhost, ...queue })}`)
        const ids: number[] = []
        const came = this.#queues.get(queue.id)?.came ?? []
        let at = 0
        let sizes = 0
        for (const { count, size, ranges } of runs) {
          assert(count >= 1 && count <= 1_024)
          const before = ids.length
          for (let i = 0; i < ranges.length; i += 2) {
            while (at < came.length && came[at]!.id < ranges[i]!) at++
            for (; at < came.length && came[at]!.id <= ranges[i + 1]!; at++) ids.push(came[at]!.id)
          }
          assert.equal(ids.length - before, count, 'a run has as many messages as it says')
          sizes += size
        }
        queues[queue.name] = { ids, size: sizes }
      }
    }
    return { names: names.sort(), queues }
  }
}

/** As a text, in which neither order nor what is left out makes a difference. */
function plain(what: object): string {
  const { op: _op, ...rest } = what as Record<string, unknown>
  const said: Record<string, unknown> = 'key' in rest ? { match: 'all', headers: {}, ...rest } : { ...rest }
  return JSON.stringify(sorted(said))
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, inner]) => [name, sorted(inner)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
