/** A consumer of 'work' at a fake broker, and what becomes of its messages. */
import type { ConsumeOptions, Message } from '@waybill/client'
import { Collected } from './collect.js'
import { FakeBroker } from './fake-broker.js'

interface Entry {
  level: string
  event: string
  [key: string]: unknown
}

export async function consuming(handler: (message: Message) => unknown, options: ConsumeOptions = {}) {
  const broker = new FakeBroker()
  const log = new Collected<Entry>()
  const connection = await broker.connect({ log: log.add as never })
  const consumer = await connection.consume('work', handler, options)
  /** What has been settled, as `tag outcome` or `first-last outcome`. */
  const settled = (): string[] =>
    broker.peer
      .of('SETTLE')
      .flatMap(({ entries }) => entries)
      .map(({ firstTag, count, outcome }) => `${count === 1 ? firstTag : `${firstTag}-${firstTag + count - 1}`} ${outcome}`)
  return { broker, connection, consumer, log, settled, clock: broker.clock }
}
