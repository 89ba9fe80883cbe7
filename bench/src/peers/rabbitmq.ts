/**
 * RabbitMQ with amqplib: classic queues, transient messages, so that a confirm says what Waybill's says (the broker
 * has it in memory). It runs from its own directory with its own epmd; an installed service is left alone.
 */
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, freePort } from '../broker-process.js'
import { namesIn } from '../files.js'
import { clientVersion } from './installed.js'
import type { Client, Layout, Peer, Sender, Sending, Take } from './peer.js'

const exchangeTypes = { fanout: 'fanout', topic: 'topic' } as const
const prefetch = 1_000
/** Acknowledgements go out for many messages at once, as its own tools do. */
const ackEvery = 100
const ackAfterMs = 20

export const rabbitmq: Peer = {
  name: 'rabbitmq',
  title: 'RabbitMQ classic',
  client: clientVersion('amqplib'),
  deliversEach: 'queue',
  confirm: 'in memory: transient messages, classic queue',
  acks: true,
  topics: true,
  aheadMax: 20_000,
  version: () => installation()?.version,
  start,
  connect: async (target) => new RabbitClient(await connect(target, { noDelay: true })),
}

/** Where packages put it; the folder's name tells the version without starting Erlang. */
function installation(): { version: string; command: string } | undefined {
  for (const root of ['/usr/lib/rabbitmq', '/usr/local/lib/rabbitmq', '/opt/rabbitmq']) {
    const version = namesIn(`${root}/lib`).flatMap((name) => /^rabbitmq_server-(\d+\.\d+\.\d+)/.exec(name)?.[1] ?? [])[0]
    if (version !== undefined) return { version, command: `${root}/lib/rabbitmq_server-${version}/sbin/rabbitmq-server` }
  }
  return undefined
}

async function start(directory: string) {
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
  const broker = await BrokerProcess.start({
    command: (installation() as { command: string }).command,
    args: [],
    directory,
    port,
    env,
    readyMs: 60_000,
  })
  return {
    pid: broker.pid,
    target: `amqp://guest:guest@127.0.0.1:${port}`,
    async stop() {
      await broker.stop('SIGKILL')
      await names.stop('SIGKILL')
    },
  }
}

class RabbitClient implements Client {
  readonly #connection: ChannelModel
  #control: Channel | undefined

  constructor(connection: ChannelModel) {
    this.#connection = connection
  }

  async declare(layout: Layout): Promise<void> {
    const channel = await this.#channel()
    const options = { durable: false, autoDelete: false }
    if (layout.kind === 'queue') {
      await channel.assertQueue(layout.queue, options)
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
    const channel = sending.confirm === 'each' ? await this.#connection.createConfirmChannel() : await this.#connection.createChannel()
    return new RabbitSender(channel, layout.kind === 'queue' ? '' : layout.exchange)
  }

  async receive(layout: Layout, acks: boolean, take: Take): Promise<void> {
    const queues = layout.kind === 'queue' ? [layout.queue] : layout.queues
    // A channel for each queue of a fan-out spreads it over Erlang processes; a hundred of them cost more than they bring.
    const shared = layout.kind === 'fanout' ? undefined : await this.#channel()
    for (const [lane, queue] of queues.entries()) {
      const channel = shared ?? (await this.#connection.createChannel())
      if (acks) await channel.prefetch(prefetch)
      const settle = acks ? batchedAcks(channel) : undefined
      await channel.consume(
        queue,
        (message) => {
          if (message === null) return
          take(lane, message.content)
          settle?.(message)
        },
        { noAck: !acks },
      )
    }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async #channel(): Promise<Channel> {
    this.#control ??= await this.#connection.createChannel()
    return this.#control
  }
}

class RabbitSender implements Sender {
  full = false
  readonly #channel: Channel | ConfirmChannel
  readonly #exchange: string

  constructor(channel: Channel | ConfirmChannel, exchange: string) {
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

  publish(key: string, body: Buffer): Promise<void> {
    const channel = this.#channel as ConfirmChannel
    return new Promise((resolve, reject) => {
      channel.publish(this.#exchange, key, body, undefined, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  async flush(): Promise<void> {
    await this.ready()
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
  return (delivery: Delivery) => {
    last = delivery
    if (++count === ackEvery) flush()
    else if (count === 1) setTimeout(flush, ackAfterMs)
  }
}
