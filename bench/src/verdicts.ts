/** What became of each bound of a workload: against which peer, how far, met or not. */
import type { Figure, Row } from './summary.js'
import type { Bound, Workload } from './workloads.js'

export interface Verdict {
  /** `msg/s 3.12 x nats, at least 2.50 wanted` */
  readonly text: string
  readonly met: boolean
}

/** Nothing when Waybill or what it is measured against did not run. */
export function verdictsOf(workload: Workload, rows: readonly Row[]): Verdict[] {
  const ours = rows.find((row) => row.peer === 'waybill')
  if (ours === undefined) return []
  return workload.bounds.flatMap((bound) => {
    if (bound.against === 'itself') return ownVerdicts(ours, bound)
    return against(bound.against, rows).flatMap((theirs) => comparisons(ours, theirs, bound))
  })
}

function comparisons(ours: Row, theirs: Row, bound: Bound): Verdict[] {
  const compare = (
    what: string,
    own: Figure | undefined,
    other: Figure | undefined,
    wanted: number | undefined,
    more: boolean,
  ): Verdict[] => {
    if (own === undefined || other === undefined || wanted === undefined) return []
    const ratio = own.median / other.median
    const limit = `${more ? 'at least' : 'at most'} ${wanted.toFixed(2)}`
    const text = `${what} ${ratio.toFixed(2)} x ${theirs.peer}, ${limit} wanted`
    return [{ text, met: more ? ratio >= wanted : ratio <= wanted }]
  }
  return [
    ...compare('msg/s', ours.rate, theirs.rate, bound.rate, true),
    ...compare('broker CPU a message', ours.cpu, theirs.cpu, bound.cpu, false),
    ...compare('p50', ours.p50, theirs.p50, bound.p50, false),
    ...compare('p99', ours.p99, theirs.p99, bound.p99, false),
    ...compare('confirm p99', ours.confirmP99, theirs.confirmP99, bound.confirmP99, false),
  ]
}

function ownVerdicts(ours: Row, bound: Bound): Verdict[] {
  const atMost = (what: string, unit: string, value: number | undefined, wanted: number | undefined, digits: number): Verdict[] =>
    value === undefined || wanted === undefined
      ? []
      : [{ text: `${value.toFixed(digits)} ${unit} ${what}, at most ${wanted} wanted`, met: value <= wanted }]
  const scaled = (figure: Figure | undefined, unit: number) => (figure === undefined ? undefined : figure.median / unit)
  return [
    ...atMost('a connection', 'KiB', scaled(ours.connectionSize, 1_024), bound.connectionKiB, 1),
    ...atMost('above idle', 'MB', scaled(ours.backlogMemory, 1e6), bound.backlogMB, 0),
    ...atMost('from the restart to the first delivery', 'ms', scaled(ours.restartMs, 1), bound.restartMs, 0),
    ...confirmVerdict(ours, bound.confirmSyncs),
  ]
}

function confirmVerdict(ours: Row, syncs: number | undefined): Verdict[] {
  const { confirmP50, transientP50, syncP50 } = ours
  if (syncs === undefined || confirmP50 === undefined || transientP50 === undefined || syncP50 === undefined) return []
  const wanted = transientP50.median + syncs * syncP50.median
  const sum = `transient p50 ${transientP50.median.toFixed(0)} + ${syncs} x sync ${syncP50.median.toFixed(0)} = ${wanted.toFixed(0)} µs`
  return [{ text: `confirm p50 ${confirmP50.median.toFixed(0)} µs, at most ${sum} wanted`, met: confirmP50.median <= wanted }]
}

function against(whom: Exclude<Bound['against'], 'itself'>, rows: readonly Row[]): Row[] {
  const others = rows.filter((row) => row.peer !== 'waybill' && row.rate !== undefined)
  if (whom === 'nats') return others.filter((row) => row.peer === 'nats' || row.peer === 'nats2')
  if (whom === 'rabbitmq-quorum') return others.filter((row) => row.peer === whom)
  const candidates = whom === 'best' ? others : others.filter((row) => row.syncs === (whom === 'best synced'))
  return candidates.sort((a, b) => (b.rate?.median ?? 0) - (a.rate?.median ?? 0)).slice(0, 1)
}
