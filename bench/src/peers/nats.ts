/**
 * NATS core with its official client: no queues, no confirms, no acknowledgements; a message goes to whoever is
 * subscribed at that moment. `nats` is the server in the path, `nats2` a second one (another version) when
 * BENCH_NATS2 names it or `nats-server2` is in the path.
 */
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { BrokerProcess, freePort } from '../broker-process.js'
import { clientVersion, versionOf } from './installed.js'
import type { Client, Layout, Peer, Sender, Take } from './peer.js'
import { RunningBroker } from './running-broker.js'

export const nats = natsPeer('nats', 'NATS core', 'nats-server')
export const nats2 = natsPeer('nats2', 'NATS core, newer', process.env.BENCH_NATS2 ?? 'nats-server2')

function natsPeer(name: string, title: string, command: string): Peer {
  return {
    name,
    title,
    client: clientVersion('@nats-io/transport-node'),
    deliversEach: 'binding',
    transient: true,
    durable: undefined,
    confirm: undefined,
    acks: false,
    topics: true,
    aheadMax: Number.POSITIVE_INFINITY,
    version: () => versionOf(command, ['-v'], /v?(\d+\.\d+\.\d+)/),
    async start(directory) {
      const port = await freePort()
      const args = ['-a', '127.0.0.1', '-p', String(port)]
      return RunningBroker.start(`127.0.0.1:${port}`, () => BrokerProcess.start({ command, args, directory, port }))
    },
    connect: async (target) => new NatsClient(await connect({ servers: target, reconnect: false })),
  }
}

class NatsClient implements Client {
  readonly #connection: NatsConnection

  constructor(connection: NatsConnection) {
    this.#connection = connection
  }

  /** There is nothing to declare: subjects exist by being used. */
  async declare(): Promise<void> {}

  async sender(layout: Layout): Promise<Sender> {
    const connection = this.#connection
    const subject = layout.kind === 'fanout' ? layout.exchange : undefined
    const send = (key: string, body: Buffer) => connection.publish(subject ?? key, body)
    return { send, full: false, ready: async () => {}, publish: async (key, body) => send(key, body), flush: () => connection.flush() }
  }

  async receive(layout: Layout, _acks: boolean, take: Take): Promise<void> {
    subjectsOf(layout).forEach((subject, lane) => {
      this.#connection.subscribe(subject, {
        callback: (error, message) => {
          if (error !== null) throw error
          take(lane, message.data)
        },
      })
    })
    await this.#connection.flush()
  }

  /** Nothing is kept. */
  async left(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }
}

function subjectsOf(layout: Layout): string[] {
  if (layout.kind === 'queue') return [layout.queue]
  if (layout.kind === 'fanout') return layout.queues.map(() => layout.exchange)
  return layout.bindings.map((binding) => binding.pattern.replace(/#$/, '>'))
}
