/**
 * `npm run bench`: measures, shows and compares.
 *
 * Exit codes: 0; 1 when a sum does not agree or a measurement failed; 2 for a wrong command line.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runBench } from './bench.js'
import { compareResults } from './compare.js'
import { fullRounds, microReport } from './micro/micro.js'
import { type Options, parseOptions, usage } from './options.js'
import { reportOf } from './report.js'
import { type BacklogFigures, type Measurement, readResults } from './results.js'

async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args
  if (first === 'show' && rest.length === 1) return print(reportOf(readResults(rest[0] as string)))
  if (first === 'compare' && rest.length === 2) return print(compareResults(readResults(rest[0] as string), readResults(rest[1] as string)))
  if (first === 'micro') return print(microReport(rest[0] ?? '', fullRounds))
  let options: ReturnType<typeof parseOptions>
  try {
    options = parseOptions(args)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  return options === 'help' ? print(usage) : bench(options)
}

async function bench(options: Options): Promise<number> {
  const file = options.json ?? (options.quick ? undefined : defaultFile())
  const results = await runBench(options, (soFar, last) => {
    if (last === undefined && soFar.absent.length > 0) console.error(`not installed, left out: ${soFar.absent.join(', ')}`)
    if (last !== undefined) console.error(progressLine(last))
    if (file !== undefined && last !== undefined) save(file, `${JSON.stringify(soFar, undefined, 2)}\n`)
  })
  console.log(reportOf(results))
  if (file !== undefined) console.log(`\nresults: ${file}`)
  const failed = results.measurements.filter((one) => one.failure !== undefined)
  for (const one of failed) console.error(`\n${one.workload}, ${one.peer}, run ${one.run} failed: ${one.failure}`)
  return failed.length === 0 ? 0 : 1
}

function progressLine(one: Measurement): string {
  const name = `${one.workload.padEnd(20)} ${one.peer.padEnd(16)} run ${one.run}`
  if (one.failure !== undefined) return `${name}  FAILED: ${one.failure.split('\n')[0]}`
  if (one.backlog !== undefined) return `${name}  ${backlogLine(one.backlog, one.deliveredPerSecond ?? 0)}`
  if (one.confirmLatency !== undefined) {
    const { p50, p99, p999 } = one.confirmLatency
    return `${name}  confirm p50 ${p50} p99 ${p99} p99.9 ${p999} µs; 4 KiB write + fdatasync ${one.syncLatency?.p50} µs`
  }
  if (one.latency !== undefined) return `${name}  p50 ${one.latency.p50} p99 ${one.latency.p99} p99.9 ${one.latency.p999} µs`
  if (one.idle !== undefined) return `${name}  ${(one.idle.connectionSize / 1_024).toFixed(1)} KiB a connection`
  return `${name}  ${Math.round(one.deliveredPerSecond ?? 0).toLocaleString('en-US')} msg/s, broker ${(one.brokerCpuPerMillion ?? 0).toFixed(2)} s/M`
}

function backlogLine(backlog: BacklogFigures, perSecond: number): string {
  const megabytes = Math.round((backlog.memory - backlog.idleMemory) / 1e6)
  return `${megabytes} MB above idle, ${Math.round(backlog.restartMs)} ms to the first delivery, ${Math.round(perSecond).toLocaleString('en-US')} msg/s drained`
}

function defaultFile(): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '').replace('T', '-')
  return fileURLToPath(new URL(`../results/${time}.json`, import.meta.url))
}

function save(file: string, text: string): void {
  mkdirSync(dirname(resolve(file)), { recursive: true })
  writeFileSync(file, text)
}

function print(text: string): number {
  console.log(text)
  return 0
}

// The exit code is set and the process left to end by itself, so that nothing written is cut off.
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
  },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
