/**
 * Redis streams with ioredis: XADD, read by XREADGROUP. In the transient workloads nothing is written to disk (no
 * snapshot, no append-only file), so that a reply says what Waybill's confirm says; in the durable ones there is an
 * append-only file, synced before each reply or once a second. Streams keep what was read, so they are trimmed by
 * length (transient) or each entry is acknowledged and deleted. Pipelines and reads are as long as its own
 * documentation recommends: 100 XADD, COUNT 1000; a window of 2,000 is 20 pipelines.
 */
import { Redis } from 'ioredis'
import { BrokerProcess, freePort } from '../broker-process.js'
import { clientVersion, versionOf } from './installed.js'
import type { Client, Durable, Layout, Peer, Sender, Sending, Take } from './peer.js'
import { RunningBroker } from './running-broker.js'
import { Window } from './window.js'

const pipelineLength = 100
const inFlightMax = 20 * pipelineLength
const readCount = 1_000
const field = 'b'
/** While it loads its file it is asked again so soon; by default after a second. */
const loadingRetryMs = 10

export const redis = redisPeer('redis', 'Redis streams', ['--appendonly', 'no'])

export const redisEverysec = redisPeer(
  'redis-everysec',
  'Redis streams, append-only file synced each second',
  ['--appendonly', 'yes', '--appendfsync', 'everysec'],
  { confirm: 'in the page cache: written to the append-only file, which is synced each second', syncs: false },
)

export const redisAlways = redisPeer(
  'redis-always',
  'Redis streams, append-only file synced always',
  ['--appendonly', 'yes', '--appendfsync', 'always'],
  { confirm: 'on the disk: the append-only file has been synced', syncs: true },
)

function redisPeer(name: string, title: string, persistence: readonly string[], durable?: Durable): Peer {
  return {
    name,
    title,
    client: clientVersion('ioredis'),
    deliversEach: 'queue',
    transient: durable === undefined,
    durable,
    confirm: durable === undefined ? 'in memory: the XADD was answered, no append-only file' : undefined,
    acks: true,
    topics: false,
    aheadMax: Number.POSITIVE_INFINITY,
    version: () => versionOf('redis-server', ['-v'], /v=(\d+\.\d+\.\d+)/),
    async start(directory) {
      const port = await freePort()
      const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...persistence]
      return RunningBroker.start(String(port), () =>
        BrokerProcess.start({ command: 'redis-server', args, directory, port, readyMs: 120_000 }),
      )
    },
    connect: async (target) => new RedisClient(Number(target)),
  }
}

class RedisClient implements Client {
  readonly #port: number
  readonly #connections: Redis[] = []
  #closing = false

  constructor(port: number) {
    this.#port = port
  }

  async declare(layout: Layout): Promise<void> {
    const connection = this.#connection()
    for (const { stream, group } of groupsOf(layout)) await connection.xgroup('CREATE', stream, group, '$', 'MKSTREAM')
  }

  async sender(layout: Layout, sending: Sending): Promise<Sender> {
    const connection = this.#connection({ enableAutoPipelining: sending.confirm === 'each' })
    const durable = layout.kind === 'queue' && layout.durable
    return new RedisSender(connection, layout.kind === 'queue' ? undefined : layout.exchange, sending, durable)
  }

  async left(layout: Layout): Promise<number> {
    return layout.kind === 'queue' ? this.#connection().xlen(layout.queue) : 0
  }

  async receive(layout: Layout, acks: boolean, take: Take): Promise<void> {
    for (const [lane, { stream, group }] of groupsOf(layout).entries()) {
      const connection = this.#connection()
      await connection.ping()
      this.#read(connection, stream, group, acks, (body) => take(lane, body)).catch((error: unknown) => {
        if (!this.#closing) throw error
      })
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    await Promise.all(this.#connections.map((connection) => connection.quit()))
  }

  async #read(connection: Redis, stream: string, group: string, acks: boolean, take: (body: Buffer) => void): Promise<void> {
    const noAck = acks ? [] : ['NOACK']
    while (!this.#closing) {
      const reply = (await connection.callBuffer(
        'XREADGROUP',
        'GROUP',
        group,
        'bench',
        'COUNT',
        readCount,
        'BLOCK',
        1_000,
        ...noAck,
        'STREAMS',
        stream,
        '>',
      )) as StreamReply | null
      if (reply === null) continue
      const entries = reply[1]
      for (const [, fields] of entries) take(fields[1])
      if (!acks) continue
      const ids = entries.map(([id]) => id)
      connection
        .pipeline()
        .xack(stream, group, ...ids)
        .xdel(stream, ...ids)
        .exec()
    }
  }

  #connection(options: { enableAutoPipelining?: boolean } = {}): Redis {
    const connection = new Redis({ port: this.#port, host: '127.0.0.1', maxLoadingRetryTime: loadingRetryMs, ...options })
    this.#connections.push(connection)
    return connection
  }
}

/** Of one stream, as protocol 3 has it. */
type StreamReply = [stream: Buffer, entries: [id: Buffer, fields: [name: Buffer, body: Buffer]][]]

class RedisSender implements Sender {
  readonly #connection: Redis
  readonly #stream: string | undefined
  readonly #paced: boolean
  /** What follows the name of the stream: a transient one is kept short, a durable one keeps all that is not acknowledged. */
  readonly #entry: readonly string[]
  readonly #window: Window
  #pipeline: ReturnType<Redis['pipeline']> | undefined
  #flushing = false

  constructor(connection: Redis, stream: string | undefined, sending: Sending, durable: boolean) {
    this.#connection = connection
    this.#stream = stream
    this.#paced = sending.paced
    this.#entry = durable ? ['*', field] : ['MAXLEN', '~', String(Math.ceil(sending.ahead * 1.5) + 1_000), '*', field]
    this.#window = new Window(sending.confirm === 'window' ? sending.window : inFlightMax)
  }

  /** A paced message leaves at once; the others in pipelines, the rest of one when the turn ends. */
  send(key: string, body: Buffer): void {
    if (this.#paced) {
      this.#window.sent()
      this.publish(key, body).then(
        () => this.#window.answer(1),
        (error: unknown) => this.#window.answer(1, error),
      )
      return
    }
    this.#window.sent()
    this.#pipeline ??= this.#connection.pipeline()
    this.#pipeline.xadd(this.#stream ?? key, ...this.#entry, body)
    if (this.#pipeline.length >= pipelineLength) this.#sendPipeline()
    else if (!this.#flushing) {
      this.#flushing = true
      setImmediate(() => {
        this.#flushing = false
        this.#sendPipeline()
      })
    }
  }

  get full(): boolean {
    return this.#window.full
  }

  ready(): Promise<void> {
    return this.#window.ready()
  }

  publish(key: string, body: Buffer): Promise<unknown> {
    return this.#connection.xadd(this.#stream ?? key, ...this.#entry, body)
  }

  flush(): Promise<void> {
    this.#sendPipeline()
    return this.#window.empty()
  }

  #sendPipeline(): void {
    const pipeline = this.#pipeline
    if (pipeline === undefined) return
    this.#pipeline = undefined
    const count = pipeline.length
    pipeline.exec().then(
      (answers) => this.#window.answer(count, answers?.find(([error]) => error !== null)?.[0]),
      (error: unknown) => this.#window.answer(count, error),
    )
  }
}

function groupsOf(layout: Layout): { stream: string; group: string }[] {
  if (layout.kind === 'queue') return [{ stream: layout.queue, group: 'bench' }]
  return layout.queues.map((queue) => ({ stream: layout.exchange, group: queue }))
}
