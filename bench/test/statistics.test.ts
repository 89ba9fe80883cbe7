import t from 'tap'
import { median, percentile } from '../dist/statistics.js'

t.test('statistics - the median of an odd count is the middle one, of an even count the mean of the middle two', async (t) => {
  t.equal(median([9, 1, 5]), 5)
  t.equal(median([4, 1, 3, 2]), 2.5)
  t.ok(Number.isNaN(median([])))
})

t.test('statistics - a percentile is the smallest value that so many do not exceed', async (t) => {
  const values = Array.from({ length: 1_000 }, (_, index) => index + 1)
  t.equal(percentile(values, 50), 500)
  t.equal(percentile(values, 99), 990)
  t.equal(percentile(values, 99.9), 999)
  t.equal(percentile([7], 99.9), 7)
  t.ok(Number.isNaN(percentile([], 50)))
})
