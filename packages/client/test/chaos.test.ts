/**
 * The client, the broker, and a network between them that cuts connections and bytes as a seed says.
 *
 * Whatever happens: every confirmed message is delivered, nothing is invented or damaged, and with 'resend' the first deliveries of
 * one publisher come in the order sent.
 */
import { type Connection, connect } from '@waybill/client'
import { createBroker } from '@waybill/server'
import { type AddressInfo, connect as dial, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'

/** Numbers that look random and depend on the seed alone (mulberry32). */
function randomOf(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Passes bytes on in pieces of any size, and cuts each connection after a while. */
async function badNetwork(t: Test, port: number, random: () => number, state: { isBad: boolean; cuts: number }): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = dial(port, '127.0.0.1')
    let left = 2_000 + random() * 200_000
    const cut = (): void => {
      near.destroy()
      far.destroy()
    }
    const pass = (from: Socket, to: Socket): void => {
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', cut)
      from.on('data', (bytes) => {
        left -= bytes.length
        if (state.isBad && left < 0) {
          state.cuts++
          // What was under way arrives in part.
          to.write(bytes.subarray(0, Math.floor(random() * bytes.length)), cut)
          return
        }
        for (let at = 0; at < bytes.length; ) {
          const size = 1 + Math.floor(random() * (random() < 0.1 ? 5 : 60_000))
          to.write(bytes.subarray(at, at + size))
          at += size
        }
      })
    }
    near.setNoDelay(true)
    far.setNoDelay(true)
    pass(near, far)
    pass(far, near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const count = 2_000
const replayed = process.env.WAYBILL_SEED
const seeds = replayed === undefined ? [1, 2, 3, 4] : [Number(replayed)]

for (const seed of seeds) {
  t.test(`chaos - nothing confirmed is lost, nothing is invented, order is kept (WAYBILL_SEED=${seed})`, async (t) => {
    const random = randomOf(seed)
    const state = { isBad: true, cuts: 0 }
    const broker = await createBroker({ listen: { host: '127.0.0.1', port: 0 }, log: 'none' })
    t.teardown(() => broker.close({ graceMs: 0 }))
    const port = await badNetwork(t, (broker.address as AddressInfo).port, random, state)
    const join = (options: object): Promise<Connection> =>
      connect(`waybill://127.0.0.1:${port}`, {
        log: () => {},
        recovery: { backoffMs: 5, backoffMaxMs: 50 },
        connectTimeoutMs: 30_000,
        ...options,
      })
    const setup = await connect(broker, { log: () => {} })
    await setup.declareQueue('work')

    const [resending, rejecting, worker] = [await join({ unconfirmed: 'resend' }), await join({}), await join({})]
    const firsts: Record<string, number[]> = { resent: [], retried: [] }
    const seen: Record<string, Set<number>> = { resent: new Set(), retried: new Set() }
    let damaged = 0
    const padding = (n: number): string => 'x'.repeat((n * 7_919) % (n % 50 === 0 ? 20_000 : 300))
    await worker.consume(
      'work',
      async (message) => {
        const { from, n, text } = message.body as { from: string; n: number; text: string }
        await new Promise((resolve) => setImmediate(resolve))
        if (text !== padding(n) || n < 0 || n >= count) damaged++
        else if (!seen[from].has(n)) {
          seen[from].add(n)
          firsts[from].push(n)
        }
      },
      { concurrency: 1, prefetch: 200 },
    )

    const publisher = resending.publisher('', { window: 200 })
    const resent = (async () => {
      for (let n = 0; n < count; n++) {
        if (publisher.full) await publisher.ready()
        publisher.send('work', { from: 'resent', n, text: padding(n) })
      }
      await publisher.flush()
    })()
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < count) {
        const n = next++
        for (;;) {
          try {
            await rejecting.sendToQueue('work', { from: 'retried', n, text: padding(n) })
            break
          } catch {
            // Unknown or not stored: it is published until it is confirmed.
          }
        }
      }
    }
    const retried = Promise.all(Array.from({ length: 50 }, lane))
    await Promise.all([resent, retried])
    state.isBad = false
    while (seen.resent.size < count || seen.retried.size < count) await new Promise((resolve) => setTimeout(resolve, 5))

    t.ok(state.cuts > 5, `${state.cuts} connections were cut`)
    t.equal(damaged, 0)
    t.same(
      firsts.resent,
      Array.from({ length: count }, (_, i) => i),
      'in the order sent',
    )
    await Promise.all([resending.close(), rejecting.close(), worker.close()])
    const { messageCount, unsettledCount } = await setup.checkQueue('work')
    t.same([messageCount, unsettledCount], [0, 0], 'and everything was settled')
    await setup.close()
  })
}
