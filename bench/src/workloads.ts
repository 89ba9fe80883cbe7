/**
 * The workloads, in the order they run, each with the bound that Waybill is to reach. A bound names the peers it is
 * measured against; where several NATS servers run, it holds only if it holds against each.
 */
export interface Bound {
  /** Delivered messages a second, as a multiple of the peer's. */
  readonly rate?: number
  /** Broker CPU for a delivered message, as a multiple of the peer's. */
  readonly cpu?: number
  /** Latency as a multiple of the peer's. */
  readonly p50?: number
  readonly p99?: number
  /** Broker memory for an idle connection, in KiB. */
  readonly connectionKiB?: number
  /** `nats`: NATS core; `best`: the fastest peer of the run. */
  readonly against: 'nats' | 'best' | 'itself'
}

interface Common {
  readonly name: string
  readonly title: string
  readonly bodySize: number
  readonly bound?: Bound
}

/** A producer as fast as the broker and its client let it be, but never more than `ahead` deliveries before the consumer. */
export interface Throughput extends Common {
  readonly kind: 'throughput'
  readonly shape: 'queue' | 'fanout' | 'topic'
  readonly ahead: number
  /** `none`: fire and forget; `each`: every publish awaited on its own, `outstanding` at once. */
  readonly confirm: 'none' | 'each'
  readonly outstanding: number
  /** Whether the consumer acknowledges each message. */
  readonly acks: boolean
}

export interface Latency extends Common {
  readonly kind: 'latency'
  readonly perSecond: number
}

export interface Idle extends Common {
  readonly kind: 'idle'
  readonly connections: number
}

export type Workload = Throughput | Latency | Idle

export const fanoutQueues = 10
export const topicQueues = 100
export const topicBindings = 1_000
export const topicKeys = 65_536

const plain = { kind: 'throughput', shape: 'queue', confirm: 'none', outstanding: 0, acks: false } as const

export const workloads: readonly Workload[] = [
  { ...plain, name: 'transient-16', title: '1→1→1, 16 B', bodySize: 16, ahead: 65_536, bound: { rate: 2.5, cpu: 1 / 3, against: 'nats' } },
  {
    ...plain,
    name: 'transient-128',
    title: '1→1→1, 128 B',
    bodySize: 128,
    ahead: 20_000,
    bound: { rate: 2.5, cpu: 1 / 3, against: 'nats' },
  },
  {
    ...plain,
    name: 'transient-1k',
    title: '1→1→1, 1 KiB',
    bodySize: 1_024,
    ahead: 20_000,
    bound: { rate: 2, cpu: 1 / 2, against: 'nats' },
  },
  { ...plain, name: 'transient-64k', title: '1→1→1, 64 KiB', bodySize: 65_536, ahead: 1_000, bound: { rate: 1, against: 'best' } },
  {
    ...plain,
    name: 'confirmed-128',
    title: 'await publish() each, 1,000 outstanding, 128 B',
    bodySize: 128,
    ahead: 20_000,
    confirm: 'each',
    outstanding: 1_000,
    bound: { rate: 1, against: 'nats' },
  },
  {
    ...plain,
    name: 'acked-128',
    title: 'await publish() each, 1,000 outstanding, and every message acknowledged, 128 B',
    bodySize: 128,
    ahead: 20_000,
    confirm: 'each',
    outstanding: 1_000,
    acks: true,
  },
  {
    ...plain,
    name: 'fanout-128',
    title: `fan-out to ${fanoutQueues} queues, 128 B`,
    bodySize: 128,
    shape: 'fanout',
    ahead: 50_000,
    bound: { rate: 1.5, cpu: 1 / 2, against: 'nats' },
  },
  {
    ...plain,
    name: 'topic-128',
    title: '1,000 wildcard bindings over 100 queues, 65,536 random keys, 128 B',
    bodySize: 128,
    shape: 'topic',
    ahead: 50_000,
    bound: { rate: 1, cpu: 1 / 2, against: 'nats' },
  },
  {
    kind: 'latency',
    name: 'latency-128',
    title: 'latency at 2,000/s, 128 B, both ends in one process',
    bodySize: 128,
    perSecond: 2_000,
    bound: { p50: 1.15, p99: 1.25, against: 'nats' },
  },
  {
    kind: 'idle',
    name: 'idle-2000',
    title: '2,000 idle connections, each a channel, a queue and a consumer',
    bodySize: 128,
    connections: 2_000,
    bound: { connectionKiB: 20, against: 'itself' },
  },
]

/** How long to run. Quick only shows that everything still works; its figures mean nothing. */
export interface Timing {
  readonly warmupMs: number
  readonly windowMs: number
  readonly latencyWindowMs: number
  readonly settleMs: number
  /** Idle connections are divided by this. */
  readonly idleDivisor: number
}

export const fullTiming: Timing = { warmupMs: 1_500, windowMs: 4_000, latencyWindowMs: 6_000, settleMs: 2_000, idleDivisor: 1 }
export const quickTiming: Timing = { warmupMs: 150, windowMs: 300, latencyWindowMs: 500, settleMs: 50, idleDivisor: 40 }
