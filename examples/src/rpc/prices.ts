/** What things cost, and how a price is asked for. */

export interface QuoteRequest {
  readonly item: string
  readonly pieces: number
}

export interface Quote extends QuoteRequest {
  readonly cents: number
  /** Which of the services answered. */
  readonly by: number
}

const centsOf = new Map([
  ['stamp', 80],
  ['postcard', 120],
  ['parcel', 540],
  ['crate', 2500],
])

/** 5 % off from ten pieces on, 12 % from a hundred on. */
export function priceOf({ item, pieces }: QuoteRequest): number {
  const cents = centsOf.get(item)
  if (cents === undefined) throw new Error(`we do not sell a ${item}; there are ${[...centsOf.keys()].join(', ')}`)
  if (!Number.isInteger(pieces) || pieces < 1) throw new Error(`not a number of pieces: ${pieces}`)
  const percent = pieces >= 100 ? 88 : pieces >= 10 ? 95 : 100
  return Math.round((cents * pieces * percent) / 100)
}
