/** How often each kind of fault was hit in a run of many seeds. */
import { diskFaults, faults, type Tally } from '../../dist/sim/index.js'

/** Steps of the busy days of a seed, at least; its end takes some hundred more. */
export const stepsMin = 2_000

/** What goes wrong with the network and the process by name; with the disk also by what came of it. */
export const faultKinds: readonly string[] = [
  ...[...faults, ...diskFaults].map((fault) => `fault ${fault}`),
  'kill in an operation',
  'power cut in an operation',
  'kill while opening',
  'power cut while opening',
  'disk lost sectors',
  'disk torn sectors',
  'disk reordered sectors',
  'disk short files',
  'disk lost names',
  'disk sync failed',
  'disk write failed broken',
  'disk write failed full',
  'disk full',
  'disk bit rot',
]

/** Of the queues that are there in the end, those of which every message is accounted for: their counters must be exact. */
export function exactShare(tally: Tally): number {
  const exact = tally.of('queues counted exactly')
  return exact / (exact + tally.of('queues counted roughly'))
}

export function faultTable(tally: Tally, seedCount: number): string[] {
  const rows = faultKinds.map((kind) => `${String(tally.of(kind)).padStart(10)} ${kind}`)
  const exact = `${tally.of('queues counted exactly')} queues counted exactly, ${(100 * exactShare(tally)).toFixed(1)} %`
  return ['', `what went wrong in ${seedCount} seeds:`, ...rows, '', exact, '']
}
