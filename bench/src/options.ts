/** The bench's command line. */
import { parseArgs } from 'node:util'
import { isPeerName, type PeerName, peerNames } from './peers/index.js'
import { type Workload, workloads } from './workloads.js'

export const usage = `usage: npm run bench -- [options]

  --only NAMES    these workloads alone, by name or by the start of one: ${workloads.map((workload) => workload.name).join(', ')}
  --large         with those that take long: ${workloads
    .filter(isLarge)
    .map((workload) => workload.name)
    .join(', ')} (they run too when named in full)
  --peers NAMES   these brokers alone: ${peerNames.join(', ')}
  --runs N        measure each N times and show medians (1)
  --patient       measure again, up to five times, while other programs take more than 0.15 core
  --quick         a fraction of a second each: shows that it works, its figures mean nothing
  --json FILE     where to write the results (bench/results/<time>.json; with --quick nowhere)
  --help          this text

Compare two results: npm run bench -- compare OLD.json NEW.json
Show one again:      npm run bench -- show FILE.json
Hot rooms alone:     npm run bench -- micro [the start of a name]`

export interface Options {
  readonly workloads: readonly Workload[]
  readonly peers: readonly PeerName[]
  readonly runs: number
  readonly patient: boolean
  readonly quick: boolean
  readonly json: string | undefined
}

/** Throws an Error that says what is wrong with which option. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      peers: { type: 'string' },
      runs: { type: 'string', default: '1' },
      patient: { type: 'boolean', default: false },
      large: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const runs = Number(values.runs)
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs is a count from 1 up, not '${values.runs}'`)
  return { workloads: workloadsNamed(values.only, values.large), peers: peersNamed(values.peers), runs, ...flags(values) }
}

function flags(values: { patient: boolean; quick: boolean; json?: string }) {
  return { patient: values.patient, quick: values.quick, json: values.json }
}

function workloadsNamed(list: string | undefined, large: boolean): readonly Workload[] {
  if (list === undefined) return workloads.filter((workload) => large || !isLarge(workload))
  const names = list.split(',')
  for (const name of names) {
    if (!workloads.some((workload) => workload.name.startsWith(name))) throw new Error(`no workload '${name}'`)
  }
  const isNamed = (workload: Workload, name: string) =>
    isExact(name) ? workload.name === name : workload.name.startsWith(name) && (large || !isLarge(workload))
  return workloads.filter((workload) => names.some((name) => isNamed(workload, name)))
}

function isLarge(workload: Workload): boolean {
  return workload.kind === 'backlog' && workload.large
}

function isExact(name: string): boolean {
  return workloads.some((workload) => workload.name === name)
}

function peersNamed(list: string | undefined): readonly PeerName[] {
  if (list === undefined) return peerNames
  return list.split(',').map((name) => {
    if (!isPeerName(name)) throw new Error(`no peer '${name}'; there are ${peerNames.join(', ')}`)
    return name
  })
}
