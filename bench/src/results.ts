/** The result file of a bench: the machine, what ran, and every single measurement. Medians are the reader's business. */
import { readFileSync } from 'node:fs'

export const resultsFormat = 1

export interface Cores {
  readonly broker: number
  readonly producer: number
  readonly consumer: number
  /** Busy cores that were not ours: above 0.15 the measurement is doubtful. */
  readonly other: number
}

export interface Sums {
  readonly published: number
  readonly expected: number
  readonly delivered: number
  readonly sumsAgree: boolean
  readonly damaged: number
  readonly disordered: number
  /** Messages that the queue still had in the end, after every one had been acknowledged. Durable workloads alone. */
  readonly left?: number
}

/** Microseconds. */
export interface Latencies {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly count: number
}

export interface Measurement {
  readonly workload: string
  readonly peer: string
  readonly run: number
  /** Why this measurement counts for nothing; undefined when all sums agree. */
  readonly failure?: string | undefined
  readonly deliveredPerSecond?: number
  readonly publishedPerSecond?: number
  readonly confirmed?: boolean
  /** Broker CPU-seconds for a million deliveries. */
  readonly brokerCpuPerMillion?: number
  readonly cores?: Cores
  /** Bytes, shared pages counted once. */
  readonly brokerMemory?: number
  /** From the publish call to the consumer's callback. */
  readonly latency?: Latencies
  /** From the publish call to its confirm. */
  readonly confirmLatency?: Latencies
  /** The one that counts, confirmed or not, in the first seconds: while the compilers of both processes are still at work. */
  readonly youngLatency?: Latencies
  /** As `latency`, of transient messages at the same broker just before. */
  readonly transientLatency?: Latencies
  /** A write of 4 KiB and its fdatasync, on a prefilled file beside the broker's data; before and after. */
  readonly syncLatency?: Latencies
  /** The same a millisecond after the last, about as often as the workload syncs: a disk that has rested takes longer. */
  readonly pacedSyncLatency?: Latencies
  readonly idle?: { readonly connections: number; readonly connectionSize: number; readonly openMs: number; readonly deliverMs: number }
  readonly backlog?: BacklogFigures
  readonly sums?: Sums
}

export interface BacklogFigures {
  readonly count: number
  /** Bytes of the broker before, with the backlog when the last message was confirmed, and the most it ever had. */
  readonly idleMemory: number
  readonly memory: number
  readonly memoryMax: number
  /** Bytes that the broker's directory takes with the backlog. */
  readonly disk: number
  /** From starting the broker again after SIGKILL to the first delivery. */
  readonly restartMs: number
}

export interface PeerDescription {
  readonly name: string
  readonly title: string
  readonly version: string
  readonly client: string
  readonly confirm?: string | undefined
  readonly durable?: { readonly confirm: string; readonly syncs: boolean } | undefined
}

export interface Results {
  readonly format: typeof resultsFormat
  readonly startedAt: string
  readonly commit?: string | undefined
  readonly machine: Record<string, string | number>
  readonly quick: boolean
  readonly runs: number
  readonly peers: readonly PeerDescription[]
  readonly absent: readonly string[]
  readonly measurements: readonly Measurement[]
}

export function readResults(file: string): Results {
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results
  if (results.format !== resultsFormat) throw new Error(`${file} is not a result of this bench (format ${String(results.format)})`)
  return results
}
