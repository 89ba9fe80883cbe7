/**
 * A client made of frames: it keeps to the protocol as far as it wants to. Unlike the client package it can do everything that the
 * protocol allows, in any order, and some of what it forbids.
 */
import { encodeControl, FrameType, heartbeatFrameSize, preface, writeHeartbeat } from '@waybill/protocol'
import { PlainReader, type PlainFrame } from '../checkers/frames.js'
import type { Json } from '../checkers/requests.js'
import type { SimConnection } from '../network/connection.js'
import { fairWeather, randomWeather, type Weather } from '../network/network.js'
import type { Random } from '../random.js'
import type { Event } from '../timeline.js'
import { RawChannel, type RawChannelHome } from './raw-channel.js'
import type { World } from './world.js'

export type Answer = { readonly result: Json; readonly error?: undefined } | { readonly error: Json; readonly result?: undefined }

export class RawPeer implements RawChannelHome {
  readonly random: Random
  readonly world: World
  readonly channels = new Map<number, RawChannel>()
  connection: SimConnection | undefined
  /** Bytes written on this connection. */
  sentSize = 0
  state: 'offline' | 'connecting' | 'open' | 'closing' = 'offline'
  #reader = new PlainReader()
  #correlation = 0
  #isSilent = false
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #heartbeat: Event | undefined
  #nextChannel = 1

  constructor(world: World, random: Random) {
    this.world = world
    this.random = random
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  get messageSizeMax(): number {
    return this.world.limits.messageSizeMax
  }

  nextPublisher(): number {
    return this.world.nextPublisher()
  }

  delivered(channel: RawChannel): void {
    this.world.delivered(channel)
  }

  /** Whether it is one of its own. */
  has(channel: RawChannel): boolean {
    return this.channels.get(channel.id) === channel
  }

  /** Requests that have not been answered. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  connect(weather: Weather = this.world.isCalm ? fairWeather() : randomWeather(this.random), hello: object = {}): void {
    this.state = 'connecting'
    this.#isSilent = false
    this.sentSize = 0
    this.#reader = new PlainReader()
    const connection = this.world.network.connect(
      {
        ingest: (bytes, from, to) => {
          if (this.connection === connection) this.#ingest(Buffer.from(bytes.subarray(from, to)))
        },
        drained: () => undefined,
        closed: () => {
          if (this.connection === connection) this.#lost()
        },
      },
      weather,
    )
    this.connection = connection
    this.send(Buffer.from(preface))
    const { heartbeatMs } = this.world.profile
    const body = { client: { product: 'raw', version: '1' }, heartbeatMs, ...hello }
    this.request(FrameType.hello, 0, body, ({ result }) => {
      if (result === undefined) return
      this.state = 'open'
      this.#beat(heartbeatMs / 2)
    })
    // Some do not wait for the answer.
    if (this.random.chance(0.3)) this.openChannel()
  }

  openChannel(then: (channel: RawChannel) => void = () => undefined): RawChannel {
    const channel = new RawChannel(this, this.#nextChannel++)
    this.channels.set(channel.id, channel)
    this.request(FrameType.open, channel.id, {}, ({ result }) => {
      if (result === undefined) this.channels.delete(channel.id)
      else {
        channel.opened(result.creditSequence as number, result.creditSize as number)
        then(channel)
      }
    })
    return channel
  }

  closeChannel(channel: RawChannel): void {
    channel.isOpen = false
    this.request(FrameType.close, channel.id, {}, () => this.channels.delete(channel.id))
  }

  /** As the protocol wants it: CLOSE, its answer, the end. */
  close(): void {
    if (!this.isOpen) return
    this.state = 'closing'
    for (const channel of this.channels.values()) channel.isOpen = false
    this.request(FrameType.close, 0, {}, () => undefined)
  }

  /** Without a word. */
  vanish(): void {
    if (this.random.chance(0.5)) this.connection?.client.destroy()
    else this.connection?.client.end()
    this.state = 'closing'
  }

  /** It says nothing more on this connection. */
  fallSilent(): void {
    this.#isSilent = true
    this.state = 'closing'
  }

  send(bytes: Buffer): void {
    if (this.#isSilent || this.connection!.client.isLeaving) return
    this.sentSize += bytes.length
    this.connection!.client.write(bytes)
  }

  request(type: number, channel: number, body: object, then: (answer: Answer) => void): number {
    const correlation = ++this.#correlation
    this.#waiting.set(correlation, then)
    this.send(encodeControl(type, channel, correlation, body))
    return correlation
  }

  /** A correlation whose answer is awaited, for a frame that the caller writes. */
  correlate(then: (answer: Answer) => void): number {
    const correlation = ++this.#correlation
    this.#waiting.set(correlation, then)
    return correlation
  }

  #beat(everyMs: number): void {
    this.#heartbeat = this.world.timeline.in(everyMs, () => {
      const frame = Buffer.alloc(heartbeatFrameSize)
      writeHeartbeat(frame, 0)
      if (this.state === 'open') this.send(frame)
      this.#beat(everyMs)
    })
  }

  #ingest(bytes: Buffer): void {
    for (const frame of this.#reader.push(bytes)) this.#frame(frame)
  }

  #frame(frame: PlainFrame): void {
    const { type, correlation, body } = frame
    const channel = this.channels.get(frame.channel)
    if (type === FrameType.result || (type === FrameType.error && correlation !== 0)) {
      const json = JSON.parse(body.toString()) as Json
      const then = this.#waiting.get(correlation)
      this.#waiting.delete(correlation)
      then?.(type === FrameType.result ? { result: json } : { error: json })
    } else if (type === FrameType.error) {
      const { scope } = JSON.parse(body.toString()) as Json
      if (scope === 'connection') this.state = 'closing'
      else if (scope === 'channel') this.channels.delete(frame.channel)
    } else channel?.frame(frame)
  }

  #lost(): void {
    this.state = 'offline'
    this.connection = undefined
    this.channels.clear()
    this.#waiting.clear()
    if (this.#heartbeat !== undefined) this.world.timeline.cancel(this.#heartbeat)
    if (!this.world.isCalm) this.world.timeline.in(this.random.spread(1, 2_000), () => this.#again())
  }

  #again(): void {
    if (this.state === 'offline' && !this.world.isCalm) this.connect()
  }
}
