// Planted faults: that each can still be planted, that the README lists them, that those of what is kept are found, and some of the others. All: npm run sim -- --faults
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { faults, faultsOfKeeping, isFound, occurrences, plantAll } from './faults.js'

t.test('faults - each has one place to be planted, in a room of its own, and stands in the README', async (t) => {
  t.ok(faults.length >= 12)
  t.equal(new Set(faults.map(({ room }) => room)).size, faults.length)
  for (const fault of faults) t.equal(occurrences(fault), 1, `${fault.file}: ${fault.find}`)
  const readme = readFileSync(fileURLToPath(new URL('../../test/README.md', import.meta.url)), 'utf8')
  const rows = [...readme.matchAll(/^\| ([^|]+) \| ([^|]+) \| `[^`]+` \|$/gm)].map(([, room, what]) => [room, what])
  t.same(
    rows,
    faults.map(({ room, what }) => [room, what]),
  )
})

t.test(
  'faults - the simulation finds each that is planted where something is kept, within 2,000 seeds, by the checks that are there for it',
  async (t) => {
    t.ok(faultsOfKeeping.length >= 10)
    for (const found of plantAll(faultsOfKeeping)) {
      const { fault, seed, check } = found
      t.ok(isFound(found), `${fault.room}: seed ${seed}, ${check}`)
      t.comment(`${fault.room}: seed ${seed}, ${check}`)
    }
  },
)

t.test('faults - the simulation finds some of the others; npm run sim -- --faults looks for all', async (t) => {
  const quick = faults.filter(({ room }) => ['queues, lane', 'queues, dispatch', 'session, confirms'].includes(room))
  for (const found of plantAll(quick)) t.ok(isFound(found), `${found.fault.room}: ${found.check}`)
})
