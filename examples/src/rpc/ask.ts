/**
 * Asks for a price.
 *
 *     node examples/dist/rpc/ask.js [--broker waybill://localhost:7670] [--item parcel] [--pieces 12]
 */
import { connect } from '@waybill/client'
import { options, run } from '../program.js'
import type { Quote } from './prices.js'

async function main(): Promise<void> {
  const { broker, item, pieces } = options({ broker: 'waybill://localhost:7670', item: 'parcel', pieces: '12' })
  const connection = await connect(broker, { name: 'ask' })
  try {
    const { body } = await connection.request<Quote>('', 'quotes', { item, pieces: Number(pieces) }, { timeoutMs: 2_000 })
    console.log(`${body.pieces} x ${body.item}: ${(body.cents / 100).toFixed(2)}`)
  } finally {
    await connection.close()
  }
}

run(main)
