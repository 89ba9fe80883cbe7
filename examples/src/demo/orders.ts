/** Part three: order events by topic and by headers, while the broker is killed; the grid shows which key reached which queue. */
import { connect } from '@waybill/client'
import { wants } from '../orders/expected.js'
import { printed, total } from '../orders/grid.js'
import { makeEvents, queueNames, type Shop } from '../orders/orders.js'
import { declareShop } from '../orders/topology.js'
import { tradeForADay } from '../orders/trade.js'
import { Deliveries } from './repeats.js'
import type { Stage } from './stage.js'
import type { Sum } from './sums.js'

const eventCount = 200
/** The delivery over which the broker is killed. */
const crashAt = 150

export async function ordersPart(stage: Stage): Promise<Sum> {
  const connection = await connect<Shop>(stage.broker, { name: 'shop', log: () => {} })
  stage.closeLater(() => connection.close())
  await declareShop(connection)
  const events = [...makeEvents(eventCount)]
  const deliveries = new Deliveries()
  let awayMs = 0
  const grid = await tradeForADay(connection, events, {
    onDelivery: async ({ queue, id, redelivered }) => {
      deliveries.add(`${queue} ${id}`, redelivered)
      // The service is not done with this one when the broker ends.
      if (deliveries.count === crashAt) awayMs = await stage.crashBroker()
    },
  })

  for (const line of printed(grid)) stage.say(line)
  stage.say(
    `the broker was killed (-9) at noon and back after ${awayMs} ms; ${deliveries.repeatCount} deliveries came again, and counted once`,
  )
  const delivered = queueNames.map((queue) => total(grid, queue))
  const expected = queueNames.map((queue) => events.filter(wants[queue]).length)
  return {
    part: 'orders',
    told: { published: events.length },
    equal: [
      { delivered: sumOf(delivered), expected: sumOf(expected) },
      { 'with repeats': deliveries.count, 'new or flagged': deliveries.rightCount },
      { 'queues as expected': delivered.filter((count, i) => count === expected[i]).length, 'in all': queueNames.length },
    ],
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
