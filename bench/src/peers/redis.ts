/**
 * Redis streams with ioredis: XADD, read by XREADGROUP. Nothing is written to disk (no snapshot, no append-only
 * file), so that a reply says what Waybill's confirm says. Streams keep what was read, so they are trimmed by length
 * (NOACK) or each entry is acknowledged and deleted. Pipelines and reads are as long as its own documentation
 * recommends: 100 XADD, COUNT 1000.
 */
import { Redis } from 'ioredis'
import { BrokerProcess, freePort } from '../broker-process.js'
import { clientVersion, versionOf } from './installed.js'
import type { Client, Layout, Peer, Sender, Sending, Take } from './peer.js'

const pipelineLength = 100
const pipelinesInFlight = 20
const readCount = 1_000
const field = 'b'

export const redis: Peer = {
  name: 'redis',
  title: 'Redis streams',
  client: clientVersion('ioredis'),
  deliversEach: 'queue',
  confirm: 'in memory: the XADD was answered, no append-only file',
  acks: true,
  topics: false,
  aheadMax: Number.POSITIVE_INFINITY,
  version: () => versionOf('redis-server', ['-v'], /v=(\d+\.\d+\.\d+)/),
  async start(directory) {
    const port = await freePort()
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no']
    const broker = await BrokerProcess.start({ command: 'redis-server', args, directory, port })
    return { pid: broker.pid, target: String(port), stop: () => broker.stop() }
  },
  connect: async (target) => new RedisClient(Number(target)),
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
    return new RedisSender(connection, layout.kind === 'queue' ? undefined : layout.exchange, sending)
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
    for (const connection of this.#connections) connection.disconnect()
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
    const connection = new Redis({ port: this.#port, host: '127.0.0.1', ...options })
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
  readonly #keep: string
  #pipeline: ReturnType<Redis['pipeline']> | undefined
  #inFlight = 0
  #flushing = false
  #failure: unknown
  #waiters: (() => void)[] = []

  constructor(connection: Redis, stream: string | undefined, sending: Sending) {
    this.#connection = connection
    this.#stream = stream
    this.#paced = sending.paced
    this.#keep = String(Math.ceil(sending.ahead * 1.5) + 1_000)
  }

  /** A paced message leaves at once; the others in pipelines, the rest of one when the turn ends. */
  send(key: string, body: Buffer): void {
    if (this.#paced) {
      this.publish(key, body).catch((error: unknown) => this.#fail(error))
      return
    }
    this.#pipeline ??= this.#connection.pipeline()
    this.#pipeline.xadd(this.#stream ?? key, 'MAXLEN', '~', this.#keep, '*', field, body)
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
    return this.#inFlight >= pipelinesInFlight
  }

  async ready(): Promise<void> {
    while (this.full) await this.#answered()
  }

  publish(key: string, body: Buffer): Promise<unknown> {
    return this.#connection.xadd(this.#stream ?? key, 'MAXLEN', '~', this.#keep, '*', field, body)
  }

  async flush(): Promise<void> {
    this.#sendPipeline()
    while (this.#inFlight > 0) await this.#answered()
    if (this.#failure !== undefined) throw this.#failure
  }

  #sendPipeline(): void {
    const pipeline = this.#pipeline
    if (pipeline === undefined) return
    this.#pipeline = undefined
    this.#inFlight++
    pipeline
      .exec()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#inFlight--
        for (const wake of this.#waiters.splice(0)) wake()
      })
  }

  #fail(error: unknown): void {
    this.#failure ??= error
  }

  #answered(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }
}

function groupsOf(layout: Layout): { stream: string; group: string }[] {
  if (layout.kind === 'queue') return [{ stream: layout.queue, group: 'bench' }]
  return layout.queues.map((queue) => ({ stream: layout.exchange, group: queue }))
}
