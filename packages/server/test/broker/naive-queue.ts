/** What is in the naive broker's queues and channels, as lists, and who may take from them. */

/** A message in a queue. Its place in the queue's array is its place in the queue, whatever its state. */
export interface Entry {
  readonly messageId: number
  readonly size: number
  state: 'ready' | 'unsettled' | 'delayed'
  deliveryCount: number
  failureCount: number
  readyAt: number
}

export interface Queue {
  readonly name: string
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly expiresMs: number | undefined
  /** Connection that it belongs to, if exclusive. */
  readonly owner: number
  entries: Entry[]
  consumers: Consumer[]
  usedAt: number
  rejectedCount: number
}

export interface Consumer {
  readonly channel: number
  readonly id: number
  readonly queue: Queue
  readonly ack: 'manual' | 'none'
  readonly exclusive: boolean
  readonly priority: number
  /** For a GET, when it gives up. */
  readonly getUntil: number | undefined
  prefetch: number
  prefetchSize: number
  unsettledCount: number
  unsettledSize: number
}

export interface Delivery {
  readonly tag: number
  readonly consumer: Consumer
  readonly entry: Entry
  settled: boolean
}

export interface Channel {
  readonly id: number
  readonly connection: number
  deliveries: Delivery[]
  consumers: Consumer[]
}

/** A GET that waits is no consumer. */
export function consumerCountOf(queue: Queue): number {
  return queue.consumers.filter((each) => each.getUntil === undefined).length
}

export function readyOf(queue: Queue): Entry[] {
  return queue.entries.filter((entry) => entry.state === 'ready')
}

/** 0 of either pauses; one message may exceed the bytes if none is unsettled. [P-5.3] */
function hasRoom({ prefetch, prefetchSize, unsettledCount, unsettledSize }: Consumer, size: number): boolean {
  if (prefetchSize === 0 || unsettledCount >= prefetch) return false
  return unsettledCount === 0 || unsettledSize + size <= prefetchSize
}

/** Who may have the first ready message of a queue: those of the highest priority that have room for it, in turn. */
export function mayTake(queue: Queue): Consumer[] {
  const first = readyOf(queue)[0]
  if (first === undefined) return []
  const able = queue.consumers.filter((consumer) => hasRoom(consumer, first.size))
  const highest = Math.max(...able.map((consumer) => consumer.priority))
  return able.filter((consumer) => consumer.priority === highest)
}
