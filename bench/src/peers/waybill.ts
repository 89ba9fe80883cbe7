/**
 * Waybill with its own client, through its public surface alone. Unconfirmed messages go through a publisher without
 * confirms, like NATS core's; `publish()` is awaited where the workload says so, and a window of confirms is the
 * publisher's own. The broker is `waybill serve` as a process of its own, with a data directory in every workload, as
 * it runs by default: transient messages do not touch it.
 */
import { type Connection, connect, type Message, type Publisher, type PublishOptions } from '@waybill/client'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BrokerProcess, freePort } from '../broker-process.js'
import { clientVersion } from './installed.js'
import type { Client, Layout, Peer, Sender, Sending, Take } from './peer.js'
import { RunningBroker } from './running-broker.js'

const transient = { persistent: false } as const
const prefetch = 1_000
/** The count is the limit of every window here, so that bytes may never be. */
const windowSizeMax = 512 * 2 ** 20
const command = fileURLToPath(new URL('../../../packages/cli/dist/bin.js', import.meta.url))

export const waybill: Peer = {
  name: 'waybill',
  title: 'Waybill',
  client: clientVersion('@waybill/client'),
  deliversEach: 'queue',
  transient: true,
  durable: { confirm: 'on the disk: fdatasync has returned', syncs: true },
  confirm: 'in memory: received by the broker and in its queue',
  acks: true,
  topics: true,
  aheadMax: Number.POSITIVE_INFINITY,
  version: () => clientVersion('@waybill/server').split(' ')[1],
  async start(directory) {
    const port = await freePort()
    const serve = ['serve', '--host', '127.0.0.1', '--port', String(port), '--data', join(directory, 'data')]
    const args = [...(process.env.BENCH_NODE_ARGS?.split(' ') ?? []), command, ...serve]
    return RunningBroker.start(`waybill://127.0.0.1:${port}`, () =>
      BrokerProcess.start({ command: process.execPath, args, directory, port }),
    )
  },
  connect: async (target) => new WaybillClient(await connect(target, { recovery: false })),
}

class WaybillClient implements Client {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async declare(layout: Layout): Promise<void> {
    const connection = this.#connection
    if (layout.kind === 'queue') {
      const { durable } = await connection.declareQueue(layout.queue, { durable: layout.durable })
      if (durable !== layout.durable) throw new Error(`a durable queue was asked for, and '${layout.queue}' is not`)
      return
    }
    await connection.declareExchange(layout.exchange, { type: layout.kind, durable: false })
    for (const queue of layout.queues) await connection.declareQueue(queue, { durable: false })
    const bindings = layout.kind === 'topic' ? layout.bindings : layout.queues.map((_, queue) => ({ queue, pattern: '' }))
    await Promise.all(
      bindings.map((binding) => connection.bindQueue(layout.queues[binding.queue] as string, layout.exchange, binding.pattern)),
    )
  }

  async sender(layout: Layout, sending: Sending): Promise<Sender> {
    const exchange = layout.kind === 'queue' ? '' : layout.exchange
    const persistent = layout.kind === 'queue' && layout.durable
    if (sending.confirm === 'each') return new ConfirmedSender(this.#connection, exchange, persistent)
    const window = { window: sending.window, sizeMax: windowSizeMax }
    const publisher = this.#connection.publisher(exchange, sending.confirm === 'window' ? window : { confirm: false })
    return new WaybillSender(publisher, persistent)
  }

  async receive(layout: Layout, acks: boolean, take: Take): Promise<void> {
    const queues = layout.kind === 'queue' ? [layout.queue] : layout.queues
    for (const [lane, queue] of queues.entries()) {
      const handler = acks
        ? (message: Message) => {
            take(lane, message.content)
            message.ack()
          }
        : (message: Message) => take(lane, message.content)
      const manual = { ack: 'manual', prefetch, prefetchSize: windowSizeMax } as const
      await this.#connection.consume(queue, handler, acks ? manual : { ack: 'none', prefetch: 16_000 })
    }
  }

  async left(layout: Layout): Promise<number> {
    return layout.kind === 'queue' ? (await this.#connection.checkQueue(layout.queue)).messageCount : 0
  }

  async close(): Promise<void> {
    await this.#connection.close({ timeoutMs: 1_000 })
  }
}

class WaybillSender implements Sender {
  readonly #publisher: Publisher
  readonly #properties: typeof transient | undefined

  constructor(publisher: Publisher, persistent: boolean) {
    this.#publisher = publisher
    this.#properties = persistent ? undefined : transient
  }

  send(key: string, body: Buffer): void {
    this.#publisher.send(key, body, this.#properties)
  }

  get full(): boolean {
    return this.#publisher.full
  }

  ready(): Promise<void> {
    return this.#publisher.ready()
  }

  async publish(key: string, body: Buffer): Promise<void> {
    this.send(key, body)
  }

  flush(): Promise<void> {
    return this.#publisher.flush()
  }
}

class ConfirmedSender implements Sender {
  readonly full = false
  readonly #connection: Connection
  readonly #exchange: string
  readonly #options: PublishOptions

  constructor(connection: Connection, exchange: string, persistent: boolean) {
    this.#connection = connection
    this.#exchange = exchange
    this.#options = persistent ? { confirm: 'synced' } : transient
  }

  send(key: string, body: Buffer): void {
    void this.publish(key, body)
  }

  async ready(): Promise<void> {}

  publish(key: string, body: Buffer): Promise<unknown> {
    return this.#connection.publish(this.#exchange, key, body, this.#options)
  }

  async flush(): Promise<void> {}
}
