/**
 * A result as text: the machine, a table for each workload (valid Markdown, aligned for a terminal), and for each
 * bound whether it was met.
 */
import type { PeerDescription, Results } from './results.js'
import { type Figure, type Row, rowsOf } from './summary.js'
import { verdictsOf } from './verdicts.js'
import { type Workload, workloads } from './workloads.js'

interface Column {
  readonly title: string
  readonly cell: (row: Row) => string
}

export function reportOf(results: Results): string {
  const sections = workloads.flatMap((workload) => {
    const rows = rowsOf(results, workload)
    return rows.length === 0 ? [] : [sectionOf(workload, rows)]
  })
  return [headOf(results), ...sections, ...(results.quick ? ['Quick run: these figures mean nothing.'] : [])].join('\n\n')
}

function headOf(results: Results): string {
  const { machine } = results
  const data = machine.dataOn === undefined ? '' : `, data on ${machine.dataOn}`
  const lines = [
    `Waybill bench, ${results.startedAt}${results.commit === undefined ? '' : `, commit ${results.commit}`}, medians of ${results.runs}`,
    `${machine.cores} x ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}, ${machine.kernel}, Node ${machine.node}, ${machine.network}${data}`,
    ...(machine.dataOn === 'tmpfs'
      ? ['The brokers kept their data in memory: the durable figures mean nothing. TMPDIR names another place.']
      : []),
    '',
    ...results.peers.map(describe),
    ...results.absent.map((name) => `- ${name}: not installed`),
  ]
  return lines.join('\n')
}

function describe(peer: PeerDescription): string {
  const { durable } = peer
  const confirms = [
    ...(durable === undefined || peer.confirm !== undefined ? [`a confirm means: ${peer.confirm ?? 'there is none'}`] : []),
    ...(durable === undefined ? [] : [`of a durable message: ${durable.confirm}${durable.syncs ? '' : ' (NOT synced first)'}`]),
  ]
  return `- ${peer.name}: ${peer.title} ${peer.version}, ${peer.client}; ${confirms.join('; ')}`
}

function sectionOf(workload: Workload, rows: readonly Row[]): string {
  const bounds = verdictsOf(workload, rows).map((verdict) => `- ${verdict.met ? 'met' : 'MISSED'}: ${verdict.text}`)
  const failures = rows.flatMap((row) => row.failures.map((failure) => `- ${row.peer} FAILED: ${failure.split('\n')[0]}`))
  return [`### ${workload.name}: ${workload.title}`, '', table(columnsOf(workload, rows), rows), ...gap(bounds), ...gap(failures)].join(
    '\n',
  )
}

function gap(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines]
}

