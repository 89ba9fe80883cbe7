/** The second thousand seeds: see simulation.test.ts. */
import t from 'tap'
import { testSeeds } from './seeds.js'

t.test('simulation - 1,000 more seeds find nothing, and everything happens in them', async (t) => {
  await testSeeds(t, 1_001, 1_000)
})
