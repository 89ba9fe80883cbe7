/**
 * The life of a client of the client package on a simulated network and clock: everything its surface offers, at random, and what it
 * promises, checked from the program's side:
 *
 *     every promise settles, and is rejected with a named error only
 *     what was confirmed has been taken; what was rejected with stored 'no' has not, however the connection fared
 *     a message is whole when it comes, and still is when its handler is done
 *     a handler alone sees the messages of its queue in order, but for those that had been away
 */
import { PublishError, RejectError, RetryError, WaybillError } from '@waybill/client'
import type { Channel, Connection, Consumer, ConsumeOptions, Message, Publisher } from '@waybill/client'
import { connectWith, type Ports } from '@waybill/client/testing'
import { fairWeather, type Peer, type Random, randomWeather, type Weather, type World } from '../../dist/sim/index.js'
import { ProgramMessages } from './client-messages.js'
import { simulatedPorts } from './client-ports.js'
import { Promises } from './client-promises.js'

type Action = (channel: Channel, random: Random) => void

export class ClientLife implements Peer {
  readonly #world: World
  readonly #random: Random
  readonly #name: string
  readonly #publisher: number
  readonly #promises: Promises
  readonly #messages: ProgramMessages
  #connection: Connection | undefined
  #channels: Channel[] = []
  #consumers: Consumer[] = []
  #publishers: Publisher[] = []
  #isLeaving = false

  constructor(world: World, number: number) {
    this.#world = world
    this.#random = world.random(`client ${number}`)
    this.#name = `client ${number}`
    this.#publisher = world.nextPublisher()
    this.#promises = new Promises(world, this.#name)
    this.#messages = new ProgramMessages(world, this.#random, this.#publisher, (message) => this.#promises.fail(message))
    this.#connect()
  }

  get isGone(): boolean {
    return this.#isLeaving && this.#promises.areKept
  }

  get waitsFor(): string {
    return this.#promises.waitsFor
  }

  act(): void {
    const channel = this.#channels.length === 0 ? this.#connection : this.#random.pick([this.#connection, ...this.#channels])
    if (channel === undefined) return
    const name = this.#random.weighted(weights)!
    this.#world.tally.count(`client ${name}`)
    try {
      this.#actions[name]!(channel, this.#random)
    } catch (error) {
      // A channel that has been closed meanwhile, a publisher that is full: said at once.
      if (!(error instanceof WaybillError)) throw error
      this.#world.tally.count(`client threw ${error.code}`)
    }
  }

  calm(): void {
    this.#isLeaving = true
    const connection = this.#connection
    if (connection !== undefined) this.#leave(connection)
  }

  // ─── coming and going ───────────────────────────────────────────────────

