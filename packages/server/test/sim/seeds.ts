/**
 * Whole lives of a broker, each from a number: clients of both kinds, strangers, misdeeds, a bad network, a bad disk, one process after another. The
 * checkers must find nothing, everything that can happen must have happened somewhere, and everything that goes wrong often.
 */
import type { Test } from 'tap'
import { kinds, simulate, type SimulationReport, Tally } from '../../dist/sim/index.js'
import { clientActions, ClientLife } from './client-life.js'
import { exactShare, faultKinds, faultTable, stepsMin } from './table.js'

/** Busy days and their end together. */
const stepsLeast = 2_000
/** Faults that have done something, in a seed. */
const faultsOfSeed = 3
/** Of each kind of fault, in a thousand seeds. */
const faultsLeast = 50
/** Of the queues that are there in the end. */
const exactShareLeast = 0.85
const replayed = process.env.WAYBILL_SEED === undefined ? undefined : Number(process.env.WAYBILL_SEED)

/** Also to be seen: what the broker ends connections for, what messages come to, what clients go through. */
const outcomes: readonly string[] = [
  'deliveries',
  'redeliveries',
  'deliveries without settlement',
  'ended by frameMalformed',
  'ended by frameTimeout',
  'ended by frameTooLarge',
  'ended by frameUnexpected',
  'ended by handshakeTimeout',
  'ended by heartbeatTimeout',
  'ended by outboxStalled',
  'messages acked',
  'messages deleted',
  'messages lost',
  'messages purged',
  'messages rejected',
  'messages sent',
  'queues expired',
  'reads in place',
  'refused creditExceeded',
  'refused forbidden',
  'refused levelUnavailable',
  'refused messageMalformed',
  'refused notFound',
  'refused propertyUnsupported',
  'refused storageFailed',
  'refused unroutable',
  'restarts',
  'log segment-dropped',
  'log snapshot-saved',
  'log storage-recovered',
  'openings compared',
  'openings that failed',
  'told blocked',
  'told unblocked',
  'told cancelled',
  'told draining',
  'told channelUnknown',
  'told sequenceUnexpected',
  'told tagUnknown',
  'client status reconnecting',
  'client status blocked',
]

export const run = (seed: number): Promise<SimulationReport> =>
  simulate({ seed, stepsMin, makePeer: (world, number) => new ClientLife(world, number) })

/** Runs the seeds from `first` on; or the one of WAYBILL_SEED. */
export async function testSeeds(t: Test, first: number, count: number): Promise<void> {
  const seeds = replayed === undefined ? Array.from({ length: count }, (_, i) => first + i) : [replayed]
  const tally = new Tally()
  const { stackTraceLimit } = Error
  if (replayed === undefined) Error.stackTraceLimit = 0
  let steps = 0
  for (const seed of seeds) {
    const report = await run(seed)
    tally.add(report.tally)
    steps += report.steps
    if (report.failure !== undefined) {
      for (const line of report.lastLines) t.comment(line)
      t.comment(`seed ${seed}, step ${report.steps}; run it again: npm run sim -- --seed ${seed}`)
      t.fail(report.failure.message)
      break
    }
    if (report.steps < stepsLeast) t.fail(`seed ${seed} came to rest after ${report.steps} steps`)
    if (report.faultCount < faultsOfSeed) t.fail(`in seed ${seed} only ${report.faultCount} faults have done something`)
  }
  Error.stackTraceLimit = stackTraceLimit
  t.comment(`${seeds.length} seeds, ${steps} steps`)
  for (const [kind, times] of tally.entries()) t.comment(`${times} ${kind}`)
  for (const line of faultTable(tally, seeds.length)) t.comment(line)
  if (replayed !== undefined) return
  const wanted = [...kinds, ...clientActions.map((action) => `client ${action}`), ...outcomes]
  t.same(
    wanted.filter((kind) => tally.of(kind) === 0),
    [],
    'everything happens',
  )
  t.same(
    faultKinds.filter((kind) => tally.of(kind) < faultsLeast),
    [],
    'everything goes wrong often',
  )
  t.ok(exactShare(tally) >= exactShareLeast, `the counters of most queues are compared exactly: ${exactShare(tally)}`)
}
