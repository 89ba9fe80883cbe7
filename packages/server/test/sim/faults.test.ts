// Planted faults: that each can still be planted, that the README lists them, and that some of them are found. All: npm run sim -- --faults
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { faults, isFound, occurrences, plantAll } from './faults.js'

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

t.test('faults - the simulation finds those that are planted, by the checks that are there for them', async (t) => {
  const quick = faults.filter(({ room }) =>
    ['queues, lane', 'queues, dispatch', 'session, confirms', 'session, confirm', 'queues, after a restart', 'storage, pins'].includes(
      room,
    ),
  )
  for (const found of plantAll(quick)) t.ok(isFound(found), `${found.fault.room}: ${found.check}`)
})