  #connect(): void {
    const { profile } = this.#world
    const random = this.#random
    this.#promises.track(
      'connect',
      () =>
        connectWith(this.#ports(), random.chance(0.5) ? 'waybill://one' : ['waybill://one', 'waybill://two'], {
          name: this.#name,
          connectTimeoutMs: random.pick([2_000, 60_000]),
          heartbeatMs: profile.heartbeatMs,
          recovery: random.chance(0.9) ? { backoffMs: 20, backoffMaxMs: 2_000 } : false,
          offline: random.pick(['wait', 'fail', 'buffer']),
          offlineSizeMax: random.spread(1_000, 1_000_000),
          unconfirmed: this.#resends ? 'resend' : 'reject',
          log: ({ event }) => this.#world.tally.count(`client log ${event}`),
        }),
      (connection) => {
        connection.on('status', ({ state }) => this.#world.tally.count(`client status ${state}`))
        if (this.#isLeaving) this.#leave(connection)
        else this.#connection = connection
      },
    )
  }

  #leave(connection: Connection): void {
    this.#connection = undefined
    this.#channels = []
    this.#publishers = []
    this.#consumers = []
    this.#messages.letGo()
    this.#promises.track(
      'close',
      () => connection.close({ timeoutMs: this.#random.spread(10, 20_000) }),
      () => this.#again(),
      () => this.#again(),
    )
  }

  #again(): void {
    if (!this.#isLeaving) this.#connect()
  }

  get #resends(): boolean {
    return this.#publisher % 3 === 0
  }

  #ports(): Ports {
    const world = this.#world
    const weather = (): Weather => (world.isCalm ? fairWeather() : randomWeather(this.#random))
    return simulatedPorts(world, world.random(`${this.#name}, its own`), weather, (connection) =>
      world.checkers.watchSettlements(connection, (message, outcome) => this.#messages.hasSettled(message, outcome)),
    )
  }

  // ─── what it does ───────────────────────────────────────────────────────

  readonly #actions: Readonly<Record<keyof typeof weights, Action>> = {
    publish: (channel, random) => {
      for (let i = random.spread(1, 20); i > 0; i--) this.#publish(channel, random)
    },

    'send through a publisher': (_channel, random) => {
      if (this.#publishers.length === 0) return
      const publisher = random.pick(this.#publishers)
      for (let i = random.spread(1, 100); i > 0 && !publisher.full; i--) {
        const { body } = this.#messages.make(random)
        publisher.send(
          this.#world.vocabulary.key(random),
          body,
          random.chance(0.2) ? { headers: this.#world.vocabulary.headers(random) } : {},
        )
      }
      if (publisher.full) this.#promises.track('ready', () => publisher.ready())
      else if (random.chance(0.2)) this.#promises.track('flush of a publisher', () => publisher.flush())
    },

    'make a publisher': (channel, random) => {
      if (this.#publishers.length >= 2) return
      const publisher = channel.publisher(this.#exchange(random), {
        confirm: random.chance(0.8),
        window: random.spread(1, 300),
        sizeMax: random.spread(2_000_000, 8_000_000),
      })
      if (random.chance(0.7)) publisher.on('refused', () => this.#world.tally.count('client refused'))
      this.#publishers.push(publisher)
    },

    'close a publisher': () => {
      const publisher = this.#publishers.shift()
      if (publisher !== undefined) this.#promises.track('close of a publisher', () => publisher.close())
    },

    consume: (channel, random) => {
      if (this.#consumers.length < 4) this.#consume(channel, random)
    },

    'close a consumer': (_channel, random) => {
      const [consumer] = this.#consumers.splice(random.below(4), 1)
      if (consumer !== undefined) this.#promises.track('close of a consumer', () => consumer.close({ timeoutMs: random.spread(1, 5_000) }))
    },

    'set a window': (_channel, random) => {
      if (this.#consumers.length > 0) random.pick(this.#consumers).setPrefetch(random.chance(0.2) ? 0 : random.spread(1, 300))
    },

    'flush settlements': (_channel, random) => {
      if (this.#consumers.length === 0) return
      const consumer = random.pick(this.#consumers)
      this.#promises.track('flush of a consumer', () => consumer.flush())
    },

    'settle what is held': (_channel, random) => {
      this.#messages.settleHeld(random.spread(1, 20), random)
    },

    get: (channel, random) => {
      const waitMs = this.#world.profile.getsAtOnce && random.chance(0.6) ? 0 : random.spread(1, 3_000)
      const signal = random.chance(0.1) ? this.#abortIn(random.spread(1, 500)) : undefined
      this.#promises.track(
        'get',
        () => channel.get(this.#queue(random), { waitMs, ...(signal === undefined ? {} : { signal }) }),
        (message) => {
          if (message !== undefined) this.#messages.hold(message)
        },
      )
    },

    iterate: (channel, random) => this.#promises.track('messages', () => this.#iterate(channel, random)),
    'request and respond': (channel, random) => this.#promises.track('request', () => this.#ask(channel, random)),

    declare: (channel, random) => {
      const queue = this.#queue(random)
      this.#promises.track('declareQueue', () =>
        random.chance(0.15) ? channel.declareQueue() : channel.declareQueue(queue, queue === 'images' ? { autoDelete: true } : {}),
      )
      const { exchanges } = this.#world.vocabulary
      if (exchanges.length === 0) return
      const exchange = random.pick(exchanges)
      this.#promises.track('declareExchange', () => channel.declareExchange(exchange, { type: this.#world.vocabulary.typeOf(exchange) }))
      const key = this.#world.vocabulary.pattern(random, this.#world.vocabulary.typeOf(exchange))
      this.#promises.track('bindQueue', () => channel.bindQueue(queue, exchange, key))
    },

    undo: (channel, random) => {
      const what = random.pick(['unbind', 'purge', 'delete', 'check'])
      const queue = this.#queue(random)
      if (what === 'unbind')
        this.#promises.track('unbindQueue', () => channel.unbindQueue(queue, this.#exchange(random), this.#world.vocabulary.key(random)))
      else if (what === 'purge') this.#promises.track('purgeQueue', () => channel.purgeQueue(queue))
      else if (what === 'delete') this.#promises.track('deleteQueue', () => channel.deleteQueue(queue, { ifUnused: random.chance(0.8) }))
      else this.#promises.track('checkQueue', () => channel.checkQueue(queue))
    },

    list: (channel, random) =>
      this.#promises.track('list', () => channel.list(random.pick(['queues', 'exchanges', 'consumers', 'connections'] as const))),

    'open a channel': () => {
      const connection = this.#connection
      if (connection === undefined || this.#channels.length >= 3) return
      this.#promises.track(
        'channel',
        () => connection.channel(),
        (channel) => void this.#channels.push(channel),
      )
    },

    'close a channel': (_channel, random) => {
      const [channel] = this.#channels.splice(random.below(3), 1)
      if (channel !== undefined) this.#promises.track('close of a channel', () => channel.close({ timeoutMs: random.spread(1, 5_000) }))
    },

    'close the connection': () => {
      if (this.#connection !== undefined) this.#leave(this.#connection)
    },
  }

  #publish(channel: Channel, random: Random): void {
    const { checkers, vocabulary } = this.#world
    const { body, name } = this.#messages.make(random)
    const exchange = this.#exchange(random)
    const key = exchange === '' ? this.#queue(random) : vocabulary.key(random)
    const options = {
      persistent: random.chance(0.7),
      mandatory: random.chance(0.2),
      timeoutMs: random.pick([50, 5_000, 30_000]),
      ...(random.chance(0.2) ? { headers: vocabulary.headers(random) } : {}),
      ...(random.chance(0.05) ? { signal: this.#abortIn(random.spread(1, 100)) } : {}),
    }
    this.#promises.track(
      'publish',
      () =>
        exchange === '' && random.chance(0.5) ? channel.sendToQueue(key, body, options) : channel.publish(exchange, key, body, options),
      ({ id, level, queues }) => {
        const taken = checkers.takenAs(name)
        if (taken.length === 0) this.#promises.fail(`message ${name} is confirmed as ${id} for ${queues} queues, and was never taken`)
        if (level !== 'received' && this.#world.profile.data === undefined)
          this.#promises.fail(`level ${level} is confirmed by a broker that keeps nothing`)
        if (!taken.some((message) => id.endsWith(`-${message.id}`)))
          this.#promises.fail(`message ${name} is confirmed as ${id}, but has other ids`)
      },
      (error) => {
        if (!(error instanceof PublishError)) return
        if (error.stored === 'no') checkers.expectNotTaken(name, error.code)
      },
    )
  }

  #consume(channel: Channel, random: Random): void {
    const ack = random.pick(['on-success', 'on-success', 'manual', 'none'] as const)
    const concurrency = random.chance(0.5) ? 1 : random.spread(1, 20)
    const options: ConsumeOptions = {
      ack,
      concurrency,
      ...(random.chance(0.5) ? { prefetch: random.spread(concurrency, 200) } : {}),
      ...(random.chance(0.2) ? { priority: random.between(-2, 2) } : {}),
      ...(random.chance(0.05) ? { exclusive: true } : {}),
    }
    let last = -1
    const handler = (message: Message): unknown => {
      this.#messages.look(message)
      const number = this.#messages.numberOf(message)
      const inOrder = concurrency === 1 && ack !== 'manual' && !message.redelivered && number !== undefined
      if (inOrder && number < last)
        this.#promises.fail(`message ${message.id} of queue '${message.queue}', taken as the ${number}., is handled behind the ${last}.`)
      if (inOrder) last = number
      this.#world.tally.count(`client handled, ack ${ack}`)
      return ack === 'manual' ? this.#messages.hold(message) : this.#handle(message, random)
    }
    this.#promises.track(
      'consume',
      () => channel.consume(this.#queue(random), handler, options),
      (consumer) => {
        consumer.on('error', () => this.#world.tally.count('client handler threw'))
        this.#consumers.push(consumer)
        this.#promises.track(
          'the end of a consumer',
          () => consumer.closed,
          ({ reason }) => {
            this.#world.tally.count(`client consumer ended: ${reason}`)
            this.#consumers = this.#consumers.filter((each) => each !== consumer)
          },
        )
      },
    )
  }

  async #handle(message: Message, random: Random): Promise<void> {
    if (random.chance(0.7)) await this.#sleep(random.spread(1, 100) - 1)
    this.#messages.look(message)
    const end = random.weighted({ return: 85, throw: 6, retry: 5, reject: 4 })!
    if (end === 'return') this.#messages.note(message, 'acked')
    if (end === 'reject') this.#messages.note(message, 'rejected')
    if (end === 'throw') throw new Error('the handler does not like it')
    if (end === 'retry') throw new RetryError('not now', { delayMs: random.spread(1, 300) })
    if (end === 'reject') throw new RejectError('never')
  }

  async #iterate(channel: Channel, random: Random): Promise<void> {
    let left = random.spread(1, 20)
    for await (const message of channel.messages(this.#queue(random), {
      prefetch: random.spread(1, 20),
      signal: this.#abortIn(random.spread(100, 5_000)),
    })) {
      this.#messages.look(message)
      this.#messages.settle(message, random)
      if (--left <= 0) break
    }
  }

  /** A question to nobody fails at once; one to a responder is answered, unless somebody else has the queue. */
  async #ask(channel: Channel, random: Random): Promise<void> {
    const { queue } = await channel.declareQueue(`questions ${this.#name} ${this.#promises.count}`, { autoDelete: true })
    const responder = await channel.respond(queue, (message) => {
      if (random.chance(0.2)) throw new Error('no answer')
      return { of: message.content.length }
    })
    this.#promises.track('the end of a responder', () => responder.closed)
    try {
      const reply = await channel.request<{ of: number }>('', queue, { question: 1 }, { timeoutMs: 5_000 })
      if (reply.body.of !== 14) this.#promises.fail(`the answer is ${JSON.stringify(reply.body)}`)
      this.#world.tally.count('client question answered')
    } finally {
      await responder.close()
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.timeline.in(ms, resolve))
  }

  #abortIn(ms: number): AbortSignal {
    const controller = new AbortController()
    this.#world.timeline.in(ms, () => controller.abort())
    return controller.signal
  }

  #queue(random: Random): string {
    return random.pick(this.#world.vocabulary.queues)
  }

  #exchange(random: Random): string {
    const { exchanges } = this.#world.vocabulary
    return exchanges.length === 0 || random.chance(0.3) ? '' : random.pick(exchanges)
  }
}

const weights = {
  publish: 25,
  'send through a publisher': 15,
  'make a publisher': 3,
  'close a publisher': 0.5,
  consume: 6,
  'close a consumer': 1.5,
  'set a window': 2,
  'flush settlements': 2,
  'settle what is held': 15,
  get: 3,
  iterate: 1,
  'request and respond': 0.7,
  declare: 6,
  undo: 1.5,
  list: 0.7,
  'open a channel': 1,
  'close a channel': 0.5,
  'close the connection': 0.2,
}

export const clientActions = Object.keys(weights)
