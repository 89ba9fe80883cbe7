// The planted faults: that each can still be planted, that the list in the README is theirs, and that planting one works. All: node scripts/faults.mjs
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { faults } from '../faults.mjs'
import { root } from '../prepare.mjs'

const readText = (path) => readFileSync(join(root, path), 'utf8')

t.test('faults - each can be planted, one in a room, and stands in the README of the tests', async (t) => {
  t.ok(faults.length >= 12)
  t.equal(new Set(faults.map(({ room }) => room)).size, faults.length)
  for (const { room, file, find, put, test } of faults) {
    t.ok(readText(file).includes(find) && find !== put, `${room}: ${file} has ${find}`)
    t.ok(existsSync(join(root, test)), test)
  }
  const rows = [...readText('docs/tests.md').matchAll(/^\| `([^`]+)` \| ([^|]+) \| `([^`]+)` \|$/gm)].map(([, ...row]) => row)
  t.same(
    rows,
    faults.map(({ room, what, test }) => [room, what, test]),
  )
})

t.test('faults - one that is planted is caught by its test', async (t) => {
  const { stdout, status } = spawnSync(process.execPath, ['scripts/faults.mjs', 'server/auth'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  })
  t.match(stdout, /^✓ server\/auth +guessing is free once more +caught by packages\/server\/test\/auth\/throttle\.test\.ts\n$/)
  t.equal(status, 0)
})
