/**
 * The workloads, in the order they run, each with the bounds that Waybill is to reach. A bound names the peers it is
 * measured against; where several NATS servers run, it holds only if it holds against each.
 *
 * In the durable ones every message is persistent, every queue durable, every message confirmed and acknowledged.
 */
export interface Bound {
  /** Delivered messages a second, as a multiple of the peer's. */
  readonly rate?: number
  /** Broker CPU for a delivered message, as a multiple of the peer's. */
  readonly cpu?: number
  /** Latency as a multiple of the peer's. */
  readonly p50?: number
  readonly p99?: number
  /** Time to the confirm as a multiple of the peer's. */
  readonly confirmP99?: number
  /** Time to the confirm: at most our transient latency and so many times a write of 4 KiB with its sync, of the same run. */
  readonly confirmSyncs?: number
  /** Broker memory for an idle connection, in KiB. */
  readonly connectionKiB?: number
  /** Broker memory above idle with a backlog, in MB (10^6 bytes). */
  readonly backlogMB?: number
  /** From starting the broker again to the first delivery. */
  readonly restartMs?: number
  /**
   * `nats`: NATS core; `best`: the fastest peer of the run; `best synced`: the fastest whose confirm means that the message is on
   * the disk; `best unsynced`: the fastest whose confirm does not.
   */
  readonly against: 'nats' | 'best' | 'best synced' | 'best unsynced' | 'rabbitmq-quorum' | 'itself'
}

interface Common {
  readonly name: string
  readonly title: string
  readonly bodySize: number
  /** Persistent messages in durable queues; the peers take part that keep them. */
  readonly durable: boolean
  readonly bounds: readonly Bound[]
}

