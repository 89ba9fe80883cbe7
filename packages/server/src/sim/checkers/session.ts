/**
 * One connection as it must be, told by nothing but the bytes that pass the broker's door on it.
 *
 *     arrived ─▶ frames ─▶ carried out: what each must do, and be answered ─┐
 *     written ─▶ frames ─▶ compared with it (told.ts) ◀─────────────────────┘
 *
 * A frame is carried out here when the broker's session gets it, right before the broker does the same. What the broker writes while
 * it does may be about something that is over already here: a closed channel is kept until the turn ends.
 */
import { type ErrorName, FrameType } from '@waybill/protocol'
import { expect } from '../failure.js'
import type { DoorConnection } from '../network/context.js'
import { ExpectedChannel } from './channel.js'
import { ExpectedConsumer, type ConsumerOptions } from './consumer.js'
import type { PlainFrame } from './frames.js'
import type { SessionHome, Waiting } from './home.js'
import { Inbox } from './inbox.js'
import { ExpectedList } from './lists.js'
import { publish } from './publishing.js'
import type { ExpectedQueue, QueueConsumer } from './queue.js'
import { type ExpectedAnswer, fields, type Json, refused, type RequestContext, requests, usable } from './requests.js'

const nameOfType = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]))

export class ExpectedSession {
  readonly connection: DoorConnection
  readonly home: SessionHome
  readonly openedAt: number
  state: 'preface' | 'authenticating' | 'open' | 'over' = 'preface'
  readonly channels = new Map<number, ExpectedChannel>()
  /** Channels closed since the last turn, or whose CLOSE has not been answered. */
  readonly late = new Map<number, ExpectedChannel>()
  /** Requests without an answer, by correlation, in the order they came. */
  readonly waiting = new Map<number, Waiting>()
  /** Errors without a correlation that must come, in this order for a channel. */
  readonly errors: { readonly channel: number; readonly name: ErrorName }[] = []
  /** Requests that the peer has spoilt on purpose, by correlation: what they must be refused with. */
  readonly spoilt = new Map<number, ErrorName>()
  /** The peer may publish beyond its credit. */
  exceeds = false
  readonly inbox = new Inbox()
  readonly #lists = new Set<ExpectedList>()
  /** Channels that were closed by an error, or that an error has been sent for: frames for them are dropped in silence. */
  readonly #silent = new Set<number>()
  #hello: PlainFrame | undefined

  constructor(connection: DoorConnection, home: SessionHome) {
    this.connection = connection
    this.home = home
    this.openedAt = Math.floor(connection.establishedAt)
  }

  arrived(bytes: Buffer): void {
    if (this.state !== 'over') this.inbox.arrived(bytes, this.home.now)
  }

  /** The broker's session gets a frame: it must be the next that has arrived. */
  frame(type: number, channel: number, correlation: number, bodySize: number): void {
    if (this.state === 'over') return
    const frame = this.inbox.next(this.state === 'open')
    if (frame === undefined) {
      expect(
        this.inbox.isBroken,
        'frame',
        () => `the broker reads a frame of type ${type} that connection ${this.connection.number} has not sent`,
      )
      return
    }
    const isSame = frame.type === type && frame.channel === channel && frame.correlation === correlation && frame.body.length === bodySize
    const sent = `${frame.type}/${frame.channel}/${frame.correlation}, ${frame.body.length} bytes`
    expect(
      isSame,
      'frame',
      () => `connection ${this.connection.number} sent ${sent}, the broker reads ${type}/${channel}/${correlation}, ${bodySize} bytes`,
    )
    if (this.state === 'open') this.#does(frame)
    else if (this.state === 'authenticating') this.inbox.hold(frame)
    else if (type === FrameType.hello) {
      this.state = 'authenticating'
      this.#hello = frame
    }
  }

