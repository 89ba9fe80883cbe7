/**
 * `npm run torture`: real faults on the real broker process, with a ledger that knows what was promised.
 *
 *     npm run torture                        each fault, once through (about ten minutes)
 *     npm run torture -- --minutes 60        again and again, for so long
 *     npm run torture -- --only kill         those whose name has this in it
 *     npm run torture -- --seed 7 --short    the same choices as that run; few of each
 *
 * It ends with a table: each fault, how often it struck, and what was lost (nothing). The exit code is 1 if anything is not as it was promised.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { faults } from './faults/index.mjs'
import { Random } from './random.mjs'
import { Closing } from './scenario.mjs'
import { tableLines, total } from './table.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    short: { type: 'boolean', default: false },
    events: { type: 'boolean', default: false },
  },
})

const seed = Number(values.seed ?? Date.now() % 1_000_000)
const minutes = Number(values.minutes ?? 0)
const until = performance.now() + minutes * 60_000
const wanted = (values.only ?? '').split(',')
const chosen = faults.filter(({ name }) => wanted.some((word) => name.includes(word)))
if (!Number.isSafeInteger(seed) || !(minutes >= 0) || chosen.length === 0) {
  console.error(`--seed and --minutes are numbers, --only is one of ${faults.map(({ name }) => `'${name}'`).join(', ')}, or a part of it`)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-torture-'))
const closing = new Closing()
closing.add(() => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => closing.run().then(() => process.exit(130)))
}

console.log(`seed ${seed}`)
const random = new Random(seed)
const rows = []
try {
  for (let round = 1; round === 1 || performance.now() < until; round++) {
    for (const fault of chosen) {
      if (round > 1 && performance.now() >= until) break
      const context = { folder, random: random.fork(), round, closing, flags: [], showEvents: values.events }
      const why = fault.skip?.()
      const row =
        why === undefined ? await fault.run(context, values.short ? fault.amountShort : fault.amount) : { name: fault.name, skipped: why }
      rows.push(row)
      console.log(tableLines([row]).at(-1))
      for (const problem of row.ledger?.problems ?? []) console.log(`    ${problem}`)
      for (const note of row.notes ?? []) console.log(`    ${note}`)
    }
  }
} finally {
  await closing.run()
}

const sums = total(rows)
console.log(`\n${tableLines(sums).join('\n')}\n`)
const isGood = sums.every((row) => row.skipped !== undefined || row.isGood)
console.log(isGood ? `nothing was lost (seed ${seed})` : `NOT as it was promised (seed ${seed})`)
process.exitCode = isGood ? 0 : 1
