/** A random test that fails has to say how to see it again. */
import t, { type Test } from 'tap'
import { forSeeds } from './seeds.js'

t.test('seeds - a failure shows its seed and the command that replays it, and fails the test', async (t) => {
  const said: string[] = []
  const test = { comment: (text: string) => said.push(text), pass: () => {} } as unknown as Test
  let drawn = 0
  const run = forSeeds(test, 10, (random, seed) => {
    drawn = random.next()
    if (seed === 3) throw new Error('broken on purpose')
  })
  await t.rejects(run, { message: 'broken on purpose' })
  t.equal(said.length, 1)
  t.match(said[0], /^seed 3; run it again: WAYBILL_SEED=3 npm test -- .*seeds\.test\.js$/)
  t.ok(drawn > 0 && drawn < 1)
})

t.test('seeds - the same seed draws the same numbers, another one others', async (t) => {
  const draws: number[][] = []
  const quiet = { comment: () => {}, pass: () => {} } as unknown as Test
  for (let i = 0; i < 2; i++) await forSeeds(quiet, 2, (random) => void draws.push([random.next(), random.next()]))
  t.same(draws[0], draws[2])
  t.same(draws[1], draws[3])
  t.notSame(draws[0], draws[1])
})
