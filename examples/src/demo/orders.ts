/** Part three: order events by topic and by headers; the grid shows which key reached which queue. */
import { connect } from '@waybill/client'
import { wants } from '../orders/expected.js'
import { printed, total } from '../orders/grid.js'
import { makeEvents, queueNames, type Shop } from '../orders/orders.js'
import { declareShop } from '../orders/topology.js'
import { tradeForADay } from '../orders/trade.js'
import type { Stage } from './stage.js'
import type { Sum } from './sums.js'

const eventCount = 200

export async function ordersPart(stage: Stage): Promise<Sum> {
  const connection = await connect<Shop>(stage.broker, { name: 'shop' })
  stage.closeLater(() => connection.close())
  await declareShop(connection)
  const events = [...makeEvents(eventCount)]
  const grid = await tradeForADay(connection, events)

  for (const line of printed(grid)) stage.say(line)
  const delivered = queueNames.map((queue) => total(grid, queue))
  const expected = queueNames.map((queue) => events.filter(wants[queue]).length)
  return {
    part: 'orders',
    told: { published: events.length },
    equal: [
      { delivered: sumOf(delivered), expected: sumOf(expected) },
      { 'queues as expected': delivered.filter((count, i) => count === expected[i]).length, 'in all': queueNames.length },
    ],
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
