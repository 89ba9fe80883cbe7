/**
 * One day in the shop: events go out, four services count what reaches them, and the day ends when the last has seen all.
 *
 * The broker may be killed meanwhile. Then some events have no confirm, and are sent again; some deliveries come again. An event is
 * known by its message id, and each service counts it once.
 */
import type { Channel, Connection, Message } from '@waybill/client'
import { headersOf, keyOf, type OrderEvent, type QueueName, queueNames, type Shop } from './orders.js'

/** How often each key reached each queue. */
export type Grid = ReadonlyMap<string, Readonly<Record<QueueName, number>>>

export interface TradeOptions {
  /** Told of each delivery, those that come again too; the service waits for it before it is done with the message. */
  readonly onDelivery?: (message: Message<OrderEvent | 'closing'>) => Promise<void>
}

export async function tradeForADay(connection: Connection<Shop>, events: readonly OrderEvent[], options: TradeOptions = {}): Promise<Grid> {
  for (const queue of queueNames) await connection.purgeQueue(queue) // what somebody left there yesterday
  const grid = new Map<string, Record<QueueName, number>>()
  const count = (queue: QueueName, key: string) => {
    const row = grid.get(key) ?? { billing: 0, shipping: 0, audit: 0, fraud: 0 }
    grid.set(key, { ...row, [queue]: row[queue] + 1 })
  }
  const services = queueNames.map((queue) => serveUntilClosing(connection, queue, (key) => count(queue, key), options))
  await Promise.all([...services, publishAll(connection, events)])
  return grid
}

/** A service: here it only counts. One handler at a time, so `closing` is seen after all that came before it. */
async function serveUntilClosing(
  channel: Channel<Shop>,
  queue: QueueName,
  count: (key: string) => void,
  { onDelivery }: TradeOptions,
): Promise<void> {
  const counted = new Set<string | undefined>()
  let close = () => {}
  const closing = new Promise<void>((resolve) => {
    close = resolve
  })
  const consumer = await channel.consume(queue, async (message) => {
    await onDelivery?.(message)
    const { messageId } = message.properties
    if (message.body === 'closing') close()
    else if (!counted.has(messageId)) count(message.routingKey)
    counted.add(messageId)
  })
  await closing
  await consumer.close()
}

/** Sends without waiting for each event, a few ahead of the broker. Once the broker has them all, what is sent to a queue comes behind them. */
async function publishAll(channel: Channel<Shop>, events: readonly OrderEvent[]): Promise<void> {
  const publisher = channel.publisher('orders', { window: 20 })
  const sent = new Map<number, OrderEvent>()
  let uncertain: OrderEvent[] = []
  publisher.on('refused', ({ sequence, error }) => {
    if (error.stored === 'no' && !error.retryable) throw error
    uncertain.push(sent.get(sequence)!)
  })
  const send = async (some: readonly OrderEvent[]) => {
    for (const event of some) {
      if (publisher.full) await publisher.ready()
      sent.set(publisher.send(keyOf(event), event, { headers: headersOf(event), messageId: `order-${event.order}` }), event)
    }
  }
  await send(events)
  await publisher.flush()
  while (uncertain.length > 0) {
    const again = uncertain
    uncertain = []
    await send(again)
    await publisher.flush()
  }
  await publisher.close()
  for (const queue of queueNames) await channel.sendToQueue(queue, 'closing')
}
