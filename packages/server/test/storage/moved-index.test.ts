import assert from 'node:assert'
import t from 'tap'
import { MovedIndex } from '../../dist/storage/moved-index.js'
import { forSeeds } from '../seeds.js'

t.test('moved index - every block that may hold a message is found', async (t) => {
  const index = new MovedIndex()
  index.add(700, 9_120, 3)
  index.add(1, 1, 7)
  index.add(702, 760, 9)
  t.same(index.find(1, 1), [7])
  t.same(index.find(710, 720), [3, 9], 'ranges may overlap')
  t.same(index.find(9_000, 9_200), [3], 'a long range is found behind shorter ones')
  t.same(index.find(2, 699), [])
  t.same(index.find(9_121, Number.MAX_SAFE_INTEGER), [])
})

t.test('moved index - what is gone is not found any more', async (t) => {
  const index = new MovedIndex()
  for (let i = 0; i < 100; i++) index.add(i * 10, i * 10 + 9, i + 1)
  index.forget((position) => position <= 50)
  t.equal(index.count, 50)
  t.same(index.find(0, 499), [])
  t.same(index.find(495, 505), [51])
})

t.test('moved index - agrees with a list that is searched from end to end', async (t) => {
  await forSeeds(t, 20, (random, seed) => {
    const index = new MovedIndex()
    let naive: { first: number; last: number; position: number }[] = []
    for (let step = 0; step < 400; step++) {
      if (random.chance(0.01)) {
        const gone = random.below(step + 1)
        index.forget((position) => position < gone)
        naive = naive.filter(({ position }) => position >= gone)
      }
      const first = random.below(1_000)
      const last = first + random.below(random.chance(0.05) ? 500 : 20)
      index.add(first, last, step)
      naive.push({ first, last, position: step })
      const from = random.below(1_000)
      const to = from + random.below(50)
      const expected = naive.filter((range) => range.first <= to && range.last >= from).map(({ position }) => position)
      assert.deepEqual(index.find(from, to), expected, `seed ${seed}, step ${step}: ids ${from} to ${to}`)
    }
    assert.equal([...index.marks()].length, naive.length)
  })
})