  /** The broker's authenticator is about to say whether the peer may come in. */
  authenticated(refusal: ErrorName | undefined): void {
    if (this.state !== 'authenticating') return
    const name = this.home.draining ? 'shuttingDown' : refusal
    this.#waits(
      this.#hello!,
      'hello',
      name === undefined ? { test: fields({ keeps: this.home.keeps ? 'disk' : 'nothing' }) } : refused(name),
    )
    if (name !== undefined) return
    this.state = 'open'
  }

  /** Everything that the connection had is given back. */
  release(): void {
    if (this.state === 'over') return
    this.state = 'over'
    for (const channel of [...this.channels.values()]) this.#closeChannel(channel)
    for (const queue of [...this.home.names.queues.values()]) if (queue.owner === this.connection.number) this.home.dropQueue(queue)
    this.waiting.clear()
    this.errors.length = 0
  }

  /** Queues with a consumer here that settles nothing. */
  *unsettledQueues(): Iterable<ExpectedQueue> {
    for (const { consumers, gets } of this.channels.values()) {
      for (const { queue, ack } of [...consumers.values(), ...gets.values()]) if (ack === 'none') yield queue
    }
  }

  /** The broker's process has ended, and all connections with it. */
  crash(): void {
    this.state = 'over'
    this.channels.clear()
    this.late.clear()
    this.waiting.clear()
    this.errors.length = 0
    this.#lists.clear()
  }

  turnBegins(): void {
    for (const list of this.#lists) list.turnBegins(this.home.names)
  }

  turnEnds(): void {
    for (const id of this.late.keys()) if (!this.#isClosing(id)) this.late.delete(id)
    for (const channel of this.channels.values()) channel.turnEnds()
  }

  /** Whether the answer to a CLOSE waits for the disk, and what comes before it. */
  #isClosing(id: number): boolean {
    for (const { name, frame } of this.waiting.values()) if (name === 'close' && (frame.channel === id || frame.channel === 0)) return true
    return false
  }

  /** A consumer takes nothing any more; an auto-delete queue goes with its last one. */
  leave(consumer: ExpectedConsumer): void {
    if (consumer.over) return
    consumer.over = true
    const { queue, once } = consumer
    queue.consumers.delete(consumer)
    queue.usedAt = this.home.now
    const isLast = ![...queue.consumers].some((each) => !each.once)
    if (!once && isLast && queue.options.autoDelete && !queue.deleted) this.home.dropQueue(queue)
  }

  // ─── frames ─────────────────────────────────────────────────────────────

  #does(frame: PlainFrame): void {
    const { type, correlation } = frame
    const name = nameOfType.get(type) ?? 'unknown'
    this.home.tally.count(`frame ${name}`)
    const spoilt = this.spoilt.get(correlation)
    if (type === FrameType.heartbeat) return
    if (correlation !== 0 && spoilt !== undefined) this.#waits(frame, name, refused(spoilt))
    else if (type === FrameType.open) this.#waits(frame, name, this.#open(frame.channel))
    else if (type === FrameType.close) this.#waits(frame, name, this.#close(frame.channel), !this.home.keeps)
    else if (type === FrameType.list) this.#waits(frame, name, this.#list(jsonOf(frame)))
    else {
      const channel = this.channels.get(frame.channel)
      if (channel !== undefined) this.#doesOn(channel, frame, name)
      else if (correlation !== 0) this.#waits(frame, name, refused('channelUnknown'), type !== FrameType.settle)
      else if (!this.#silent.has(frame.channel)) this.#failsChannel(frame.channel, 'channelUnknown')
    }
  }

  #doesOn(channel: ExpectedChannel, frame: PlainFrame, name: string): void {
    switch (frame.type) {
      case FrameType.publish:
        if (publish(this.home, channel, frame, this.exceeds)) return
        channel.isClosing = true
        this.#closeChannel(channel)
        this.#failsChannel(channel.id, 'sequenceUnexpected')
        return
      case FrameType.settle:
        this.#settle(channel, frame)
        return
      case FrameType.window:
        channel.consumers.get(frame.body.readUInt32BE(0))?.setWindow(frame.body.readUInt32BE(4), frame.body.readUInt32BE(8))
        return
      case FrameType.consume:
        this.#waits(frame, name, this.#consume(channel, jsonOf(frame)))
        return
      case FrameType.cancel:
        this.#waits(frame, name, this.#cancel(channel, jsonOf(frame).consumer as number))
        return
      case FrameType.get: {
        const answer = this.#get(channel, frame.correlation, jsonOf(frame))
        this.#waits(frame, name, answer, 'refusal' in answer)
        return
      }
      default:
        this.#waits(frame, name, requests[name]!(this.#context(), jsonOf(frame)), !this.home.keeps || !waitsForDisk(name))
    }
  }

  #waits(frame: PlainFrame, name: string, answer: ExpectedAnswer, inOrder = true): void {
    expect(!this.waiting.has(frame.correlation), 'peer', () => `correlation ${frame.correlation} is used twice`)
    this.waiting.set(frame.correlation, { frame, name, answer, inOrder, stamp: this.home.stamp })
  }

  #failsChannel(channel: number, name: ErrorName): void {
    this.#silent.add(channel)
    this.errors.push({ channel, name })
  }

  #context(): RequestContext {
    const { names, batch, now, stamp, keeps } = this.home
    const dropQueue = (queue: ExpectedQueue): void => this.home.dropQueue(queue)
    const countOf = (queue: ExpectedQueue): number => this.home.countOf(queue)
    return { names, batch, now, stamp, keeps, connection: this.connection.number, dropQueue, countOf }
  }

  #list(query: Json): ExpectedAnswer {
    const list = new ExpectedList(query, this.home.names)
    this.#lists.add(list)
    return {
      test: (result) => {
        this.#lists.delete(list)
        return list.test(result, this.home.names)
      },
    }
  }

  // ─── channels ───────────────────────────────────────────────────────────

  #open(id: number): ExpectedAnswer {
    if (id > this.home.limits.channelCount) return refused('limitExceeded')
    if (this.channels.has(id)) return refused('requestInvalid')
    const channel = new ExpectedChannel(id)
    this.channels.set(id, channel)
    this.#silent.delete(id)
    return {
      test: ({ creditSequence, creditSize }) => {
        channel.credit(creditSequence as number, creditSize as number)
        return undefined
      },
    }
  }

  /** The confirms of everything that was published stand before the answer. */
  #close(id: number): ExpectedAnswer {
    const channels = id === 0 ? [...this.channels.values()] : [this.channels.get(id)]
    const [first] = channels
    for (const channel of channels) if (channel !== undefined) channel.isClosing = true
    if (id !== 0) {
      if (first === undefined) return refused('channelUnknown')
      this.#closeChannel(first)
    }
    return { test: () => (channels.some((each) => each!.isUntold) ? 'the confirms of all that was published' : undefined) }
  }

  #closeChannel(channel: ExpectedChannel): void {
    const { batch, now, stamp } = this.home
    this.channels.delete(channel.id)
    this.late.set(channel.id, channel)
    const consumers = [...channel.gets.values(), ...channel.consumers.values()]
    for (const { queue, ack } of consumers) {
      queue.leaves(batch)
      if (ack === 'none' && queue.isBlurred(batch)) queue.losesSight()
    }
    for (const consumer of consumers) this.leave(consumer)
    for (const { consumer, copy } of channel.unsettled.values()) {
      if (consumer.ack === 'manual') consumer.queue.settled(copy, 'requeue', { batch, now, stamp }, -1)
    }
    channel.unsettled.clear()
  }

  // ─── consuming ──────────────────────────────────────────────────────────

  #consume(channel: ExpectedChannel, body: Json): ExpectedAnswer {
    const { queue, ack = 'manual', prefetch = 256, prefetchSize = 8 * 1024 * 1024, exclusive = false } = body
    const options = { ack, once: false, exclusive, count: prefetch, size: prefetchSize } as ConsumerOptions
    return this.#newConsumer(channel, body.consumer as number, queue, options, (consumer) => {
      channel.consumers.set(consumer.id, consumer)
      return { test: fields({}) }
    })
  }

  #get(channel: ExpectedChannel, correlation: number, body: Json): ExpectedAnswer {
    const { queue, ack = 'manual', waitMs = 0 } = body
    const options = { ack, once: true, exclusive: false, count: 1, size: 1 } as ConsumerOptions
    const until = this.home.now + (waitMs as number)
    return this.#newConsumer(channel, body.consumer as number, queue, options, (consumer) => {
      channel.gets.set(correlation, consumer)
      if (waitMs === 0) {
        consumer.queue.blur(this.home.batch)
        // It waits all the same while the message is read from the disk.
        if (!this.home.keeps) this.leave(consumer)
      }
      return {
        test: ({ found }) => {
          const came = consumer.deliveredCount === 1
          channel.gets.delete(correlation)
          this.leave(consumer)
          if (found !== came) return `found ${came}`
          const isTime = came || consumer.queue.deleted || channel.isClosing || this.home.now >= until
          return isTime ? undefined : `an answer at ${until} at the earliest`
        },
      }
    })
  }

  #newConsumer(
    channel: ExpectedChannel,
    id: number,
    queueName: unknown,
    options: ConsumerOptions,
    made: (consumer: ExpectedConsumer) => ExpectedAnswer,
  ): ExpectedAnswer {
    const there = channel.consumer(id)
    if (there !== undefined && !there.over) return refused('requestInvalid')
    return usable(this.#context(), queueName, (queue) => {
      const isBlurred = queue.isBlurred(this.home.batch)
      const locks = (others: readonly QueueConsumer[]): boolean =>
        others.some((each) => each.exclusive) || (options.exclusive && others.length > 0)
      const others = [...queue.consumers]
      // A `get` that waited may have been served by another one since the last turn.
      if (locks(others.filter((each) => !each.isUncertain && !(each.once && isBlurred)))) return refused('resourceLocked')
      const isLocked = locks(others)
      const consumer = new ExpectedConsumer(id, queue, options)
      queue.consumers.add(consumer)
      queue.usedAt = this.home.now
      const answer = made(consumer)
      if (!isLocked || 'refusal' in answer) return answer
      consumer.isUncertain = true
      const test = (result: Json): string | undefined => {
        consumer.isUncertain = false
        return answer.test(result)
      }
      // It was never there, so nothing follows from its leaving.
      const undo = (): void => {
        consumer.over = true
        queue.consumers.delete(consumer)
        channel.consumers.delete(id)
      }
      return { test, or: { refusal: 'resourceLocked', undo } }
    })
  }

  #cancel(channel: ExpectedChannel, id: number): ExpectedAnswer {
    const consumer = channel.consumers.get(id)
    if (consumer === undefined || consumer.over) return refused('notFound')
    this.leave(consumer)
    const held = consumer.unsettledCount
    const isBlurred = consumer.queue.isBlurred(this.home.batch)
    const or = consumer.isUncertain ? { or: { refusal: 'notFound' as const, undo: () => undefined } } : {}
    return {
      ...or,
      test: ({ unsettledCount }) => {
        consumer.endTold = true
        const count = unsettledCount as number
        return count === held || (isBlurred && count > held) ? undefined : `unsettledCount ${held}`
      },
    }
  }

  #settle(channel: ExpectedChannel, frame: PlainFrame): void {
    const { body, correlation } = frame
    let refusal: ErrorName | undefined
    for (let at = 0; at < body.length; at += 20 + body.readUInt16BE(at + 14)) {
      const first = Number(body.readBigUInt64BE(at))
      const last = first + body.readUInt32BE(at + 8) - 1
      if (first === 0 || last > channel.lastTag) refusal ??= 'tagUnknown'
      else this.#settleRange(channel, first, last, body[at + 12]!, body.readUInt32BE(at + 16))
    }
    if (correlation !== 0) this.#waits(frame, 'settle', refusal === undefined ? { test: fields({}) } : refused(refusal), false)
    else if (refusal !== undefined) this.errors.push({ channel: channel.id, name: refusal })
  }

  #settleRange(channel: ExpectedChannel, first: number, last: number, outcome: number, delay: number): void {
    const { batch, now, stamp, tally } = this.home
    const name = (['acked', 'requeue', 'retry', 'rejected'] as const)[outcome - 1]!
    for (const tag of channel.tags(first, last)) {
      const { consumer, copy, size } = channel.unsettled.get(tag)!
      channel.unsettled.delete(tag)
      consumer.returns(size)
      tally.count(`settled ${name}`)
      if (consumer.ack === 'none') continue
      if (name === 'acked' || name === 'rejected') this.home.settled(this.connection.number, copy.message.name, name)
      consumer.queue.settled(copy, name, { batch, now, stamp }, delay === 0xffff_ffff ? -1 : delay)
    }
  }
}

/** Requests that change names, or what is in a queue: answered when the disk has it. */
export function waitsForDisk(name: string): boolean {
  return /^(declare|delete|bind|unbind|purge)|^settle$/.test(name)
}

function jsonOf({ body }: PlainFrame): Json {
  return JSON.parse(body.toString()) as Json
}
