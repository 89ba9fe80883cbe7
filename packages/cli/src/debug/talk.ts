/**
 * Our side of one conversation with a broker: which channels are open, how far each has published and may publish, what
 * was delivered on it. It makes frames and learns from those that come; the socket is somebody else's.
 *
 * A request is a generator (steps.ts), so a command says `const result = yield* talk.request('declareQueue', { … })`
 * and goes on with the answer, or ends with the broker's error.
 *
 * Invariant: sequences, tags and consumer ids are what the broker counts too, as long as nobody sends raw PUBLISH frames.
 */
import {
  type AckMode,
  type ControlBodies,
  encodeControl,
  errorByCode,
  FrameType,
  type HelloResult,
  type OpenResult,
  type RequestName,
  type ResultBodies,
} from '@waybill/protocol'
import { encodeSettle } from './encode.js'
import type { Delivery, Frame } from './frame.js'
import { CommandFailure, type Send, type Steps } from './steps.js'

/** What the tool keeps of one open channel. */
export interface Channel {
  readonly number: number
  /** Sequence of the last message published, and bytes of records published, both since it was opened. */
  sequence: number
  publishedSize: number
  creditSequence: number
  creditSize: number
  lastTag: number
  lastConsumer: number
  readonly consumers: Map<number, Consumer>
}

export interface Consumer {
  readonly id: number
  readonly queue: string
  readonly ack: AckMode
  prefetch: number
  prefetchSize: number
  /** In mode `none` the tool itself gives the window back, when half of it is used; this much is used, by these tags. */
  used: { from: number; through: number }[]
  usedCount: number
  usedSize: number
}

/** How long an answer may take. A `get` that waits, waits longer. */
export const answerMs = 30_000

export class Talk {
  /** The channel that commands use. */
  channel = 1
  readonly channels = new Map<number, Channel>()
  /** Names that have been seen, for completion. */
  readonly names = { exchange: new Set<string>(), queue: new Set<string>() }
  /** The HELLO answer. */
  server: HelloResult | undefined
  heartbeatCount = 0
  /** Messages delivered that neither `get` nor `wait` has taken note of. */
  unseenCount = 0
  /** The ERROR that has ended the connection, in words: the broker reads nothing more. */
  ended: string | undefined
  #correlation = 0

  /** The current channel. Throws CommandFailure when it is not open (any more). */
  current(): Channel {
    const channel = this.channels.get(this.channel)
    if (channel === undefined)
      throw new CommandFailure('channelClosed', `channel ${this.channel} is not open; open it with: channel ${this.channel}`)
    return channel
  }

  /** A request on the current channel, or on another; answered with the body of its RESULT. Throws CommandFailure with what an ERROR says. */
  *request<K extends Exclude<RequestName, 'settle'>>(
    name: K,
    body: ControlBodies[K],
    channel = this.current().number,
    timeoutMs = answerMs,
  ): Steps<ResultBodies[K]> {
    const correlation = this.nextCorrelation()
    yield { step: 'send', bytes: encodeControl(FrameType[name], channel, correlation, body) }
    return (yield* this.answer(channel, correlation, timeoutMs)) as unknown as ResultBodies[K]
  }

  /** The body of the RESULT with this correlation id. Throws CommandFailure. */
  *answer(channel: number, correlation: number, timeoutMs = answerMs): Steps<Readonly<Record<string, unknown>>> {
    const until = (frame: Frame | undefined): boolean => {
      throwIfEnded(frame, channel)
      return frame?.correlation === correlation
    }
    const frame = yield { step: 'wait', until, timeoutMs, for: 'an answer' }
    const content = frame?.content
    if (content?.kind !== 'control') throw new CommandFailure('answerMalformed', 'the answer cannot be read')
    if (frame?.type === FrameType.error) throw failureOf(content.body)
    return content.body
  }

  /** Opens a channel, unless it is open. It is known before its RESULT is there: credit may lie right behind that. */
  *open(number: number): Steps {
    if (this.channels.has(number)) return
    const channel = newChannel(number)
    this.channels.set(number, channel)
    try {
      this.#credited(channel, yield* this.request('open', {}, number))
    } catch (error) {
      this.channels.delete(number)
      throw error
    }
  }

