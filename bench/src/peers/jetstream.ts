/**
 * NATS JetStream with its official client: a stream in files with the retention of a work queue, so that what is
 * acknowledged is gone as from a queue, and one consumer with explicit acknowledgements. By default its files are
 * synced every two minutes; `sync_interval: always` syncs before each answer (servers from 2.10 on have it). Of the
 * servers that are installed the newest runs.
 */
import { AckPolicy, type JetStreamClient, jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, freePort } from '../broker-process.js'
import { clientVersion, versionOf } from './installed.js'
import type { Client, Durable, Layout, Peer, Sender, Sending, Take } from './peer.js'
import { RunningBroker } from './running-broker.js'
import { Window } from './window.js'

const consumerName = 'bench'
const prefetch = 1_000
/** For an answer to a publish; its default of 5 s is for an idle disk. */
const answerMsMax = 30_000
/** A thousand messages of 64 KiB are more than the default of 64 MiB, and whoever has more coming is cut off. */
const pendingSizeMax = 256 * 2 ** 20
/** Where `sync_interval` can be said. */
const alwaysFrom = [2, 10]

export const jetstreamDefault = jetstreamPeer('jetstream', 'NATS JetStream', '2m', {
  confirm: 'in the page cache: written to the file of the stream, which is synced every 2 minutes',
  syncs: false,
})

export const jetstreamAlways = jetstreamPeer('jetstream-always', 'NATS JetStream, sync_interval: always', 'always', {
  confirm: 'on the disk: the file of the stream has been synced',
  syncs: true,
})

function jetstreamPeer(name: string, title: string, sync: '2m' | 'always', durable: Durable): Peer {
  return {
    name,
    title,
    client: clientVersion('@nats-io/jetstream'),
    deliversEach: 'queue',
    transient: false,
    durable,
    confirm: undefined,
    acks: true,
    topics: false,
    aheadMax: Number.POSITIVE_INFINITY,
    version: () => {
      const newest = newestServer()
      return newest === undefined || (sync === 'always' && !knowsAlways(newest.version)) ? undefined : newest.version
    },
    async start(directory) {
      const port = await freePort()
      const { command, version } = newestServer() as Server
      const config = join(directory, 'jetstream.conf')
      const interval = knowsAlways(version) ? `  sync_interval: ${sync}\n` : ''
      writeFileSync(config, `max_pending: ${pendingSizeMax}\njetstream {\n  store_dir: "${join(directory, 'jetstream')}"\n${interval}}\n`)
      const args = ['-a', '127.0.0.1', '-p', String(port), '-c', config]
      return RunningBroker.start(`127.0.0.1:${port}`, () => BrokerProcess.start({ command, args, directory, port, readyMs: 120_000 }))
    },
    connect: async (target) => new JetStreamPeerClient(await connect({ servers: target, reconnect: false })),
  }
}

interface Server {
  readonly command: string
  readonly version: string
}

function newestServer(): Server | undefined {
  const commands = [process.env.BENCH_NATS2 ?? 'nats-server2', 'nats-server']
  const servers = commands.flatMap((command) => {
    const version = versionOf(command, ['-v'], /v?(\d+\.\d+\.\d+)/)
    return version === undefined ? [] : [{ command, version }]
  })
  return servers.sort((a, b) => compareVersions(b.version, a.version))[0]
}

function knowsAlways(version: string): boolean {
  return compareVersions(version, alwaysFrom.join('.')) >= 0
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

class JetStreamPeerClient implements Client {
  readonly #connection: NatsConnection
  readonly #stream: JetStreamClient

  constructor(connection: NatsConnection) {
    this.#connection = connection
    this.#stream = jetstream(connection)
  }

  async declare(layout: Layout): Promise<void> {
    const stream = streamOf(layout)
    const manager = await jetstreamManager(this.#connection)
    await manager.streams.add({
      name: stream,
      subjects: [stream],
      storage: StorageType.File,
      retention: RetentionPolicy.Workqueue,
      num_replicas: 1,
    })
    await manager.consumers.add(stream, { durable_name: consumerName, ack_policy: AckPolicy.Explicit, max_ack_pending: prefetch })
  }

  async sender(_layout: Layout, sending: Sending): Promise<Sender> {
    return new JetStreamSender(this.#stream, sending.confirm === 'window' ? sending.window : Number.POSITIVE_INFINITY)
  }

  async receive(layout: Layout, _acks: boolean, take: Take): Promise<void> {
    const consumer = await this.#stream.consumers.get(streamOf(layout), consumerName)
    await consumer.consume({
      max_messages: prefetch,
      callback: (message) => {
        take(0, message.data)
        message.ack()
      },
    })
  }

  async left(layout: Layout): Promise<number> {
    const manager = await jetstreamManager(this.#connection)
    return (await manager.streams.info(streamOf(layout))).state.messages
  }

  async close(): Promise<void> {
    await this.#connection.flush()
    await this.#connection.close()
  }
}

class JetStreamSender implements Sender {
  readonly #stream: JetStreamClient
  readonly #window: Window

  constructor(stream: JetStreamClient, window: number) {
    this.#stream = stream
    this.#window = new Window(window)
  }

  send(key: string, body: Buffer): void {
    this.#window.sent()
    this.publish(key, body).then(
      () => this.#window.answer(1),
      (error: unknown) => this.#window.answer(1, error),
    )
  }

  get full(): boolean {
    return this.#window.full
  }

  ready(): Promise<void> {
    return this.#window.ready()
  }

  publish(key: string, body: Buffer): Promise<unknown> {
    return this.#stream.publish(key, body, { timeout: answerMsMax })
  }

  flush(): Promise<void> {
    return this.#window.empty()
  }
}

/** The stream and its one subject have the name of the queue. */
function streamOf(layout: Layout): string {
  if (layout.kind !== 'queue') throw new Error(`no ${layout.kind} on a work queue of JetStream`)
  return layout.queue
}
