/** A connection to a fake broker that can be lost and come back, with what it says of itself. */
import type { Status } from '@waybill/client'
import { Collected } from './collect.js'
import { FakeBroker, settle } from './fake-broker.js'

type Entry = { level: string; event: string; [key: string]: unknown }

export async function connected(options: object = {}) {
  const broker = new FakeBroker()
  const log = new Collected<Entry>()
  const connection = await broker.connect({ log: log.add as never, ...options })
  const statuses = new Collected<Status>()
  connection.on('status', statuses.add)
  /** Loses the connection and lets it come back. */
  const reconnect = async (): Promise<void> => {
    const count = broker.peers.length
    broker.peer.reset()
    await broker.clock.advance(200)
    await broker.connections(count + 1)
    await settle()
  }
  return { broker, connection, statuses, log, reconnect, clock: broker.clock }
}
