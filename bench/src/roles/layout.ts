/** The queues and bindings of a throughput workload, and the keys that its producer uses. */
import type { Layout, Peer } from '../peers/peer.js'
import { deliveriesOf, randomOf, topicsOf } from '../topics.js'
import { fanoutQueues, type Throughput, topicBindings, topicKeys, topicQueues } from '../workloads.js'

export interface Traffic {
  readonly layout: Layout
  /** Lanes in which messages arrive. */
  readonly lanes: number
  /** Every lane gets every message. */
  readonly gapless: boolean
  /** Keys in the order of publishing, over and over, and how many deliveries each causes. */
  readonly keys: readonly string[]
  readonly deliveries: Uint16Array
}

export function trafficOf(workload: Throughput, peer: Peer): Traffic {
  if (workload.shape === 'queue') {
    const layout = benchQueue(workload.durable)
    return { layout, lanes: 1, gapless: true, keys: [layout.queue], deliveries: Uint16Array.of(1) }
  }
  if (workload.shape === 'fanout') {
    const queues = queueNames(fanoutQueues)
    const layout = { kind: 'fanout', exchange: 'bench', queues } as const
    return { layout, lanes: fanoutQueues, gapless: true, keys: [''], deliveries: Uint16Array.of(fanoutQueues) }
  }
  const topics = topicsOf(topicBindings, topicQueues, topicKeys)
  const layout = { kind: 'topic', exchange: 'bench', queues: queueNames(topicQueues), bindings: topics.bindings } as const
  const lanes = peer.deliversEach === 'queue' ? topicQueues : topicBindings
  const counts = deliveriesOf(topics, peer.deliversEach)
  const order = shuffled(topics.keys.length)
  return {
    layout,
    lanes,
    gapless: false,
    keys: order.map((index) => topics.keys[index] as string),
    deliveries: Uint16Array.from(order, (index) => counts[index] as number),
  }
}

/** The one queue of most workloads. */
export function benchQueue(durable: boolean) {
  return { kind: 'queue', queue: durable ? 'bench-durable' : 'bench', durable } as const
}

function queueNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `bench-${index}`)
}

function shuffled(count: number): number[] {
  const random = randomOf(count)
  const order = Array.from({ length: count }, (_, index) => index)
  for (let index = count - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    ;[order[index], order[other]] = [order[other] as number, order[index] as number]
  }
  return order
}
