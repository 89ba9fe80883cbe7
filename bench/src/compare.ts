/**
 * Two results side by side: for each workload and broker the old and the new medians. A difference is called
 * one only where the ranges of the runs do not overlap; with one run each there is no range and nothing is called.
 */
import { table } from './report.js'
import type { Results } from './results.js'
import { type Figure, type Row, rowsOf } from './summary.js'
import { type Workload, workloads } from './workloads.js'

interface Line {
  readonly peer: string
  readonly what: string
  readonly old: string
  readonly new: string
  readonly change: string
  readonly verdict: string
}

interface Quantity {
  readonly what: string
  readonly pick: (row: Row) => Figure | undefined
  readonly digits: number
  readonly moreIsBetter: boolean
}

const quantities: Record<Workload['kind'], readonly Quantity[]> = {
  backlog: [
    { what: 'drained msg/s', pick: (row) => row.rate, digits: 0, moreIsBetter: true },
    { what: 'published msg/s', pick: (row) => row.published, digits: 0, moreIsBetter: true },
    { what: 'bytes above idle', pick: (row) => row.backlogMemory, digits: 0, moreIsBetter: false },
    { what: 'restart ms', pick: (row) => row.restartMs, digits: 0, moreIsBetter: false },
  ],
  throughput: [
    { what: 'delivered msg/s', pick: (row) => row.rate, digits: 0, moreIsBetter: true },
    { what: 'broker CPU s/M', pick: (row) => row.cpu, digits: 3, moreIsBetter: false },
  ],
  latency: [
    { what: 'p50 µs', pick: (row) => row.p50, digits: 0, moreIsBetter: false },
    { what: 'p99 µs', pick: (row) => row.p99, digits: 0, moreIsBetter: false },
    { what: 'confirm p50 µs', pick: (row) => row.confirmP50, digits: 0, moreIsBetter: false },
    { what: 'confirm p99 µs', pick: (row) => row.confirmP99, digits: 0, moreIsBetter: false },
  ],
  idle: [{ what: 'bytes a connection', pick: (row) => row.connectionSize, digits: 0, moreIsBetter: false }],
}

export function compareResults(before: Results, after: Results): string {
  const sections = workloads.flatMap((workload) => {
    const [old, fresh] = [rowsOf(before, workload), rowsOf(after, workload)]
    const lines = fresh.flatMap((row) => {
      const other = old.find((candidate) => candidate.peer === row.peer)
      return other === undefined ? [] : quantities[workload.kind].flatMap((quantity) => lineOf(quantity, other, row))
    })
    return lines.length === 0 ? [] : [`### ${workload.name}: ${workload.title}\n\n${table(columns, lines)}`]
  })
  const head = `old: ${titleOf(before)}\nnew: ${titleOf(after)}`
  return [head, ...(sameMachine(before, after) ? [] : ['Not the same machine: compare with care.']), ...sections].join('\n\n')
}

const columns = [
  { title: 'broker', cell: (line: Line) => line.peer },
  { title: 'figure', cell: (line: Line) => line.what },
  { title: 'old', cell: (line: Line) => line.old },
  { title: 'new', cell: (line: Line) => line.new },
  { title: 'change', cell: (line: Line) => line.change },
  { title: '', cell: (line: Line) => line.verdict },
]

function lineOf(quantity: Quantity, old: Row, fresh: Row): Line[] {
  const [before, after] = [quantity.pick(old), quantity.pick(fresh)]
  if (before === undefined || after === undefined) return []
  const text = (value: number) =>
    value.toLocaleString('en-US', { minimumFractionDigits: quantity.digits, maximumFractionDigits: quantity.digits })
  const change = after.median / before.median - 1
  return [
    {
      peer: fresh.peer,
      what: quantity.what,
      old: text(before.median),
      new: text(after.median),
      change: `${change >= 0 ? '+' : ''}${(change * 100).toFixed(1)} %`,
      verdict: verdictOf(before, after, quantity.moreIsBetter),
    },
  ]
}

function verdictOf(before: Figure, after: Figure, moreIsBetter: boolean): string {
  const measuredOnce = before.min === before.max || after.min === after.max
  if (measuredOnce || (after.max >= before.min && after.min <= before.max)) return ''
  return after.median > before.median === moreIsBetter ? 'better' : 'worse'
}

function titleOf(results: Results): string {
  return `${results.startedAt}${results.commit === undefined ? '' : `, commit ${results.commit}`}, medians of ${results.runs}`
}

function sameMachine(before: Results, after: Results): boolean {
  return (['cpu', 'cores', 'kernel', 'node'] as const).every((key) => before.machine[key] === after.machine[key])
}
