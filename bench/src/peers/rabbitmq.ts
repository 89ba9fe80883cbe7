/**
 * RabbitMQ with amqplib: classic queues with transient messages, so that a confirm says what Waybill's says (the broker
 * has it in memory), and for durable workloads persistent messages in a durable classic queue or in a quorum queue of
 * one member. It runs from its own directory with its own epmd; an installed service is left alone.
 */
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, freePort } from '../broker-process.js'
import { namesIn } from '../files.js'
import { clientVersion } from './installed.js'
import type { Broker, Client, Layout, Peer, Sender, Sending, Take } from './peer.js'
import { RunningBroker } from './running-broker.js'
import { Window } from './window.js'

const exchangeTypes = { fanout: 'fanout', topic: 'topic' } as const
const prefetch = 1_000
/** Acknowledgements go out for many messages at once, as its own tools do. */
const ackEvery = 100
const ackAfterMs = 20

const common = {
  client: clientVersion('amqplib'),
  deliversEach: 'queue',
  acks: true,
  topics: true,
  aheadMax: 20_000,
  version: () => installation()?.version,
  start,
} as const

export const rabbitmq: Peer = {
  ...common,
  name: 'rabbitmq',
  title: 'RabbitMQ classic',
  transient: true,
  durable: { confirm: 'on the disk: its message store syncs in batches, after 200 ms or when idle', syncs: true },
  confirm: 'in memory: transient messages, classic queue',
  connect: (target) => clientOf(target, 'classic'),
}

export const rabbitmqQuorum: Peer = {
  ...common,
  name: 'rabbitmq-quorum',
  title: 'RabbitMQ quorum queue, one member',
  transient: false,
  durable: { confirm: 'on the disk: the write-ahead log of the queue has been synced', syncs: true },
  confirm: undefined,
  connect: (target) => clientOf(target, 'quorum'),
}

async function clientOf(target: string, queueType: 'classic' | 'quorum'): Promise<Client> {
  return new RabbitClient(await connect(target, { noDelay: true }), queueType)
}

/** Where packages put it; the folder's name tells the version without starting Erlang. */
function installation(): { version: string; command: string } | undefined {
  for (const root of ['/usr/lib/rabbitmq', '/usr/local/lib/rabbitmq', '/opt/rabbitmq']) {
    const version = namesIn(`${root}/lib`).flatMap((name) => /^rabbitmq_server-(\d+\.\d+\.\d+)/.exec(name)?.[1] ?? [])[0]
    if (version !== undefined) return { version, command: `${root}/lib/rabbitmq_server-${version}/sbin/rabbitmq-server` }
  }
  return undefined
}

async function start(directory: string): Promise<Broker> {
  const [port, distribution, epmdPort] = [await freePort(), await freePort(), await freePort()]
  const home = join(directory, 'rabbitmq')
  mkdirSync(home)
  writeFileSync(join(home, 'enabled_plugins'), '[].\n')
  const env = {
    HOME: home,
    ERL_EPMD_PORT: String(epmdPort),
    RABBITMQ_NODENAME: `bench${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(home, 'data'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_CONFIG_FILE: join(home, 'none'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(home, 'none'),
    RABBITMQ_CONF_ENV_FILE: join(home, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(home, 'pid'),
  }
  const names = await BrokerProcess.start({ command: 'epmd', args: ['-port', String(epmdPort)], directory, port: epmdPort, env })
  const { command } = installation() as { command: string }
  const broker = await RunningBroker.start(`amqp://guest:guest@127.0.0.1:${port}`, () =>
    BrokerProcess.start({ command, args: [], directory, port, env, readyMs: 600_000 }),
  )
  return {
    get pid() {
      return broker.pid
    },
    target: broker.target,
    kill: () => broker.kill(),
    startAgain: () => broker.startAgain(),
    async stop() {
      await broker.kill()
      await names.stop('SIGKILL')
    },
  }
}

class RabbitClient implements Client {
  readonly #connection: ChannelModel
  readonly #queueType: 'classic' | 'quorum'
  readonly #acking: { readonly channel: Channel; readonly flush: () => void }[] = []
  #control: Channel | undefined

  constructor(connection: ChannelModel, queueType: 'classic' | 'quorum') {
    this.#connection = connection
    this.#queueType = queueType
  }

