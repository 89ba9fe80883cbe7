/** Medians of a result: one row for each workload and peer, and what became of each bound. */
import type { Measurement, Results } from './results.js'
import { median } from './statistics.js'
import type { Bound, Workload } from './workloads.js'

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
  readonly connectionSize?: Figure
  readonly openMs?: Figure
  readonly deliverMs?: Figure
  readonly confirmed: boolean
}

export interface Verdict {
  /** `rate 3.12x nats (2.5x wanted)` */
  readonly text: string
  readonly met: boolean
}

export function rowsOf(results: Results, workload: Workload): Row[] {
  return results.peers.flatMap((peer) => {
    const all = results.measurements.filter((one) => one.workload === workload.name && one.peer === peer.name)
    return all.length === 0 ? [] : [rowOf(peer.name, all)]
  })
}

function rowOf(peer: string, all: readonly Measurement[]): Row {
  const good = all.filter((one) => one.failure === undefined)
  const figure = (pick: (one: Measurement) => number | undefined): Figure | undefined => {
    const values = good.map(pick).filter((value) => value !== undefined && !Number.isNaN(value)) as number[]
    return values.length === 0 ? undefined : { median: median(values), min: Math.min(...values), max: Math.max(...values) }
  }
  const part = (name: 'broker' | 'producer' | 'consumer' | 'other') => figure((one) => one.cores?.[name])?.median ?? 0
  const row = {
    peer,
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
    connectionSize: figure((one) => one.idle?.connectionSize),
    openMs: figure((one) => one.idle?.openMs),
    deliverMs: figure((one) => one.idle?.deliverMs),
  }
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as unknown as Row
}

/** What became of the workload's bound; nothing when Waybill or what it is measured against did not run. */
export function verdictsOf(workload: Workload, rows: readonly Row[]): Verdict[] {
  const ours = rows.find((row) => row.peer === 'waybill')
  const { bound } = workload
  if (ours === undefined || bound === undefined) return []
  if (bound.connectionKiB !== undefined) return connectionVerdict(ours, bound.connectionKiB)
  return against(bound, rows).flatMap((theirs) => {
    const verdicts: Verdict[] = []
    const compare = (what: string, own: Figure | undefined, other: Figure | undefined, wanted: number | undefined, more: boolean) => {
      if (own === undefined || other === undefined || wanted === undefined) return
      const ratio = own.median / other.median
      const limit = `${more ? 'at least' : 'at most'} ${wanted.toFixed(2)}`
      verdicts.push({
        text: `${what} ${ratio.toFixed(2)} x ${theirs.peer}, ${limit} wanted`,
        met: more ? ratio >= wanted : ratio <= wanted,
      })
    }
    compare('msg/s', ours.rate, theirs.rate, bound.rate, true)
    compare('broker CPU a message', ours.cpu, theirs.cpu, bound.cpu, false)
    compare('p50', ours.p50, theirs.p50, bound.p50, false)
    compare('p99', ours.p99, theirs.p99, bound.p99, false)
    return verdicts
  })
}

function connectionVerdict(ours: Row, wanted: number): Verdict[] {
  if (ours.connectionSize === undefined) return []
  const kibibytes = ours.connectionSize.median / 1_024
  return [{ text: `${kibibytes.toFixed(1)} KiB a connection, at most ${wanted} wanted`, met: kibibytes <= wanted }]
}

function against(bound: Bound, rows: readonly Row[]): Row[] {
  const others = rows.filter((row) => row.peer !== 'waybill' && row.rate !== undefined)
  if (bound.against === 'nats') return others.filter((row) => row.peer.startsWith('nats'))
  return others.sort((a, b) => (b.rate?.median ?? 0) - (a.rate?.median ?? 0)).slice(0, 1)
}
