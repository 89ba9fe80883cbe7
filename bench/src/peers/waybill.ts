/**
 * Waybill with its own client, through its public surface alone. Unconfirmed messages go through a publisher without
 * confirms, like NATS core's; `publish()` is awaited where the workload says so. The broker is `waybill serve` as a
 * process of its own.
 */
import { type Connection, connect, type Message, type Publisher } from '@waybill/client'
import { fileURLToPath } from 'node:url'
import { BrokerProcess, freePort } from '../broker-process.js'
import { clientVersion } from './installed.js'
import type { Client, Layout, Peer, Sender, Sending, Take } from './peer.js'

const transient = { persistent: false } as const
const command = fileURLToPath(new URL('../../../packages/cli/dist/bin.js', import.meta.url))

export const waybill: Peer = {
  name: 'waybill',
  title: 'Waybill',
  client: clientVersion('@waybill/client'),
  deliversEach: 'queue',
  confirm: 'in memory: received by the broker and in its queue',
  acks: true,
  topics: true,
  aheadMax: Number.POSITIVE_INFINITY,
  version: () => clientVersion('@waybill/server').split(' ')[1],
  async start(directory) {
    const port = await freePort()
    const args = [...(process.env.BENCH_NODE_ARGS?.split(' ') ?? []), command, 'serve', '--host', '127.0.0.1', '--port', String(port)]
    const broker = await BrokerProcess.start({ command: process.execPath, args, directory, port })
    return { pid: broker.pid, target: `waybill://127.0.0.1:${port}`, stop: () => broker.stop() }
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
      await connection.declareQueue(layout.queue, { durable: false })
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
    return sending.confirm === 'each'
      ? new ConfirmedSender(this.#connection, exchange)
      : new WaybillSender(this.#connection.publisher(exchange, { confirm: false }))
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
      await this.#connection.consume(queue, handler, acks ? { ack: 'manual', prefetch: 1_000 } : { ack: 'none', prefetch: 16_000 })
    }
  }

  async close(): Promise<void> {
    await this.#connection.close({ timeoutMs: 1_000 })
  }
}

class WaybillSender implements Sender {
  readonly #publisher: Publisher

  constructor(publisher: Publisher) {
    this.#publisher = publisher
  }

  send(key: string, body: Buffer): void {
    this.#publisher.send(key, body, transient)
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

  constructor(connection: Connection, exchange: string) {
    this.#connection = connection
    this.#exchange = exchange
  }

  send(key: string, body: Buffer): void {
    void this.publish(key, body)
  }

  async ready(): Promise<void> {}

  publish(key: string, body: Buffer): Promise<unknown> {
    return this.#connection.publish(this.#exchange, key, body, transient)
  }

  async flush(): Promise<void> {}
}
