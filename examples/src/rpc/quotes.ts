/**
 * Answers price questions. What the handler returns is the reply; what it throws reaches the one who asked as an error.
 * Start several: the questions are shared among them.
 *
 *     node examples/dist/rpc/quotes.js [--broker waybill://localhost:7670]
 */
import { connect } from '@waybill/client'
import { options, run, whenAsked } from '../program.js'
import { priceOf, type Quote, type QuoteRequest } from './prices.js'

async function main(): Promise<void> {
  const { broker } = options({ broker: 'waybill://localhost:7670' })
  const connection = await connect(broker, { name: 'quotes' })
  // Questions live no longer than somebody waits for the answer: the queue goes with the last service.
  await connection.declareQueue('quotes', { durable: false, autoDelete: true })
  await connection.respond<QuoteRequest>(
    'quotes',
    ({ body }): Quote => ({ item: body.item, pieces: body.pieces, cents: priceOf(body), by: process.pid }),
    { concurrency: 16 },
  )
  whenAsked(() => connection.close({ timeoutMs: 5_000 }))
  console.log('answering price questions')
}

run(main)
