/** The runner counts what tap printed: were it wrong, a failing test could pass unseen. */
import t from 'tap'
import { readTap } from '../tap.mjs'

const counts = ({ passed, failed, skipped }) => ({ passed, failed, skipped })

t.test('tap - leaves are counted, the points that sum them up are not', async (t) => {
  const result = readTap(`TAP version 14
# Subtest: outer
    # Subtest: inner
        ok 1 - first
        ok 2 - second
        1..2
    ok 1 - inner # time=1.2ms
    ok 2 - third
    1..2
ok 1 - outer # time=3ms
ok 2 - alone
1..2
# { total: 4, pass: 4 }
`)
  t.same(counts(result), { passed: 4, failed: 0, skipped: 0 })
})

t.test('tap - a failure keeps its path and its own diagnosis', async (t) => {
  const result = readTap(`# Subtest: outer
    not ok 1 - is one
      ---
      diff: |
        ok 1 - not a point
      ...
    ok 2 - is two
    1..2
not ok 1 - outer # time=3ms
  ---
  at: elsewhere
  ...
`)
  t.same(counts(result), { passed: 1, failed: 1, skipped: 0 })
  t.same(
    result.failures.map(({ name, lines }) => ({ name, lines })),
    [{ name: 'outer › is one', lines: ['diff: |', '  ok 1 - not a point'] }],
  )
})

t.test('tap - a test that fails though its leaves passed is a failure', async (t) => {
  const result = readTap('# Subtest: outer\n    ok 1 - fine\n    1..1\nnot ok 1 - outer\n')
  t.same(counts(result), { passed: 1, failed: 1, skipped: 0 })
})

t.test('tap - skipped tests are counted apart, one at a time or the whole file', async (t) => {
  t.same(counts(readTap('ok 1 - here # SKIP no python3\nnot ok 2 - later # TODO\n1..2\n')), { passed: 0, failed: 0, skipped: 2 })
  t.same(counts(readTap('1..0 # no python3\n')), { passed: 0, failed: 0, skipped: 1 })
})

t.test('tap - a file that tested nothing counts nothing', async (t) => {
  t.same(counts(readTap('')), { passed: 0, failed: 0, skipped: 0 })
  t.same(counts(readTap('1..0 # no tests found\n')), { passed: 0, failed: 0, skipped: 0 })
})

t.test('tap - the comments of a failing test are kept, those of a passing one are not', async (t) => {
  const result = readTap(`# Subtest: good
    # seed 1
    ok 1 - fine
ok 1 - good
# Subtest: bad
    # seed 2
    # replay: WAYBILL_SEED=2 npm test
    not ok 1 - wrong
not ok 2 - bad
`)
  t.same(result.comments, ['seed 2', 'replay: WAYBILL_SEED=2 npm test'])
})

t.test('tap - the comments of a test that never ended are kept', async (t) => {
  t.same(readTap('# Subtest: stuck\n    # seed 3\n    ok 1 - so far\n').comments, ['seed 3'])
})

t.test('tap - bailing out is a failure', async (t) => {
  t.same(counts(readTap('ok 1 - fine\nBail out! no disk\n')), { passed: 1, failed: 1, skipped: 0 })
})
