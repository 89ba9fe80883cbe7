/**
 * `npm run sim -- --seed 17` runs one seed and says what happened; `--trace` prints everything that did.
 * `npm run sim -- --seeds 500` runs 500, from 1 or from `--seed` on, and stops at the first that fails.
 *
 *     --steps N    steps of the busy days, at least (2,500)
 *     --raw        raw peers only, no client package
 *     --all        go on behind a seed that fails, with one line for each
 *     --brief      one line for the seed that fails, and none if there is none
 *     --faults     plant the faults of faults.ts instead, and see each found
 */
import { parseArgs } from 'node:util'
import { simulate, type SimulationOptions, type SimulationReport, Tally } from '../../dist/sim/index.js'
import { ClientLife } from './client-life.js'
import { isFound, plantAll } from './faults.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2500' },
    trace: { type: 'boolean', default: false },
    raw: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    faults: { type: 'boolean', default: false },
  },
})

const linesMax = 80

void main()

async function main(): Promise<void> {
  if (values.faults) {
    plantFaults()
    return
  }
  const first = Number(values.seed)
  const count = Number(values.seeds)
  const tally = new Tally()
  let steps = 0
  const started = performance.now()
  for (let seed = first; seed < first + count; seed++) {
    const report = await simulate(optionsOf(seed, values.trace ? (line) => console.log(line) : undefined))
    tally.add(report.tally)
    steps += report.steps
    if (report.failure !== undefined && values.all) {
      console.log(`seed ${seed}, step ${report.steps}: ${report.failure.message.slice(0, 400)}`)
      process.exitCode = 1
    } else if (report.failure !== undefined) {
      if (values.brief) console.log(`seed ${seed}, step ${report.steps}: ${report.failure.message}`)
      else await fail(report)
      process.exitCode = 1
      return
    }
  }
  if (values.brief) return
  const seconds = (performance.now() - started) / 1000
  for (const [kind, times] of tally.entries()) console.log(`${String(times).padStart(10)} ${kind}`)
  console.log(`${count} seeds, ${steps} steps, ${seconds.toFixed(1)} s, ${Math.round(steps / seconds)} steps/s`)
}

function plantFaults(): void {
  for (const found of plantAll()) {
    const { fault, seed, check, message } = found
    const how = seed === undefined ? 'NOT found' : `seed ${String(seed).padEnd(3)} ${check}`
    console.log(`${isFound(found) ? '✓' : '✗'} ${fault.room.padEnd(26)} ${fault.what.padEnd(66)} ${how}`)
    if (isFound(found)) continue
    console.log(`    ${message}`)
    process.exitCode = 1
  }
}

function optionsOf(seed: number, print: ((line: string) => void) | undefined): SimulationOptions {
  return {
    seed,
    stepsMin: Number(values.steps),
    ...(values.raw ? {} : { makePeer: (world, number) => new ClientLife(world, number) }),
    ...(print === undefined ? {} : { print }),
  }
}

/** Runs it once more, to tell the end of it frame by frame. */
async function fail({ seed, steps, timeMs, failure }: SimulationReport): Promise<void> {
  if (!values.trace) {
    const lines: string[] = []
    await simulate(optionsOf(seed, (line) => lines.push(line)))
    for (const line of lines.slice(-linesMax)) console.log(line)
  }
  console.log(
    `\nseed ${seed} failed in step ${steps}, ${Math.round(timeMs)} ms\n${failure!.message}\n\nagain: npm run sim -- --seed ${seed}`,
  )
  process.exitCode = 1
}
