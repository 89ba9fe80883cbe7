/**
 * What outlives the process, as plain data: how it stands in the log and in a snapshot, and what a broker is restored from.
 */
import { recordHeaderSize } from '@waybill/protocol'

export interface ExchangeJson {
  readonly name: string
  readonly type: 'direct' | 'fanout' | 'topic' | 'headers'
  readonly autoDelete: boolean
  readonly internal: boolean
  readonly alternate?: string
}

export interface QueueJson {
  /** Its number in the log: never used again. */
  readonly id: number
  readonly name: string
  readonly autoDelete: boolean
  readonly expiresMs?: number
}

export interface BindingJson {
  readonly source: string
  readonly target: { readonly queue: string } | { readonly exchange: string }
  readonly key: string
  /** As in control messages (`headersToJson`). */
  readonly headers?: object
  readonly match?: 'all' | 'any'
}

/** A run of several messages has at most so many bytes: it is read at once, when its messages are wanted. */
export const keptRunSizeMax = 4 * 1024 * 1024

/**
 * Messages of one queue whose records lie in the log and not in memory, in order: every message that the log has for the queue with an id in one of the
 * `ranges` (first, last, first, last …; they rise).
 */
export interface KeptRun {
  /** How many there are: 1 to 1,024, a page of the queue's index. With a place for each gap between two ranges they fit into one. */
  readonly count: number
  /** Bytes of their records: at most `keptRunSizeMax`, if there are several. */
  readonly size: number
  readonly ranges: Float64Array
}

export interface DurableQueue extends QueueJson {
  readonly runs: readonly KeptRun[]
}

/** No record in any queue is larger. Of several messages that lie together only the sum is known: then it may be said too large, by less than `keptRunSizeMax`. */
export function keptSizeMax(hosts: readonly DurableHost[]): number {
  let most = 0
  for (const { queues } of hosts) {
    for (const { runs } of queues) {
      for (const { count, size } of runs) most = Math.max(most, size - (count - 1) * recordHeaderSize)
    }
  }
  return most
}

export interface DurableHost {
  readonly name: string
  readonly exchanges: readonly ExchangeJson[]
  readonly queues: readonly DurableQueue[]
  readonly bindings: readonly BindingJson[]
}

/** All that a broker goes on with after a restart. */
export interface DurableState {
  readonly hosts: readonly DurableHost[]
  /** Numbers of queues from here on are new. */
  readonly nextQueueId: number
  /** Ids of messages from here on are new. */
  readonly nextMessageId: number
}
