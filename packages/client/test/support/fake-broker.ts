/**
 * A broker that does what a test says: a transport, and for each connection a peer that keeps every frame it got and answers as a
 * broker would, unless the test takes the answer over.
 *
 *     const broker = new FakeBroker()
 *     broker.answers.DECLARE_QUEUE = () => error('preconditionFailed', …)
 *     const connection = await broker.connect()
 *     const frame = await broker.peer.got('PUBLISH')
 */
import { type Connection, type ConnectOptions, WaybillError } from '@waybill/client'
import { connectWith, type Socket, type Target, type Transport, type TransportHandlers } from '@waybill/client/testing'
import { ErrorCode, type ErrorName, FrameReader, preface } from '@waybill/protocol'
import { describeFrame, encodeFrame, type FrameNotation, type RecordNotation } from '@waybill/protocol/testing'
import { settle, VirtualClock } from './virtual-clock.js'

/** What answers a request: the body of its RESULT, an error, or nothing for now. */
export type Answer = object | undefined
export type Answerer = (frame: Frame, peer: Peer) => Answer

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every type
type Loose = any

export type Frame = FrameNotation & {
  readonly json: Loose
  readonly records: RecordNotation[]
  readonly entries: Loose[]
  readonly firstSequence: number
}

class Refused {
  readonly body: object
  constructor(body: object) {
    this.body = body
  }
}

/** The answer ERROR. */
export function error(name: ErrorName, message: string = name, more: object = {}): object {
  const { code, scope, retryable } = ErrorCode[name]
  return new Refused({ code, name, scope: scope === 'message' ? 'request' : scope, retryable, message, ...more })
}

/** No answer. */
export const silence: Answerer = () => undefined

export class FakeBroker implements Transport {
  readonly clock: VirtualClock
  readonly peers: Peer[] = []
  readonly answers: Record<string, Answerer> = { ...usualAnswers }
  /** Refused like a port where nobody listens. */
  down = false
  hello: Record<string, unknown> = {}
  credit = { creditSequence: 10_000, creditSize: 16 * 1024 * 1024 }
  /** PUBLISH is confirmed at once, one queue each. */
  confirms = true
  targets: Target[] = []
  /** Bytes to the client are cut into pieces of this size. */
  pieceSize = Infinity
  #waiting: (() => void)[] = []

  constructor(clock: VirtualClock = new VirtualClock()) {
    this.clock = clock
  }

  connect(options: ConnectOptions = {}, target: string | string[] = 'waybill://one:1'): Promise<Connection> {
    return connectWith({ transport: this, clock: this.clock }, target, { name: 'test', log: () => {}, ...options })
  }

  /** The last connection. */
  get peer(): Peer {
    const peer = this.peers.at(-1)
    if (peer === undefined) throw new Error('nobody has connected')
    return peer
  }

