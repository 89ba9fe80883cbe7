/** Part four: many questions at once to two services; questions that fail over there; a question to nobody. */
import { connect, RemoteError, WaybillError } from '@waybill/client'
import type { Quote, QuoteRequest } from '../rpc/prices.js'
import type { Stage } from './stage.js'
import type { Sum } from './sums.js'

const roundCount = 10
/** One round, and what it costs in all, worked out by hand: stamps 7,880, postcards 11,820, parcels 53,190, crates 246,250. */
const round: readonly QuoteRequest[] = ['stamp', 'postcard', 'parcel', 'crate'].flatMap((item) =>
  [1, 10, 100].map((pieces) => ({ item, pieces })),
)
const roundCents = 319_140
const nonsense: readonly QuoteRequest[] = Array.from({ length: 12 }, (_, i) => ({ item: 'unicorn', pieces: i + 1 }))

export async function rpcPart(stage: Stage): Promise<Sum> {
  const services = [await stage.start('rpc/quotes.js'), await stage.start('rpc/quotes.js')]
  const connection = await connect(stage.broker, { name: 'asking' })
  stage.closeLater(() => connection.close())
  const ask = async (request: QuoteRequest) => (await connection.request<Quote>('', 'quotes', request)).body

  const questions = Array.from({ length: roundCount }, () => round).flat()
  const [quotes, failures] = await Promise.all([
    Promise.all(questions.map(async (question) => ({ question, quote: await ask(question) }))),
    Promise.all(nonsense.map((question) => ask(question).then(() => undefined, errorOf))),
  ])

  const start = performance.now()
  const nobody = await connection.request('', 'weather', { town: 'Delft' }).then(() => undefined, errorOf)
  const waitedMs = performance.now() - start

  const rightQuotes = quotes.filter(({ question, quote }) => question.item === quote.item && question.pieces === quote.pieces)
  const answering = new Set(quotes.map(({ quote }) => quote.by)).size
  for (const service of services) await service.stop()
  stage.say(`${answering} services shared the questions; asking nobody failed after ${waitedMs.toFixed(0)} ms: ${nobody?.message}`)
  return {
    part: 'rpc',
    equal: [
      { asked: questions.length, answered: rightQuotes.length },
      { 'cents quoted': quotes.reduce((sum, { quote }) => sum + quote.cents, 0), 'by hand': roundCount * roundCents },
      { 'asked in vain': nonsense.length, 'told why': failures.filter((error) => error instanceof RemoteError).length },
      { 'asked nobody': 1, 'failed at once': isUnroutable(nobody) && waitedMs < 1_000 ? 1 : 0 },
    ],
  }
}

function isUnroutable(error: unknown): boolean {
  return error instanceof WaybillError && error.code === 'UNROUTABLE'
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