  /** Waits until that many messages have been delivered that nobody has counted yet, and counts them. */
  *seen(count: number, timeoutMs: number): Steps {
    yield { step: 'wait', until: () => this.unseenCount >= count, timeoutMs, for: count === 1 ? 'a message' : `${count} messages` }
    this.unseenCount -= count
  }

  nextCorrelation(): number {
    this.#correlation = this.#correlation === 0xffff_ffff ? 1 : this.#correlation + 1
    return this.#correlation
  }

  /** Learns from a frame that has come. Returns what has to be answered without anybody asking: windows given back. */
  hear(frame: Frame): Send[] {
    const { content } = frame
    if (frame.type === FrameType.heartbeat) this.heartbeatCount++
    if (frame.type === FrameType.error && content.kind === 'control') {
      if (content.body.scope === 'channel') this.channels.delete(frame.channel)
      if (content.body.scope === 'connection') this.ended = `${content.body.code} ${content.body.name}: ${content.body.message}`
    }

    const channel = this.channels.get(frame.channel)
    if (channel === undefined) return []
    if (content.kind === 'confirm' || content.kind === 'credit') this.#credited(channel, content)
    if (frame.type === FrameType.cancelled && content.kind === 'control') channel.consumers.delete(Number(content.body.consumer))
    return content.kind === 'deliver' ? this.#delivered(channel, content) : []
  }

  #credited(channel: Channel, { creditSequence, creditSize }: OpenResult): void {
    channel.creditSequence = Math.max(channel.creditSequence, creditSequence)
    channel.creditSize = Math.max(channel.creditSize, creditSize)
  }

  #delivered(channel: Channel, { firstTag, consumer: id, messages }: Delivery): Send[] {
    const through = firstTag + messages.length - 1
    channel.lastTag = Math.max(channel.lastTag, through)
    this.unseenCount += messages.length
    for (const { exchange } of messages) if (exchange !== '') this.names.exchange.add(exchange)

    const consumer = channel.consumers.get(id)
    if (consumer === undefined || consumer.ack !== 'none') return []
    const last = consumer.used.at(-1)
    if (last?.through === firstTag - 1) last.through = through
    else consumer.used.push({ from: firstTag, through })
    consumer.usedCount += messages.length
    for (const { size } of messages) consumer.usedSize += size
    if (consumer.usedCount * 2 < consumer.prefetch && consumer.usedSize * 2 < consumer.prefetchSize) return []

    const entries = consumer.used.map((tags) => ({ tags, outcome: 'ack' as const }))
    consumer.used = []
    consumer.usedCount = 0
    consumer.usedSize = 0
    return [{ step: 'send', bytes: encodeSettle(channel.number, 0, entries) }]
  }
}

function newChannel(number: number): Channel {
  return { number, sequence: 0, publishedSize: 0, creditSequence: 0, creditSize: 0, lastTag: 0, lastConsumer: 0, consumers: new Map() }
}

/** Throws CommandFailure for an ERROR that answers no request on this channel: it has ended, or the whole connection has. */
export function throwIfEnded(frame: Frame | undefined, channel: number): void {
  if (frame?.type !== FrameType.error || frame.correlation !== undefined || frame.content.kind !== 'control') return
  const { scope } = frame.content.body
  if (scope === 'connection' || (scope === 'channel' && frame.channel === channel)) throw failureOf(frame.content.body)
}

/** The failure that an ERROR is for the command that it answers. */
function failureOf(body: Readonly<Record<string, unknown>>): CommandFailure {
  const details = body.details === undefined ? '' : ` ${JSON.stringify(body.details)}`
  return new CommandFailure(String(body.name), `${body.message}${details}`, Number(body.code))
}

/** The failure that an exception of CONFIRM is for the command that published. */
export function refusal(code: number, detail: string, sequence: number): CommandFailure {
  const about = `message ${sequence} was refused${detail === '' ? '' : `: ${detail}`}`
  return new CommandFailure(errorByCode(code)?.name ?? 'unknown', about, code)
}