  open(target: Target, handlers: TransportHandlers): Socket {
    this.targets.push(target)
    const peer = new Peer(this, handlers)
    if (this.down) peer.reset(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    else this.peers.push(peer)
    for (const wake of this.#waiting.splice(0)) wake()
    return peer
  }

  /** Resolves when so many connections have been made in all. */
  async connections(count: number): Promise<void> {
    while (this.peers.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

export class Peer implements Socket {
  readonly frames: Frame[] = []
  /** Writes of the client, in bytes. */
  readonly writes: number[] = []
  readonly records: RecordNotation[] = []
  readonly consumers = new Map<number, { readonly channel: number; readonly json: Record<string, unknown> }>()
  writableLength = 0
  /** The client has ended or destroyed its socket. */
  ended = false
  lastTag = new Map<number, number>()
  lastMessage = 0
  readonly broker: FakeBroker
  readonly #handlers: TransportHandlers
  readonly #reader: FrameReader
  #prefaceLeft = preface.length
  #closed = false
  #seen = 0
  #waiters: (() => void)[] = []

  constructor(broker: FakeBroker, handlers: TransportHandlers) {
    this.broker = broker
    this.#handlers = handlers
    this.#reader = new FrameReader({ frame: (...frame) => this.#frame(describeFrame(...frame) as Frame) }, 32 * 1024 * 1024)
  }

  // ─── as the client's socket ─────────────────────────────────────────────

  write(bytes: Uint8Array): boolean {
    const copy = Buffer.from(bytes)
    this.writes.push(copy.length)
    queueMicrotask(() => this.#ingest(copy))
    return true
  }

  end(): void {
    this.ended = true
    this.close()
  }

  destroy(): void {
    this.ended = true
    this.close()
  }

  // ─── as the broker's side ───────────────────────────────────────────────

  get isOpen(): boolean {
    return !this.#closed
  }

  send(frame: { type: string; channel?: number; [field: string]: unknown }): void {
    this.sendBytes(encodeFrame({ channel: 0, ...frame }))
  }

  /** In pieces, if the broker says so; the buffer is overwritten behind each, as a socket's is. */
  sendBytes(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes)
    queueMicrotask(() => {
      for (let at = 0; at < copy.length; at += this.broker.pieceSize) {
        if (this.#closed) return
        const piece = Buffer.from(copy.subarray(at, Math.min(copy.length, at + this.broker.pieceSize)))
        this.#handlers.ingest(piece, 0, piece.length)
        piece.fill(0xaa)
      }
    })
  }

  /** Ends the connection from this side. */
  close(cause?: Error): void {
    if (this.#closed) return
    this.#closed = true
    queueMicrotask(() => this.#handlers.closed(cause))
    this.#wake()
  }

  reset(cause: Error = new Error('read ECONNRESET')): void {
    this.close(cause)
  }

  /** The next frame of this type that has not been asked for yet; waits for it. Frames of other types before it are passed over. */
  async got(type: string): Promise<Frame> {
    for (;;) {
      while (this.#seen < this.frames.length) {
        const frame = this.frames[this.#seen++]
        if (frame.type === type) return frame
      }
      if (this.#closed) throw new Error(`the connection ended before ${type}`)
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type)
  }

  /** Delivers messages to a consumer; returns the tag of the first. */
  deliver(consumer: number, messages: readonly (string | Partial<RecordNotation>)[], more: object = {}): number {
    const channel = this.consumers.get(consumer)?.channel ?? 1
    const firstTag = (this.lastTag.get(channel) ?? 0) + 1
    this.lastTag.set(channel, firstTag + messages.length - 1)
    const firstMessageId = this.lastMessage + 1
    this.lastMessage += messages.length
    const records = messages.map((message) => record(message))
    this.send({ type: 'DELIVER', channel, firstTag, firstMessageId, consumer, deliveryCount: 1, failureCount: 0, records, ...more })
    return firstTag
  }

  confirm(channel: number, through: number, more: object = {}): void {
    this.send({ type: 'CONFIRM', channel, through, ...this.broker.credit, runs: [], exceptions: [], ...more })
  }

  answer(frame: Frame, answer: Answer): void {
    const { channel, correlation } = frame
    if (answer === undefined || correlation === undefined) return
    if (answer instanceof Refused) this.send({ type: 'ERROR', channel, correlation, json: answer.body })
    else this.send({ type: 'RESULT', channel, correlation, json: answer })
  }

  #ingest(bytes: Buffer): void {
    if (this.#closed) return
    const skip = Math.min(this.#prefaceLeft, bytes.length)
    if (skip > 0) {
      this.#prefaceLeft -= skip
      if (this.#prefaceLeft === 0) this.sendBytes(preface)
    }
    if (!this.#reader.read(bytes, skip, bytes.length)) throw new Error(`the client sent ${this.#reader.fault?.message}`)
  }

  #frame(frame: Frame): void {
    this.frames.push(frame)
    if (frame.type === 'CONSUME') this.consumers.set(frame.json.consumer, { channel: frame.channel, json: frame.json })
    const answer = this.broker.answers[frame.type]?.(frame, this)
    this.answer(frame, answer)
    if (frame.type === 'PUBLISH') this.#published(frame)
    if (frame.type === 'CLOSE' && frame.channel === 0 && answer !== undefined) queueMicrotask(() => queueMicrotask(() => this.close()))
    this.#wake()
  }

  #published(frame: Frame): void {
    this.records.push(...frame.records)
    const { length } = frame.records
    if (!this.broker.confirms) return
    const { firstSequence } = frame
    const firstMessageId = this.lastMessage + 1
    this.lastMessage += length
    const runs = [{ firstSequence, firstMessageId, count: length, queueCount: 1, level: 'received' }]
    const isNamed = (frame.flags as unknown as string[]).includes('CONFIRM')
    this.confirm(frame.channel, firstSequence + length - 1, { runs: isNamed ? runs : [] })
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake()
  }
}

/** A record from a text, or from the parts that matter. */
export function record(message: string | Partial<RecordNotation>): RecordNotation {
  const parts = typeof message === 'string' ? { body: Buffer.from(message).toString('hex') } : message
  return { exchange: '', routingKey: 'work', persistent: true, properties: {}, headers: {}, body: '', ...parts }
}

export function bodyText(message: RecordNotation): string {
  return Buffer.from(message.body, 'hex').toString()
}

const usualAnswers: Record<string, Answerer> = {
  HELLO: (_frame, { broker }) => ({ ...usualHello, ...broker.hello }),
  OPEN: (_frame, { broker }) => broker.credit,
  CLOSE: () => ({}),
  CONSUME: () => ({}),
  CANCEL: () => ({ unsettledCount: 0 }),
  SETTLE: () => ({}),
  GET: () => ({ found: false }),
  DECLARE_EXCHANGE: () => ({ created: true }),
  CHECK_EXCHANGE: ({ json }) => ({ exchange: json.exchange, type: 'direct', durable: false, autoDelete: false, internal: false }),
  DELETE_EXCHANGE: () => ({ deleted: true }),
  BIND_EXCHANGE: () => ({ created: true, bindingCount: 1 }),
  UNBIND_EXCHANGE: () => ({ removed: true, bindingCount: 0 }),
  DECLARE_QUEUE: ({ json }) => ({ queue: json.queue, created: true, durable: false, messageCount: 0, consumerCount: 0 }),
  CHECK_QUEUE: ({ json }) => ({
    queue: json.queue,
    durable: false,
    exclusive: false,
    autoDelete: false,
    messageCount: 0,
    unsettledCount: 0,
    consumerCount: 0,
  }),
  DELETE_QUEUE: () => ({ deleted: true, messageCount: 0 }),
  PURGE_QUEUE: () => ({ messageCount: 0 }),
  BIND_QUEUE: () => ({ created: true, bindingCount: 1 }),
  UNBIND_QUEUE: () => ({ removed: true, bindingCount: 0 }),
  LIST: () => ({ items: [] }),
}
const usualHello = {
  server: { product: 'fake', version: '1' },
  log: 'log',
  connection: 1,
  heartbeatMs: 0,
  keeps: 'nothing',
  limits: { frameSizeMax: 16_842_752, messageSizeMax: 16_777_216, channelCountMax: 1024, consumerCountMax: 1024, nameSizeMax: 255 },
  blocked: null,
}

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<WaybillError & { stored?: string; differences?: unknown }> {
  try {
    await promise
  } catch (caught) {
    return caught as WaybillError
  }
  throw new Error('it was expected to reject')
}

export { settle, VirtualClock, WaybillError }
