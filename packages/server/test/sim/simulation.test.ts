/** The first thousand seeds, and that a seed is a run. The second thousand are in a file of their own, so that two processors have something to do. */
import t from 'tap'
import { run, testSeeds } from './seeds.js'

t.test('simulation - 1,000 seeds of at least 2,000 steps and three faults find nothing, and everything happens in them', async (t) => {
  await testSeeds(t, 1, 1_000)
})

t.test('simulation - the same seed is the same run, to the last byte', async (t) => {
  const [first, again, other] = [await run(7), await run(7), await run(8)]
  t.equal(again.hash, first.hash)
  t.equal(again.steps, first.steps)
  t.same(again.tally.entries(), first.tally.entries())
  t.not(other.hash, first.hash)
})