  async declare(layout: Layout): Promise<void> {
    const channel = await this.#channel()
    const options = { durable: false, autoDelete: false }
    if (layout.kind === 'queue') {
      const kept = { durable: true, arguments: { 'x-queue-type': this.#queueType } }
      await channel.assertQueue(layout.queue, layout.durable ? kept : options)
      return
    }
    await channel.assertExchange(layout.exchange, exchangeTypes[layout.kind], options)
    for (const queue of layout.queues) await channel.assertQueue(queue, options)
    const bindings = layout.kind === 'topic' ? layout.bindings : layout.queues.map((_, queue) => ({ queue, pattern: '' }))
    await Promise.all(
      bindings.map((binding) => channel.bindQueue(layout.queues[binding.queue] as string, layout.exchange, binding.pattern)),
    )
  }

  async sender(layout: Layout, sending: Sending): Promise<Sender> {
    if (sending.confirm === 'none') {
      return new RabbitSender(await this.#connection.createChannel(), layout.kind === 'queue' ? '' : layout.exchange)
    }
    const channel = await this.#connection.createConfirmChannel()
    const [exchange, options] = layout.kind === 'queue' ? ['', { persistent: layout.durable }] : [layout.exchange, undefined]
    return new RabbitConfirmSender(channel, exchange, options, sending.confirm === 'window' ? sending.window : Number.POSITIVE_INFINITY)
  }

  async receive(layout: Layout, acks: boolean, take: Take): Promise<void> {
    const queues = layout.kind === 'queue' ? [layout.queue] : layout.queues
    // A channel for each queue of a fan-out spreads it over Erlang processes; a hundred of them cost more than they bring.
    const shared = layout.kind === 'fanout' ? undefined : await this.#channel()
    for (const [lane, queue] of queues.entries()) {
      const channel = shared ?? (await this.#connection.createChannel())
      if (acks) await channel.prefetch(prefetch)
      const settle = acks ? batchedAcks(channel) : undefined
      if (settle !== undefined) this.#acking.push({ channel, flush: settle.flush })
      await channel.consume(
        queue,
        (message) => {
          if (message === null) return
          take(lane, message.content)
          settle?.ack(message)
        },
        { noAck: !acks },
      )
    }
  }

  async left(layout: Layout): Promise<number> {
    return layout.kind === 'queue' ? (await (await this.#channel()).checkQueue(layout.queue)).messageCount : 0
  }

  async close(): Promise<void> {
    // The connection's close would overtake what a channel has still to send.
    for (const { channel, flush } of this.#acking) {
      flush()
      await channel.close()
    }
    await this.#connection.close()
  }

  async #channel(): Promise<Channel> {
    this.#control ??= await this.#connection.createChannel()
    return this.#control
  }
}

class RabbitSender implements Sender {
  full = false
  readonly #channel: Channel
  readonly #exchange: string

  constructor(channel: Channel, exchange: string) {
    this.#channel = channel
    this.#exchange = exchange
    channel.on('drain', () => {
      this.full = false
    })
  }

  send(key: string, body: Buffer): void {
    if (!this.#channel.publish(this.#exchange, key, body)) this.full = true
  }

  async ready(): Promise<void> {
    if (this.full) await new Promise<void>((resolve) => this.#channel.once('drain', resolve))
  }

  async publish(key: string, body: Buffer): Promise<void> {
    this.send(key, body)
  }

  async flush(): Promise<void> {
    await this.ready()
  }
}

/** Full while its window of unconfirmed messages is; ready again when half of it is confirmed, as Waybill's publisher. */
class RabbitConfirmSender implements Sender {
  readonly #channel: ConfirmChannel
  readonly #exchange: string
  readonly #options: { persistent: boolean } | undefined
  readonly #window: Window

  constructor(channel: ConfirmChannel, exchange: string, options: { persistent: boolean } | undefined, window: number) {
    this.#channel = channel
    this.#exchange = exchange
    this.#options = options
    this.#window = new Window(window)
  }

  send(key: string, body: Buffer): void {
    this.#window.sent()
    this.#channel.publish(this.#exchange, key, body, this.#options, this.#window.answered)
  }

  get full(): boolean {
    return this.#window.full
  }

  ready(): Promise<void> {
    return this.#window.ready()
  }

  publish(key: string, body: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#channel.publish(this.#exchange, key, body, this.#options, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  flush(): Promise<void> {
    return this.#window.empty()
  }
}

function batchedAcks(channel: Channel) {
  type Delivery = Parameters<Channel['ack']>[0]
  let last: Delivery | undefined
  let count = 0
  const flush = () => {
    if (last !== undefined) channel.ack(last, true)
    last = undefined
    count = 0
  }
  const ack = (delivery: Delivery) => {
    last = delivery
    if (++count === ackEvery) flush()
    else if (count === 1) setTimeout(flush, ackAfterMs)
  }
  return { ack, flush }
}
