import t from 'tap'
import { Deliveries } from '../../dist/demo/repeats.js'

t.test('repeats - a message that comes again and says so is right, one that does not is not', async (t) => {
  const deliveries = new Deliveries()
  deliveries.add('1', false)
  deliveries.add('2', true)
  deliveries.add('1', true)
  t.match(deliveries, { count: 3, repeatCount: 1, rightCount: 3 })
  deliveries.add('1', false)
  t.match(deliveries, { count: 4, repeatCount: 2, rightCount: 3 })
})
