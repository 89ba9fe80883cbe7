/**
 * What the broker's core says of everything that has to outlive the process, as it happens. It only writes into typed arrays; at the end of the
 * turn the journal makes entries of it. The core does not know whether anybody keeps them.
 *
 *     messages   records that durable queues got       gone     messages that such a queue holds no longer
 *     changed    an exchange, a queue, a binding that is durable, or was
 */
import type { BindingJson, ExchangeJson, QueueJson } from './durable.js'

/** One change of the durable names. Each says all that there is to say: nothing follows from it that is not said too. */
export type TopologyChange =
  | ({ readonly op: 'exchange'; readonly vhost: string } & ExchangeJson)
  | { readonly op: 'deleteExchange'; readonly vhost: string; readonly name: string }
  | ({ readonly op: 'queue'; readonly vhost: string } & QueueJson)
  | { readonly op: 'deleteQueue'; readonly id: number }
  | ({ readonly op: 'bind' | 'unbind'; readonly vhost: string } & BindingJson)

/** What a journal knows of a route: the queues that keep what goes there. */
export interface KeptRoute {
  readonly kept: readonly { readonly keptId: number }[]
}

export interface Journal {
  /** False: nothing is kept. */
  readonly keeps: boolean
  /** Whether persistent messages cannot be kept now: the disk has failed or is full. */
  readonly failed: boolean
  /** Everything said until now is synced when this batch is; 0: it is already. Batches count from 1. */
  readonly gate: number
  /** The batch that what is said now belongs to. */
  readonly batch: number
  /** Every batch up to here is synced. */
  readonly synced: number
  /** The batches behind those that were synced, up to this one, are lost if it is the higher number: the disk has failed. Who waits for one waits in vain. */
  readonly lost: number
  /** Every kept message with an id below it is synced. */
  readonly syncedId: number
  /**
   * Hot. Persistent records whose route has durable queues: `count` of them, `size` bytes in all, side by side from `offset` of a slab on; their ids follow on
   * `firstId`. The slab is pinned until the end of the turn.
   */
  messages(route: KeptRoute, slab: number, offset: number, size: number, firstId: number, count: number): void
  /**
   * Hot. The messages of a durable queue from `firstId` to `lastId` are gone, all `count` that it had between them; their records have `size` bytes. `place`
   * is that of the first: who says this place after place makes one entry of it.
   */
  gone(queue: number, place: number, count: number, firstId: number, lastId: number, size: number): void
  changed(change: TopologyChange): void
  /** What is said until `together(false)` is kept as a whole or not at all. */
  together(isBegun: boolean): void
  /** What has been said is written, so that it may be acted upon. Called at the end of each turn, and before anything leaves in the middle of one. */
  write(): void
}

/** A broker without a place to keep anything. */
export const noJournal: Journal = {
  keeps: false,
  failed: false,
  gate: 0,
  batch: 0,
  synced: 0,
  lost: 0,
  syncedId: 0,
  messages: () => undefined,
  gone: () => undefined,
  changed: () => undefined,
  together: () => undefined,
  write: () => undefined,
}
