/** The orders of a shop that sells in two regions, what happens to them, and how an event is addressed. */
import type { Headers } from '@waybill/client'

export const regions = ['eu', 'us'] as const
export const happenings = ['created', 'paid', 'shipped', 'returned'] as const
export type Region = (typeof regions)[number]
export type Happening = (typeof happenings)[number]
export type OrderKey = `order.${Region}.${Happening}` | `order.${Region}.paid.gift`

export interface OrderEvent {
  readonly order: number
  readonly region: Region
  readonly happening: Happening
  readonly gift: boolean
  readonly cents: number
  /** Where the parcel goes and where the card comes from, as two letters each. */
  readonly country: string
  readonly cardCountry: string
  /** How often this customer has complained that somebody else ordered. */
  readonly complaints: number
  readonly cardReported: boolean
}

export interface Shop {
  exchanges: { orders: Record<OrderKey, OrderEvent> }
  /** The last thing in a queue at the end of the day is the word `closing`. */
  queues: Record<QueueName, OrderEvent | 'closing'>
}
export const queueNames = ['billing', 'shipping', 'audit', 'fraud'] as const
export type QueueName = (typeof queueNames)[number]

export function keyOf(event: OrderEvent): OrderKey {
  const { region, happening, gift } = event
  return happening === 'paid' && gift ? `order.${region}.paid.gift` : `order.${region}.${happening}`
}

/** What the fraud rules look at. They compare for equality, so the amount travels as a size. */
export function headersOf(event: OrderEvent): Headers {
  return {
    amount: event.cents >= 50_000 ? 'large' : 'small',
    country: event.country === event.cardCountry ? 'same' : 'other',
    complaints: event.complaints,
    cardReported: event.cardReported,
  }
}

/** The same events at every run: enough variety for each rule to say yes and no. */
export function* makeEvents(count: number): Generator<OrderEvent> {
  const countries = { eu: ['DE', 'FR', 'PL'], us: ['US', 'US', 'MX'] } as const
  let random = 20_260_517
  const below = (limit: number) => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((random / 2 ** 32) * limit)
  }
  for (let order = 1; order <= count; order++) {
    const region = regions[below(2)]!
    const happening = happenings[below(4)]!
    const country = countries[region][below(3)]!
    yield {
      order,
      region,
      happening,
      gift: below(3) === 0,
      cents: 500 + below(100_000),
      country,
      cardCountry: below(4) === 0 ? 'BR' : country,
      complaints: below(10) === 0 ? 3 : 0,
      cardReported: below(20) === 0,
    }
  }
}
