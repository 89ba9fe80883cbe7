import t from 'tap'
import { priceOf } from '../../dist/rpc/prices.js'

t.test('prices - more pieces are cheaper', async (t) => {
  const parcels = (pieces: number) => priceOf({ item: 'parcel', pieces })
  t.same([1, 9, 10, 99, 100].map(parcels), [540, 4860, 5130, 50_787, 47_520])
})

t.test('prices - what is not sold, and no number of pieces, is an error that says so', async (t) => {
  t.throws(() => priceOf({ item: 'unicorn', pieces: 1 }), /we do not sell a unicorn; there are stamp, postcard, parcel, crate/)
  t.throws(() => priceOf({ item: 'constructor', pieces: 1 }), /we do not sell/)
  for (const pieces of [0, -1, 1.5, Number.NaN]) t.throws(() => priceOf({ item: 'stamp', pieces }), /not a number of pieces/)
})
