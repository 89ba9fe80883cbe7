import assert from 'node:assert'
import { FrameReader, preface, prefaceSize } from '@waybill/protocol'
import { describeFrame, encodeFrame, fillFrame, type FrameNotation, type LooseFrame } from '@waybill/protocol/testing'
import type { PaperClock } from './paper-clock.js'
import type { PaperTransport } from './paper-transport.js'

const credit = new Set(['CREDIT', 'HEARTBEAT'])

/** The other end of a connection, which says frames in the notation of transcripts and hears them in it. */
export class Peer {
  readonly transport: PaperTransport
  readonly #clock: PaperClock
  #bytes = Buffer.alloc(0)
  #nextCorrelation = 1
  readonly #nextSequence = new Map<number, number>()

  constructor(transport: PaperTransport, clock: PaperClock) {
    this.transport = transport
    this.#clock = clock
  }

  /** Whether the broker has ended the connection, or it is closed. */
  get isOver(): boolean {
    return this.transport.hasEnded || this.transport.isClosed
  }

  /** Sends bytes and lets the broker have its turns. */
  send(bytes: Uint8Array): void {
    this.drop(bytes)
    this.#clock.settle()
  }

  /** Sends bytes; the turn is not run. */
  drop(bytes: Uint8Array): void {
    if (!this.transport.isClosed) this.transport.handler!.ingest(Buffer.from(bytes), 0, bytes.length)
  }

  /** Sends frames in one piece. */
  say(...frames: LooseFrame[]): void {
    this.send(bytesOf(frames))
  }

  /** What came since the last time, without CREDIT and HEARTBEAT. */
  heard(): FrameNotation[] {
    return this.heardAll().filter(({ type }) => !credit.has(type))
  }

  heardAll(): FrameNotation[] {
    this.#collect()
    if (this.#bytes.subarray(0, 4).equals(preface.subarray(0, 4))) this.#bytes = this.#bytes.subarray(prefaceSize)
    const frames: FrameNotation[] = []
    const reader = new FrameReader({ frame: (...frame) => frames.push(describeFrame(...frame)) }, 2 ** 30)
    const used = reader.scan(this.#bytes, 0, this.#bytes.length)
    assert(used >= 0, reader.fault?.message)
    this.#bytes = this.#bytes.subarray(used)
    return frames
  }

  /** What came since the last time, as it is. */
  heardBytes(): Buffer {
    this.#collect()
    const bytes = this.#bytes
    this.#bytes = Buffer.alloc(0)
    return bytes
  }

  /** The one frame that came. */
  heardOne(): FrameNotation {
    const frames = this.heard()
    assert.equal(frames.length, 1, JSON.stringify(frames))
    return frames[0]!
  }

  /** Says a request and returns the JSON of its answer: a result, or an error. What else came is lost. */
  request(type: string, channel: number, json: object): Record<string, unknown> {
    const correlation = this.#nextCorrelation++
    this.say({ type, channel, correlation, json })
    const answer = this.heard().find((frame) => frame.correlation === correlation)
    assert(answer !== undefined, `${type} has not been answered`)
    return answer.json as Record<string, unknown>
  }

  /** Preface and HELLO; returns the answer. */
  hello(json: object = {}): Record<string, unknown> {
    this.drop(preface)
    return this.request('HELLO', 0, { client: { product: 'test', version: '1' }, ...json })
  }

  /** HELLO, and a channel. */
  open(channel = 1, json: object = {}): this {
    this.hello(json)
    this.request('OPEN', channel, {})
    return this
  }

  /** The sequence number of the next message that is published on a channel; `count` of them are. */
  nextSequence(channel: number, count: number): number {
    const next = this.#nextSequence.get(channel) ?? 1
    this.#nextSequence.set(channel, next + count)
    return next
  }

  /** Publishes bodies to a queue, or wherever `to` says, in one frame. */
  publish(
    channel: number,
    to: string | { exchange?: string; routingKey?: string },
    bodies: readonly string[],
    flags: string[] = ['CONFIRM'],
  ): void {
    const target = typeof to === 'string' ? { routingKey: to } : to
    const firstSequence = this.nextSequence(channel, bodies.length)
    this.say({ type: 'PUBLISH', channel, flags, firstSequence, records: bodies.map((text) => ({ ...target, text })) })
  }

  /** The bodies of deliveries that came, in order. What else came is lost. */
  delivered(): string[] {
    return bodiesOf(this.heard())
  }

  settle(channel: number, firstTag: number, count = 1, outcome = 'ack', delayMs: number | null = null): void {
    this.say({ type: 'SETTLE', channel, entries: [{ firstTag, count, outcome, delayMs }] })
  }

  /** The peer ends its half of the connection. */
  end(): void {
    this.transport.handler!.ended()
    this.#clock.settle()
  }

  /** The connection is cut. */
  cut(): void {
    this.transport.close('cut')
    this.#clock.settle()
  }

  #collect(): void {
    this.#bytes = Buffer.concat([this.#bytes, ...this.transport.arrived])
    this.transport.arrived = []
  }
}

export function bytesOf(frames: readonly LooseFrame[]): Buffer {
  return Buffer.concat(frames.map((frame) => encodeFrame(fillFrame(frame))))
}

export function bodiesOf(frames: readonly FrameNotation[]): string[] {
  return frames
    .filter(({ type }) => type === 'DELIVER')
    .flatMap(({ records }) => (records as { body: string }[]).map(({ body }) => Buffer.from(body, 'hex').toString()))
}
