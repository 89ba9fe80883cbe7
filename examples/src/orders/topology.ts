/**
 * Which queue gets which events:
 *
 *     orders (topic)  order.*.paid, order.*.paid.#, order.*.returned  →  billing
 *                     order.*.paid, order.*.paid.gift                 →  shipping
 *                     #                                               →  audit
 *                     order.*.created                                 →  screening
 *     screening (headers)  all of: amount large, country other        →  fraud
 *                          any of: 3 complaints, card reported        →  fraud
 *
 * `*` stands for one word, `#` for any number of them, none included. Two patterns that fit bring a message only once.
 */
import type { Connection } from '@waybill/client'
import type { QueueName, Shop } from './orders.js'

const patterns: readonly (readonly [QueueName, string])[] = [
  ['billing', 'order.*.paid'],
  ['billing', 'order.*.paid.#'],
  ['billing', 'order.*.returned'],
  ['shipping', 'order.*.paid'],
  ['shipping', 'order.*.paid.gift'],
  ['audit', '#'],
]

export async function declareShop(connection: Connection<Shop>): Promise<void> {
  await connection.declareExchange('orders', { type: 'topic' })
  await connection.declareExchange('screening', { type: 'headers', internal: true })
  for (const queue of ['billing', 'shipping', 'audit', 'fraud']) await connection.declareQueue(queue)

  for (const [queue, pattern] of patterns) await connection.bindQueue(queue, 'orders', pattern)
  await connection.bindExchange('screening', 'orders', 'order.*.created')
  await connection.bindQueue('fraud', 'screening', '', { match: 'all', headers: { amount: 'large', country: 'other' } })
  await connection.bindQueue('fraud', 'screening', '', { match: 'any', headers: { complaints: 3, cardReported: true } })
}
