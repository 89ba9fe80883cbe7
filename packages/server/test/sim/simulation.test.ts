/**
 * 200 whole lives of a broker, each from a number: clients of both kinds, strangers, misdeeds, a bad network. The checkers must find
 * nothing, and everything that can happen must have happened somewhere.
 */
import t from 'tap'
import { kinds, simulate, type SimulationReport, Tally } from '../../dist/sim/index.js'
import { clientActions, ClientLife } from './client-life.js'

const seedCount = 200
const stepsMin = 2_000
const replayed = process.env.WAYBILL_SEED === undefined ? undefined : Number(process.env.WAYBILL_SEED)

const run = (seed: number): Promise<SimulationReport> =>
  simulate({ seed, stepsMin, makePeer: (world, number) => new ClientLife(world, number) })

/** Also to be seen: what the broker ends connections for, what messages come to, what clients go through. */
const outcomes = [
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
  'refused unroutable',
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

t.test('simulation - 200 seeds of at least 2,000 steps find nothing, and everything happens in them', async (t) => {
  const seeds = replayed === undefined ? Array.from({ length: seedCount }, (_, i) => i + 1) : [replayed]
  const tally = new Tally()
  let steps = 0
  for (const seed of seeds) {
    const report = await run(seed)
    tally.add(report.tally)
    steps += report.steps
    if (report.failure !== undefined) {
      for (const line of report.lastLines) t.comment(line)
      t.comment(`seed ${seed}, step ${report.steps}; run it again: npm run sim -- --seed ${seed} --steps ${stepsMin}`)
      t.fail(report.failure.message)
      return
    }
    if (report.steps < stepsMin) t.fail(`seed ${seed} came to rest after ${report.steps} steps`)
  }
  t.comment(`${seeds.length} seeds, ${steps} steps`)
  for (const [kind, count] of tally.entries()) t.comment(`${count} ${kind}`)
  if (replayed !== undefined) return
  const wanted = [...kinds, ...clientActions.map((action) => `client ${action}`), ...outcomes]
  t.same(
    wanted.filter((kind) => tally.of(kind) === 0),
    [],
    'everything happens',
  )
})

t.test('simulation - the same seed is the same run, to the last byte', async (t) => {
  const [first, again, other] = [await run(7), await run(7), await run(8)]
  t.equal(again.hash, first.hash)
  t.equal(again.steps, first.steps)
  t.same(again.tally.entries(), first.tally.entries())
  t.not(other.hash, first.hash)
})
