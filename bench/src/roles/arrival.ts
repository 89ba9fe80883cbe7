/** How a consumer ends: it waits for what is still to come, goes, and looks what it left behind. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BodyReader } from '../body.js'
import type { Client, Layout, Peer } from '../peers/peer.js'

/** Without a delivery for this long, what is missing counts as lost. */
const quietMs = 5_000
/** Some brokers count what was acknowledged a moment later. */
const countedMs = 5_000

/** Resolves when so many have come, or nothing has for a while. */
export async function arrived(reader: BodyReader, expected: number): Promise<void> {
  let count = -1
  for (let quiet = 0; reader.count < expected && quiet < quietMs; quiet += 10) {
    if (reader.count !== count) quiet = 0
    count = reader.count
    await sleep(10)
  }
}

/** Closes the client, so that acknowledgements have been told and what was not acknowledged is back; then counts. */
export async function leftAfter(client: Client, peer: Peer, target: string, layout: Layout): Promise<number> {
  await client.close()
  const other = await peer.connect(target)
  let left = await other.left(layout)
  for (const until = Date.now() + countedMs; left > 0 && Date.now() < until; left = await other.left(layout)) await sleep(50)
  await other.close()
  return left
}
