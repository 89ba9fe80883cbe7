/** One day in the shop: events go out, four services count what reaches them, and the day ends when the last has seen all. */
import type { Channel, Connection } from '@waybill/client'
import { headersOf, keyOf, type OrderEvent, type QueueName, queueNames, type Shop } from './orders.js'

/** How often each key reached each queue. */
export type Grid = ReadonlyMap<string, Readonly<Record<QueueName, number>>>

export async function tradeForADay(connection: Connection<Shop>, events: Iterable<OrderEvent>): Promise<Grid> {
  for (const queue of queueNames) await connection.purgeQueue(queue) // what somebody left there yesterday
  const grid = new Map<string, Record<QueueName, number>>()
  const count = (queue: QueueName, key: string) => {
    const row = grid.get(key) ?? { billing: 0, shipping: 0, audit: 0, fraud: 0 }
    grid.set(key, { ...row, [queue]: row[queue] + 1 })
  }
  const services = queueNames.map((queue) => serveUntilClosing(connection, queue, (key) => count(queue, key)))
  await Promise.all([...services, publishAll(connection, events)])
  return grid
}

/** A service: here it only counts. One handler at a time, so `closing` is seen after all that came before it. */
async function serveUntilClosing(channel: Channel<Shop>, queue: QueueName, count: (key: string) => void): Promise<void> {
  let close = () => {}
  const closing = new Promise<void>((resolve) => {
    close = resolve
  })
  const consumer = await channel.consume(queue, (message) => {
    if (message.body === 'closing') close()
    else count(message.routingKey)
  })
  await closing
  await consumer.close()
}

/** Sends without waiting for each event. Once the broker has them all, what is sent to a queue comes behind them. */
async function publishAll(channel: Channel<Shop>, events: Iterable<OrderEvent>): Promise<void> {
  const publisher = channel.publisher('orders')
  for (const event of events) {
    if (publisher.full) await publisher.ready()
    publisher.send(keyOf(event), event, { headers: headersOf(event) })
  }
  await publisher.flush()
  await publisher.close()
  for (const queue of queueNames) await channel.sendToQueue(queue, 'closing')
}
