/**
 * A day in a shop: order events go to a topic exchange, and each service gets those that it cares for. Prints which key
 * reached which queue how often.
 *
 *     node examples/dist/orders/main.js [--broker waybill://localhost:7670] [--count 200]
 */
import { connect } from '@waybill/client'
import { options, run } from '../program.js'
import { printed } from './grid.js'
import { makeEvents, type Shop } from './orders.js'
import { declareShop } from './topology.js'
import { tradeForADay } from './trade.js'

async function main(): Promise<void> {
  const { broker, count } = options({ broker: 'waybill://localhost:7670', count: '200' })
  const connection = await connect<Shop>(broker, { name: 'shop' })
  try {
    await declareShop(connection)
    for (const line of printed(await tradeForADay(connection, [...makeEvents(Number(count))]))) console.log(line)
  } finally {
    await connection.close()
  }
}

run(main)
