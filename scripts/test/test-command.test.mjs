// `npm test` itself: what it prints when all is well, and what when it is not.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../prepare.mjs'

/** Runs the tests of these files; `preload` is loaded into every process first. */
function run(files, preload) {
  const env = { ...process.env, ...(preload === undefined ? {} : { NODE_OPTIONS: `--require ${preload}` }) }
  const { stdout, status } = spawnSync(process.execPath, ['scripts/test.mjs', ...files], {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout: 120_000,
  })
  return { lines: stdout.trimEnd().split('\n'), status }
}

const two = ['packages/protocol/test/text.test.ts', 'scripts/test/tap.test.mjs']

t.test('test command - a line for each package, the sum in the last one, and 0', async (t) => {
  const { lines, status } = run(two)
  t.equal(lines.length, 3, lines.join('\n'))
  t.match(lines[0], /^protocol +\d+ passed +\d+\.\d s$/)
  t.match(lines[1], /^workspace +\d+ passed +\d+\.\d s$/)
  t.match(lines[2], /^\d+ passed, 0 failed$/)
  t.equal(status, 0)
})

t.test('test command - a failure shows what it said, and the command that runs it again, and 1', async (t) => {
  const folder = t.testdir({ 'break.cjs': "if (process.argv[1]?.endsWith('tap.test.mjs')) throw new Error('broken on purpose')" })
  const { lines, status } = run(two, join(folder, 'break.cjs'))
  t.match(lines[0], /^protocol +\d+ passed/)
  t.match(lines[1], /^workspace +0 passed, 1 failed/)
  t.match(lines.join('\n'), /Error: broken on purpose[\s\S]*run it again: npm test -- scripts\/test\/tap\.test\.mjs/)
  t.match(lines.at(-1), /^\d+ passed, 1 failed$/)
  t.equal(status, 1)
})

t.test('test command - a name that no test has is said, and 1', async (t) => {
  t.equal(run(['packages/protocol/test/no-such.test.ts']).status, 1)
})
