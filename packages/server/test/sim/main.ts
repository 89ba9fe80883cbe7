/**
 * `npm run sim -- --seed 17` runs one seed and says what happened; `--trace` prints everything that did.
 * `npm run sim -- --seeds 500` runs 500, from 1 or from `--seed` on, and says what they had in common, and which failed.
 *
 *     --steps N      steps of the busy days, at least (1,700)
 *     --raw          raw peers only, no client package
 *     --workers N    processes that share the seeds (as many as there are processors)
 *     --brief        one line for the first seed that fails, and none if there is none
 *     --faults       plant the faults of faults.ts instead, and see each found; with --room NAME those of such rooms
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { simulate, type SimulationOptions, Tally } from '../../dist/sim/index.js'
import { ClientLife } from './client-life.js'
import { isFound, plantAll, faults } from './faults.js'
import { type Failed, runMany, type Share } from './many.js'
import { faultTable, stepsMin } from './table.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    stride: { type: 'string', default: '1' },
    steps: { type: 'string', default: String(stepsMin) },
    workers: { type: 'string', default: String(availableParallelism()) },
    trace: { type: 'boolean', default: false },
    raw: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    faults: { type: 'boolean', default: false },
    room: { type: 'string', default: '' },
  },
})

const linesMax = 80
const failedMax = 20

void main()

async function main(): Promise<void> {
  if (values.faults) plantFaults()
  else if (values.json) console.log(JSON.stringify(await runShare(Infinity)))
  else if (values.brief) await runBriefly()
  else if (Number(values.seeds) === 1) await runOne(Number(values.seed))
  else await runAll()
}

/** The seeds of this process, until so many have failed. */
async function runShare(failuresMax: number): Promise<Share> {
  // Errors are many, and their stacks cost more than they. Who wants to see one runs its seed alone.
  Error.stackTraceLimit = 0
  const tally = new Tally()
  const failed: Failed[] = []
  let steps = 0
  let stepsLeast = Infinity
  let seedCount = 0
  for (; seedCount < Number(values.seeds) && failed.length < failuresMax; seedCount++) {
    const seed = Number(values.seed) + seedCount * Number(values.stride)
    const report = await simulate(optionsOf(seed))
    tally.add(report.tally)
    steps += report.steps
    if (report.failure === undefined) stepsLeast = Math.min(stepsLeast, report.steps)
    else failed.push({ seed, step: report.steps, check: report.failure.check, message: report.failure.message })
  }
  return { seedCount, steps, stepsLeast, tally: tally.entries(), failed }
}

async function runBriefly(): Promise<void> {
  const { failed } = await runShare(1)
  for (const { seed, step, message } of failed) console.log(`seed ${seed}, step ${step}: ${message}`)
  if (failed.length > 0) process.exitCode = 1
}

async function runAll(): Promise<void> {
  const started = performance.now()
  const options = { first: Number(values.seed), count: Number(values.seeds), steps: Number(values.steps), workers: Number(values.workers) }
  const { seedCount, steps, tally, failed } = await runMany({ ...options, raw: values.raw })
  const seconds = (performance.now() - started) / 1000
  for (const [kind, times] of tally.entries()) console.log(`${String(times).padStart(10)} ${kind}`)
  for (const line of faultTable(tally, seedCount)) console.log(line)
  console.log(
    `${seedCount} seeds, ${steps} steps, ${seconds.toFixed(1)} s, ${Math.round(steps / seconds)} steps/s, ${failed.length} failed`,
  )
  for (const { seed, step, message } of failed.slice(0, failedMax)) console.log(`seed ${seed}, step ${step}: ${message.slice(0, 400)}`)
  if (failed.length === 0) return
  console.log(`again: npm run sim -- --seed ${failed[0]!.seed}`)
  process.exitCode = 1
}

/** Says what happened in one seed, or how it failed. */
async function runOne(seed: number): Promise<void> {
  const lines: string[] = []
  const print = values.trace
    ? (line: string) => console.log(line)
    : (line: string) => void (lines.push(line) > 4 * linesMax && lines.splice(0, linesMax))
  const report = await simulate({ ...optionsOf(seed), print })
  const { failure, tally, steps, timeMs } = report
  if (failure === undefined) {
    for (const [kind, times] of tally.entries()) console.log(`${String(times).padStart(10)} ${kind}`)
    console.log(`seed ${seed}, ${steps} steps, ${Math.round(timeMs)} ms`)
    return
  }
  for (const line of lines.slice(-linesMax)) console.log(line)
  console.log(
    `\nseed ${seed} failed in step ${steps}, ${Math.round(timeMs)} ms\n${failure.message}\n\nagain: npm run sim -- --seed ${seed}`,
  )
  process.exitCode = 1
}

function plantFaults(): void {
  for (const found of plantAll(faults.filter(({ room }) => room.includes(values.room)))) {
    const { fault, seed, check, message } = found
    const how = seed === undefined ? 'NOT found' : `seed ${String(seed).padEnd(4)} ${check}`
    console.log(`${isFound(found) ? '✓' : '✗'} ${fault.room.padEnd(26)} ${fault.what.padEnd(66)} ${how}`)
    if (isFound(found)) continue
    console.log(`    ${message}`)
    process.exitCode = 1
  }
}

function optionsOf(seed: number): SimulationOptions {
  return {
    seed,
    stepsMin: Number(values.steps),
    ...(values.raw ? {} : { makePeer: (world, number) => new ClientLife(world, number) }),
  }
}
