/** Medians of a result: one row for each workload and peer. */
import type { Measurement, PeerDescription, Results } from './results.js'
import { median } from './statistics.js'
import type { Workload } from './workloads.js'

export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Row {
  readonly peer: string
  readonly runs: number
  readonly failures: readonly string[]
  readonly rate?: Figure
  readonly published?: Figure
  readonly cpu?: Figure
  readonly cores?: { readonly broker: number; readonly producer: number; readonly consumer: number; readonly other: number }
  readonly memory?: Figure
  readonly p50?: Figure
  readonly p99?: Figure
  readonly p999?: Figure
  readonly confirmP50?: Figure
  readonly confirmP99?: Figure
  readonly confirmP999?: Figure
  readonly youngP99?: Figure
  readonly transientP50?: Figure
  readonly syncP50?: Figure
  readonly pacedSyncP50?: Figure
  /** Bytes of the broker's memory above what it had before the backlog: with it, and the most it ever had. */
  readonly backlogMemory?: Figure
  readonly backlogMemoryMax?: Figure
  readonly disk?: Figure
  readonly restartMs?: Figure
  readonly connectionSize?: Figure
  readonly openMs?: Figure
  readonly deliverMs?: Figure
  readonly confirmed: boolean
  /** Whether a confirm of this peer means that a durable message is on the disk; undefined where it keeps none. */
  readonly syncs?: boolean
}

export function rowsOf(results: Results, workload: Workload): Row[] {
  return results.peers.flatMap((peer) => {
    const all = results.measurements.filter((one) => one.workload === workload.name && one.peer === peer.name)
    return all.length === 0 ? [] : [rowOf(peer, all)]
  })
}

function rowOf(peer: PeerDescription, all: readonly Measurement[]): Row {
  const good = all.filter((one) => one.failure === undefined)
  const figure = (pick: (one: Measurement) => number | undefined): Figure | undefined => {
    const values = good.map(pick).filter((value) => value !== undefined && !Number.isNaN(value)) as number[]
    return values.length === 0 ? undefined : { median: median(values), min: Math.min(...values), max: Math.max(...values) }
  }
  const part = (name: 'broker' | 'producer' | 'consumer' | 'other') => figure((one) => one.cores?.[name])?.median ?? 0
  const row = {
    peer: peer.name,
    syncs: peer.durable?.syncs,
    runs: good.length,
    failures: all.flatMap((one) => (one.failure === undefined ? [] : [one.failure])),
    confirmed: good.some((one) => one.confirmed === true),
    rate: figure((one) => one.deliveredPerSecond),
    published: figure((one) => one.publishedPerSecond),
    cpu: figure((one) => one.brokerCpuPerMillion),
    cores: good.some((one) => one.cores !== undefined)
      ? { broker: part('broker'), producer: part('producer'), consumer: part('consumer'), other: part('other') }
      : undefined,
    memory: figure((one) => one.brokerMemory),
    p50: figure((one) => one.latency?.p50),
    p99: figure((one) => one.latency?.p99),
    p999: figure((one) => one.latency?.p999),
    confirmP50: figure((one) => one.confirmLatency?.p50),
    confirmP99: figure((one) => one.confirmLatency?.p99),
    confirmP999: figure((one) => one.confirmLatency?.p999),
    youngP99: figure((one) => one.youngLatency?.p99),
    transientP50: figure((one) => one.transientLatency?.p50),
    syncP50: figure((one) => one.syncLatency?.p50),
    pacedSyncP50: figure((one) => one.pacedSyncLatency?.p50),
    backlogMemory: figure((one) => one.backlog && one.backlog.memory - one.backlog.idleMemory),
    backlogMemoryMax: figure((one) => one.backlog && one.backlog.memoryMax - one.backlog.idleMemory),
    disk: figure((one) => one.backlog?.disk),
    restartMs: figure((one) => one.backlog?.restartMs),
    connectionSize: figure((one) => one.idle?.connectionSize),
    openMs: figure((one) => one.idle?.openMs),
    deliverMs: figure((one) => one.idle?.deliverMs),
  }
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as unknown as Row
}