function columnsOf(workload: Workload, rows: readonly Row[]): Column[] {
  const ours = rows.find((row) => row.peer === 'waybill')
  const peer = { title: 'broker', cell: (row: Row) => (workload.durable && row.syncs === false ? `${row.peer} (not synced)` : row.peer) }
  const cores = {
    title: workload.kind === 'throughput' ? 'cores producer/broker/consumer/other' : 'cores broker/clients/other',
    cell: (row: Row) => coresOf(row, workload),
  }
  const memory = { title: 'broker MiB', cell: (row: Row) => amount(row.memory, (bytes) => (bytes / 2 ** 20).toFixed(0)) }
  const runs = { title: 'n', cell: (row: Row) => String(row.runs) }
  const microseconds = (value: number) => value.toFixed(0)
  if (workload.kind === 'latency' && workload.durable) {
    return [
      peer,
      { title: 'confirm p50 µs', cell: (row) => range(row.confirmP50, microseconds) },
      { title: 'p99 µs', cell: (row) => range(row.confirmP99, microseconds) },
      { title: 'p99.9 µs', cell: (row) => range(row.confirmP999, microseconds) },
      { title: 'p99 µs, first seconds', cell: (row) => range(row.youngP99, microseconds) },
      { title: 'delivery p50 µs', cell: (row) => range(row.p50, microseconds) },
      { title: 'p99 µs', cell: (row) => range(row.p99, microseconds) },
      { title: 'transient p50 µs', cell: (row) => amount(row.transientP50, microseconds) },
      { title: '4 KiB write + fdatasync µs', cell: (row) => range(row.syncP50, microseconds) },
      { title: 'each 1 ms µs', cell: (row) => range(row.pacedSyncP50, microseconds) },
      { title: 'sent/s', cell: (row) => amount(row.rate, count) },
      cores,
      memory,
      runs,
    ]
  }
  if (workload.kind === 'latency') {
    return [
      peer,
      { title: 'p50 µs', cell: (row) => range(row.p50, microseconds) },
      { title: 'p99 µs', cell: (row) => range(row.p99, microseconds) },
      { title: 'p99.9 µs', cell: (row) => range(row.p999, microseconds) },
      { title: 'p99 µs, first seconds', cell: (row) => range(row.youngP99, microseconds) },
      { title: 'waybill p50/p99', cell: (row) => `${ratio(ours?.p50, row.p50)} / ${ratio(ours?.p99, row.p99)}` },
      { title: 'sent/s', cell: (row) => amount(row.rate, count) },
      cores,
      memory,
      runs,
    ]
  }
  if (workload.kind === 'backlog') {
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
    return [
      peer,
      { title: 'published, confirmed/s', cell: (row) => range(row.published, count) },
      { title: 'MB above idle', cell: (row) => range(row.backlogMemory, megabytes) },
      { title: 'at most MB', cell: (row) => range(row.backlogMemoryMax, megabytes) },
      { title: 'MB on disk', cell: (row) => range(row.disk, megabytes) },
      { title: 'start again to first delivery ms', cell: (row) => range(row.restartMs, count) },
      { title: 'drained msg/s', cell: (row) => range(row.rate, count) },
      { title: 'waybill x', cell: (row) => ratio(ours?.rate, row.rate) },
      runs,
    ]
  }
  if (workload.kind === 'idle') {
    return [
      peer,
      { title: 'KiB a connection', cell: (row) => range(row.connectionSize, (bytes) => (bytes / 1_024).toFixed(1)) },
      { title: 'open all ms', cell: (row) => amount(row.openMs, count) },
      { title: 'one to each ms', cell: (row) => range(row.deliverMs, count) },
      memory,
      cores,
      runs,
    ]
  }
  return [
    peer,
    { title: 'delivered msg/s', cell: (row) => range(row.rate, count) },
    { title: 'MB/s', cell: (row) => amount(row.rate, (rate) => ((rate * workload.bodySize) / 1e6).toFixed(0)) },
    { title: 'waybill x', cell: (row) => ratio(ours?.rate, row.rate) },
    { title: 'broker CPU s/M', cell: (row) => range(row.cpu, (seconds) => seconds.toFixed(2)) },
    { title: 'waybill CPU x', cell: (row) => ratio(ours?.cpu, row.cpu) },
    ...(workload.confirm === 'none' ? [] : [{ title: 'confirmed', cell: (row: Row) => (row.confirmed ? 'yes' : 'no') }]),
    ...(workload.shape === 'queue' ? [] : [{ title: 'published/s', cell: (row: Row) => amount(row.published, count) }]),
    cores,
    memory,
    runs,
  ]
}

function coresOf(row: Row, workload: Workload): string {
  if (row.cores === undefined) return ''
  const { broker, producer, consumer, other } = row.cores
  const shown = workload.kind === 'throughput' ? [producer, broker, consumer, other] : [broker, producer, other]
  return shown.map((cores) => cores.toFixed(2)).join('/')
}

function ratio(ours: Figure | undefined, theirs: Figure | undefined): string {
  return ours === undefined || theirs === undefined ? '' : (ours.median / theirs.median).toFixed(2)
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function amount(figure: Figure | undefined, text: (value: number) => string): string {
  return figure === undefined ? '' : text(figure.median)
}

function range(figure: Figure | undefined, text: (value: number) => string): string {
  if (figure === undefined) return ''
  return figure.min === figure.max ? text(figure.median) : `${text(figure.median)} (${text(figure.min)}–${text(figure.max)})`
}

export function table<R>(columns: readonly { readonly title: string; readonly cell: (row: R) => string }[], rows: readonly R[]): string {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => columns.map((column) => column.cell(row)))]
  const widths = columns.map((_, index) => Math.max(3, ...cells.map((line) => (line[index] as string).length)))
  const lines = cells.map((line) => `| ${line.map((cell, index) => cell.padEnd(widths[index] as number)).join(' | ')} |`)
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}