/** A producer as fast as the broker and its client let it be, but never more than `ahead` deliveries before the consumer. */
export interface Throughput extends Common {
  readonly kind: 'throughput'
  readonly shape: 'queue' | 'fanout' | 'topic'
  readonly ahead: number
  /**
   * `none`: fire and forget; `each`: every publish awaited on its own, `outstanding` at once; `window`: all are confirmed, the client
   * counts, `outstanding` at once.
   */
  readonly confirm: 'none' | 'each' | 'window'
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

/** So many messages into a queue without a consumer; the broker is killed and started again; then everything is consumed. */
export interface Backlog extends Common {
  readonly kind: 'backlog'
  readonly count: number
  /** Takes long with most peers: runs when it is asked for. */
  readonly large: boolean
}

export type Workload = Throughput | Latency | Idle | Backlog

export const fanoutQueues = 10
export const topicQueues = 100
export const topicBindings = 1_000
export const topicKeys = 65_536

/** Messages without a confirm at once, wherever a publisher's window is open. */
export const confirmWindow = 2_000

const plain = { kind: 'throughput', shape: 'queue', confirm: 'none', outstanding: 0, acks: false, durable: false } as const
const kept = { ...plain, confirm: 'window', outstanding: confirmWindow, acks: true, durable: true } as const
const fiveAndThree: readonly Bound[] = [
  { rate: 5, against: 'best synced' },
  { rate: 3, against: 'best unsynced' },
]
const keptTitle = 'durable, 1→1→1, 2,000 unconfirmed at once, every message acknowledged'

export const workloads: readonly Workload[] = [
  {
    ...plain,
    name: 'transient-16',
    title: '1→1→1, 16 B',
    bodySize: 16,
    ahead: 65_536,
    bounds: [{ rate: 2.5, cpu: 1 / 3, against: 'nats' }],
  },
  {
    ...plain,
    name: 'transient-128',
    title: '1→1→1, 128 B',
    bodySize: 128,
    ahead: 20_000,
    bounds: [{ rate: 2.5, cpu: 1 / 3, against: 'nats' }],
  },
  {
    ...plain,
    name: 'transient-1k',
    title: '1→1→1, 1 KiB',
    bodySize: 1_024,
    ahead: 20_000,
    bounds: [{ rate: 2, cpu: 1 / 2, against: 'nats' }],
  },
  { ...plain, name: 'transient-64k', title: '1→1→1, 64 KiB', bodySize: 65_536, ahead: 1_000, bounds: [{ rate: 1, against: 'best' }] },
  {
    ...plain,
    name: 'confirmed-128',
    title: 'await publish() each, 1,000 outstanding, 128 B',
    bodySize: 128,
    ahead: 20_000,
    confirm: 'each',
    outstanding: 1_000,
    bounds: [{ rate: 1, against: 'nats' }],
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
    bounds: [],
  },
  {
    ...plain,
    name: 'fanout-128',
    title: `fan-out to ${fanoutQueues} queues, 128 B`,
    bodySize: 128,
    shape: 'fanout',
    ahead: 50_000,
    bounds: [{ rate: 1.5, cpu: 1 / 2, against: 'nats' }],
  },
  {
    ...plain,
    name: 'topic-128',
    title: '1,000 wildcard bindings over 100 queues, 65,536 random keys, 128 B',
    bodySize: 128,
    shape: 'topic',
    ahead: 50_000,
    bounds: [{ rate: 1, cpu: 1 / 2, against: 'nats' }],
  },
  {
    kind: 'latency',
    name: 'latency-128',
    title: 'latency at 2,000/s, 128 B, both ends in one process',
    bodySize: 128,
    perSecond: 2_000,
    durable: false,
    bounds: [{ p50: 1.15, p99: 1.25, against: 'nats' }],
  },
  {
    kind: 'idle',
    name: 'idle-2000',
    title: '2,000 idle connections, each a channel, a queue and a consumer',
    bodySize: 128,
    connections: 2_000,
    durable: false,
    bounds: [{ connectionKiB: 20, against: 'itself' }],
  },
  { ...kept, name: 'durable-16', title: `${keptTitle}, 16 B`, bodySize: 16, ahead: 20_000, bounds: fiveAndThree },
  { ...kept, name: 'durable-1k', title: `${keptTitle}, 1 KiB`, bodySize: 1_024, ahead: 20_000, bounds: fiveAndThree },
  {
    ...kept,
    name: 'durable-64k',
    title: `${keptTitle}, 64 KiB`,
    bodySize: 65_536,
    ahead: 3_000,
    bounds: [{ rate: 1, against: 'best' }],
  },
  {
    kind: 'latency',
    name: 'durable-latency',
    title: 'durable, latency at 2,000/s, 128 B, both ends in one process',
    bodySize: 128,
    perSecond: 2_000,
    durable: true,
    bounds: [
      { confirmSyncs: 1.5, against: 'itself' },
      { confirmP99: 1, against: 'rabbitmq-quorum' },
    ],
  },
  backlogOf('durable-backlog-1m', '1 million', 1_000_000, 150, 1_000, false),
  backlogOf('durable-backlog-10m', '10 million', 10_000_000, 300, 3_000, true),
]

function backlogOf(name: string, words: string, count: number, backlogMB: number, restartMs: number, large: boolean): Backlog {
  return {
    kind: 'backlog',
    name,
    title: `durable, a backlog of ${words} of 100 B; kill -9, start again, consume all`,
    bodySize: 100,
    count,
    large,
    durable: true,
    bounds: [
      { backlogMB, restartMs, against: 'itself' },
      { rate: 3, against: 'best' },
    ],
  }
}

/** How long to run. Quick only shows that everything still works; its figures mean nothing. */
export interface Timing {
  readonly warmupMs: number
  readonly windowMs: number
  readonly latencyWindowMs: number
  /** Latency is measured once behind the first warm-up, while compilers are at work, and again when a process is so old. */
  readonly latencySettledMs: number
  readonly settleMs: number
  /** Idle connections are divided by this. */
  readonly divisor: number
  /** Messages of a backlog, at most. */
  readonly backlogMax: number
  /** Writes and syncs of 4 KiB that are timed. */
  readonly syncs: number
}

export const fullTiming: Timing = {
  warmupMs: 1_500,
  windowMs: 4_000,
  latencyWindowMs: 6_000,
  latencySettledMs: 15_000,
  settleMs: 2_000,
  divisor: 1,
  backlogMax: Number.POSITIVE_INFINITY,
  syncs: 500,
}
export const quickTiming: Timing = {
  warmupMs: 150,
  windowMs: 300,
  latencyWindowMs: 500,
  latencySettledMs: 700,
  settleMs: 50,
  divisor: 40,
  backlogMax: 20_000,
  syncs: 20,
}
