/**
 * Who should get an event, said in plain conditions on the event itself: no keys, no patterns, no headers. What the broker
 * delivers is held against this.
 */
import type { OrderEvent, QueueName } from './orders.js'

export const wants: Readonly<Record<QueueName, (event: OrderEvent) => boolean>> = {
  billing: ({ happening }) => happening === 'paid' || happening === 'returned',
  shipping: ({ happening }) => happening === 'paid',
  audit: () => true,
  fraud: ({ happening, cents, country, cardCountry, complaints, cardReported }) =>
    happening === 'created' && ((cents >= 50_000 && country !== cardCountry) || complaints === 3 || cardReported),
}
