/**
 * The calls of a channel. Each checks its arguments, throws UsageError at once for a mistake, and hands over to the room that does it:
 *
 *     declare, bind, …   → the broker, and recovery/topology, which remembers
 *     publish, publisher → publishing/
 *     consume, get, …    → consuming/
 *     request, respond   → requests/
 */
import {
  type BindExchangeRequest,
  type BindQueueRequest,
  type CheckExchangeResult,
  type CheckQueueResult,
  type DeclareExchangeRequest,
  type DeclareQueueRequest,
  type EncodedName,
  Flag,
  headersToJson,
  type ListItems,
  type ListKind,
  type RequestName,
  type ResultBodies,
  WireError,
} from '@waybill/protocol'
import { checkedTimeout, checkHandler, checkHeaders, checkOptions, checkSignal, closeTimeoutOf, defined, flagsOf } from './arguments.js'
import type { EncodedBody } from './body.js'
import { randomName } from './clock.js'
import { checkConsumeOptions } from './consuming/consume-options.js'
import { ChannelConsumer, closeTimeoutMsDefault, type Handler } from './consuming/consumer.js'
import { GetTarget } from './consuming/get.js'
import type { Delivery } from './consuming/message.js'
import { MessageStream } from './consuming/stream.js'
import { asWaybillError, PublishError, UsageError, WaybillError } from './errors.js'
import { abortError, PublishCall } from './publishing/call.js'
import { metaOf, plainMeta } from './publishing/meta.js'
import type { EncodedNames } from './publishing/names.js'
import { ChannelPublisher, type PublisherHome } from './publishing/publisher.js'
import { closedError, type Lifeline } from './recovery/lifeline.js'
import { answerMsMax } from './recovery/restore.js'
import { responder } from './requests/respond.js'
import type { Requests } from './requests/request.js'
import type { ChannelCore } from './session/channel-core.js'
import type {
  BindOptions,
  Channel,
  Confirmation,
  ConsumeOptions,
  Consumer,
  ExchangeOptions,
  GetOptions,
  Message,
  Publisher,
  PublisherOptions,
  PublishOptions,
  QueueInfo,
  QueueOptions,
  Untyped,
} from './types.js'

const listPageCount = 1_000

/** What all channels of a connection share. */
export interface Shared {
  readonly lifeline: Lifeline
  readonly names: EncodedNames
  readonly body: EncodedBody
  readonly requests: Requests
  /** Every channel that has not been closed, but the connection itself. */
  readonly channels: Set<ClientChannel>
}

export class ClientChannel implements Channel, PublisherHome {
  readonly names: EncodedNames
  readonly body: EncodedBody
  readonly #shared: Shared
  readonly #core: ChannelCore
  readonly #lifeline: Lifeline
  #state: 'open' | 'closing' | 'closed' = 'open'
  #closing: Promise<void> | undefined

  constructor(shared: Shared, core: ChannelCore) {
    this.#shared = shared
    this.#core = core
    this.#lifeline = shared.lifeline
    this.names = shared.names
    this.body = shared.body
  }

  get log() {
    return this.#lifeline.log
  }

  get outbox() {
    return this.#core.outbox
  }

  get offline() {
    return this.#lifeline.settings.offline
  }

  // ─── exchanges, queues, bindings ────────────────────────────────────────

  declareQueue(name?: string, options: QueueOptions = {}): Promise<QueueInfo> {
    checkOptions('a queue', options, ['durable', 'exclusive', 'autoDelete', 'expiresMs'])
    if (name !== undefined) this.#checkName('queue', name)
    if (name === '') throw new UsageError('NAME_INVALID', 'a queue has a name; leave it out and one is made')
    const queue = name ?? `client.${randomName(this.#lifeline.clock, 20)}`
    const durable = options.durable ?? (name !== undefined && options.exclusive !== true)
    const body: DeclareQueueRequest & { queue: string } = { ...defined(options), queue, durable }
    return this.#call('declareQueue', body, () => this.#lifeline.topology.queueDeclared(body))
  }

  declareExchange(name: string, options: ExchangeOptions): Promise<{ created: boolean }> {
    checkOptions('an exchange', options, ['type', 'durable', 'autoDelete', 'internal', 'alternate'])
    this.#checkName('exchange', name)
    const body: DeclareExchangeRequest = { ...defined(options), exchange: name }
    return this.#call('declareExchange', body, () => this.#lifeline.topology.exchangeDeclared(body))
  }

  checkQueue(queue: string): Promise<CheckQueueResult> {
    this.#checkName('queue', queue)
    return this.#call('checkQueue', { queue })
  }

  checkExchange(exchange: string): Promise<CheckExchangeResult> {
    this.#checkName('exchange', exchange)
    return this.#call('checkExchange', { exchange })
  }

  deleteQueue(queue: string, options: { ifUnused?: boolean; ifEmpty?: boolean } = {}): Promise<{ deleted: boolean; messageCount: number }> {
    checkOptions('deleting a queue', options, ['ifUnused', 'ifEmpty'])
    this.#checkName('queue', queue)
    return this.#call('deleteQueue', { ...defined(options), queue }, () => this.#lifeline.topology.queueDeleted(queue))
  }

  deleteExchange(exchange: string, options: { ifUnused?: boolean } = {}): Promise<{ deleted: boolean }> {
    checkOptions('deleting an exchange', options, ['ifUnused'])
    this.#checkName('exchange', exchange)
    return this.#call('deleteExchange', { ...defined(options), exchange }, () => this.#lifeline.topology.exchangeDeleted(exchange))
  }

  purgeQueue(queue: string): Promise<{ messageCount: number }> {
    this.#checkName('queue', queue)
    return this.#call('purgeQueue', { queue })
  }

  bindQueue(queue: string, exchange: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = this.#queueBinding(queue, exchange, key, options)
    return this.#change('bindQueue', body, () => this.#lifeline.topology.queueBound(body))
  }

  unbindQueue(queue: string, exchange: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = this.#queueBinding(queue, exchange, key, options)
    return this.#change('unbindQueue', body, () => this.#lifeline.topology.queueUnbound(body))
  }

  bindExchange(target: string, source: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = this.#exchangeBinding(target, source, key, options)
    return this.#change('bindExchange', body, () => this.#lifeline.topology.exchangeBound(body))
  }

  unbindExchange(target: string, source: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = this.#exchangeBinding(target, source, key, options)
    return this.#change('unbindExchange', body, () => this.#lifeline.topology.exchangeUnbound(body))
  }

  list<K extends ListKind>(kind: K, options: { prefix?: string; limit?: number } = {}): Promise<ListItems[K][]> {
    checkOptions('a list', options, ['prefix', 'limit'])
    return this.#list(kind, options.prefix, options.limit ?? Infinity)
  }

  // ─── publishing ─────────────────────────────────────────────────────────

  publish(exchange: string, routingKey: string, body: unknown, options?: PublishOptions): Promise<Confirmation> {
    return this.#publish(exchange, routingKey, body, options, 0)
  }

  sendToQueue(queue: string, body: unknown, options?: PublishOptions): Promise<Confirmation> {
    return this.#publish('', queue, body, options, Flag.mandatory)
  }

  publisher<E extends string>(exchange: E, options: PublisherOptions = {}): Publisher<Untyped, E> {
    this.assertOpen()
    return new ChannelPublisher(this, exchange, options) as Publisher<Untyped, E>
  }

  request<T = unknown>(exchange: string, routingKey: string, body: unknown, options: PublishOptions = {}): Promise<Message<T>> {
    if (typeof options !== 'object' || options === null) throw new UsageError('OPTION_INVALID', 'the options of request are an object')
    checkSignal(options.signal)
    try {
      this.assertOpen()
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#shared.requests.request((own) => this.publish(exchange, routingKey, body, own), options)
  }

  // ─── consuming ──────────────────────────────────────────────────────────

  consume(queue: string, handler: (message: Message<never>) => unknown, options: ConsumeOptions = {}): Promise<Consumer> {
    return this.#consume(queue, handler as unknown as Handler, options, false)
  }

  messages(queue: string, options: Omit<ConsumeOptions, 'concurrency'> = {}): AsyncIterableIterator<Message<never>> {
    checkConsumeOptions(options)
    if ('concurrency' in options) {
      throw new UsageError('OPTION_UNKNOWN', "messages has no option 'concurrency': who loops takes one at a time; consume has it")
    }
    this.#checkName('queue', queue)
    const { ack = 'manual' } = options
    const consume = (handler: Handler): Promise<ChannelConsumer> => this.#consume(queue, handler, { ...options, ack }, true)
    return new MessageStream(consume, ack) as unknown as AsyncIterableIterator<Message<never>>
  }

  get(queue: string, options: GetOptions = {}): Promise<Message<never> | undefined> {
    checkOptions('get', options, ['waitMs', 'signal'])
    this.#checkName('queue', queue)
    const { waitMs = 0, signal } = options
    checkSignal(signal)
    if (!Number.isInteger(waitMs) || waitMs < 0)
      throw new UsageError('OPTION_INVALID', 'waitMs is a whole number of milliseconds, 0 or more')
    const got = signal === undefined ? this.#get(queue, waitMs, undefined) : untilAborted(signal, (own) => this.#get(queue, waitMs, own))
    return got as Promise<Message<never> | undefined>
  }

  respond<T = unknown>(queue: string, handler: (message: Message<T>) => unknown, options: ConsumeOptions = {}): Promise<Consumer> {
    checkConsumeOptions(options)
    checkHandler(handler)
    const { parse: _parse, ...rest } = options
    const reply = (to: string, body: unknown, own: PublishOptions): Promise<unknown> => this.publish('', to, body, own)
    return this.#consume(queue, responder(handler as (message: Delivery) => unknown, reply, options), rest, false)
  }

  // ─── the end ────────────────────────────────────────────────────────────

  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.end(closeTimeoutOf(options, closeTimeoutMsDefault))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Ends this channel alone; a connection ends everything. */
  protected async end(timeoutMs: number): Promise<void> {
    await this.finish(timeoutMs)
    const link = this.#lifeline.link
    const closed = new WaybillError('CLOSED', 'the channel is closed')
    if (link !== undefined && this.#core.isOpen) {
      this.#core.stop(closed)
      try {
        await link.request('close', this.#core.number, {}, answerMsMax)
      } catch (error) {
        this.log({
          level: 'debug',
          event: 'close-unanswered',
          channel: this.#core.number,
          message: asWaybillError(error, 'CLOSE_FAILED').message,
        })
      }
    }
    this.#lifeline.removeChannel(this.#core, closed)
    this.#shared.channels.delete(this)
  }

  /** Consumers stop and finish, then what was published is confirmed, all within `timeoutMs`. Until then handlers may publish. */
  async finish(timeoutMs: number): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    const { clock } = this.#lifeline
    const deadline = clock.now() + timeoutMs
    await Promise.all(this.#core.consumers.map((consumer) => consumer.close({ timeoutMs })))
    if (!this.outbox.idle && this.#lifeline.ended === undefined) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, Math.max(0, deadline - clock.now()))
        this.outbox.settled().then(() => {
          clock.clearTimeout(timer)
          resolve()
        })
      })
    }
    this.#state = 'closed'
  }

  assertOpen(): void {
    this.#assertOpen()
  }

  // ─── inside ─────────────────────────────────────────────────────────────

  #publish(
    exchange: string,
    routingKey: string,
    content: unknown,
    options: PublishOptions | undefined,
    ownFlags: number,
  ): Promise<Confirmation> {
    const { outbox, body, names } = this
    if (this.#state === 'closed') return Promise.reject(new PublishError('CLOSED', 'not published: the channel is closed', 'no'))
    const exchangeBytes = names.get(exchange)
    const key = names.get(routingKey)
    body.encode(content)
    const call = new PublishCall()
    if (options === undefined) {
      const deadline = outbox.deadline()
      this.#take(call, routingKey, exchangeBytes, key, plainMeta[body.form], true, Flag.confirm | ownFlags, deadline, false)
      return call.promise
    }
    if (typeof options !== 'object' || options === null) throw new UsageError('OPTION_INVALID', 'the options of publish are an object')
    const { timeoutMs, signal, persistent = true } = options
    checkSignal(signal)
    if (signal?.aborted) return Promise.reject(abortError(signal, 'no'))
    const flags = flagsOf(options) | ownFlags
    const deadline = timeoutMs === undefined ? outbox.deadline() : this.#lifeline.clock.now() + checkedTimeout(timeoutMs)
    let meta: ReturnType<typeof metaOf>
    try {
      meta = metaOf(body.form, options)
    } catch (error) {
      if (error instanceof PublishError) return Promise.reject(error)
      throw error
    }
    if (signal !== undefined) call.endWith(signal, outbox)
    this.#take(call, routingKey, exchangeBytes, key, meta, persistent, flags, deadline, timeoutMs !== undefined)
    return call.promise
  }

  #take(
    call: PublishCall,
    routingKey: string,
    exchange: EncodedName,
    key: EncodedName,
    meta: ReturnType<typeof metaOf>,
    persistent: boolean,
    flags: number,
    deadline: number,
    timed: boolean,
  ): void {
    const { bytes, size } = this.body
    try {
      this.outbox.take(call, 0, routingKey, exchange, key, meta, persistent, bytes, size, flags, deadline, timed)
    } catch (error) {
      if (!(error instanceof PublishError)) throw error
      call.refused(0, 0, routingKey, true, error)
    }
  }

  #consume(queue: string, handler: Handler, options: ConsumeOptions, selfSettled: boolean): Promise<ChannelConsumer> {
    checkConsumeOptions(options)
    this.#checkName('queue', queue)
    checkHandler(handler)
    return this.#startConsumer(queue, handler, options, selfSettled)
  }

  async #startConsumer(queue: string, handler: Handler, options: ConsumeOptions, selfSettled: boolean): Promise<ChannelConsumer> {
    this.#assertOpen()
    if (this.#state === 'closing') throw new WaybillError('CLOSED', 'the channel is closing')
    if (options.signal?.aborted) throw new WaybillError('ABORTED', 'the signal was aborted before', { cause: options.signal.reason })
    const core = this.#core
    const consumer = new ChannelConsumer(core, core.nextConsumerId(), queue, handler, options, selfSettled)
    core.add(consumer.id, consumer)
    try {
      await this.#call('consume', consumer.request())
    } catch (error) {
      const failure = asWaybillError(error, 'CONSUME_FAILED')
      consumer.ended({ reason: 'refused', error: failure })
      // The broker may make it all the same; then it must not deliver to nobody, again and again.
      if (failure.code === 'TIMEOUT') core.disown(consumer)
      throw failure
    }
    consumer.established = true
    if (consumer.isLeaving) {
      // It was closed while the broker made it, and has not been cancelled.
      core.disown(consumer)
      throw new WaybillError('CLOSED', `the consumer of '${queue}' was closed before it had begun`)
    }
    return consumer
  }

  async #get(queue: string, waitMs: number, signal: AbortSignal | undefined): Promise<Delivery | undefined> {
    this.#assertOpen()
    const core = this.#core
    const { clock } = this.#lifeline
    const deadline = clock.now() + waitMs
    for (;;) {
      const id = core.nextConsumerId()
      const target = new GetTarget(core, queue)
      const unwant = (): void => target.unwant()
      signal?.addEventListener('abort', unwant, { once: true })
      core.add(id, target)
      try {
        const link = this.#lifeline.link ?? (await this.#lifeline.online(clock.now() + waitMs + answerMsMax))
        const left = Math.max(0, Math.ceil(deadline - clock.now()))
        try {
          await link.request('get', core.number, { consumer: id, queue, ack: 'manual', waitMs: left }, left + answerMsMax)
          return target.delivery
        } catch (error) {
          const isLost = !link.alive && error instanceof WaybillError && error.code === 'CONNECTION_LOST'
          if (!isLost || this.#lifeline.ended !== undefined || signal?.aborted) throw error
        }
      } finally {
        core.remove(id)
        signal?.removeEventListener('abort', unwant)
      }
    }
  }

  /** Asks the broker on this channel; `remember` is called when it has said yes. */
  async #call<K extends RequestName>(name: K, body: object, remember?: () => void): Promise<ResultBodies[K]> {
    this.#assertOpen()
    const result = await this.#lifeline.call(name, this.#core.number, body)
    remember?.()
    return result
  }

  async #change(name: RequestName, body: object, remember: () => void): Promise<void> {
    await this.#call(name, body, remember)
  }

  /** Page after page, each from where the one before ended. */
  async #list<K extends ListKind>(kind: K, prefix: string | undefined, limit: number): Promise<ListItems[K][]> {
    this.#assertOpen()
    const items: ListItems[K][] = []
    let after: string | undefined
    do {
      const body = { ...defined({ prefix, after }), kind, limit: Math.min(listPageCount, limit - items.length) }
      const page = await this.#lifeline.call('list', 0, body)
      items.push(...(page.items as ListItems[K][]))
      after = page.next
    } while (after !== undefined && items.length < limit)
    return items
  }

  #assertOpen(): void {
    if (this.#state === 'closed') throw new WaybillError('CLOSED', 'the channel is closed')
    const { ended } = this.#lifeline
    if (ended !== undefined) throw closedError(ended)
  }

  #checkName(what: string, name: string): void {
    if (typeof name !== 'string')
      throw new UsageError('NAME_INVALID', `the name of the ${what} is a string, not ${name === null ? 'null' : typeof name}`)
    this.names.get(name)
  }

  #queueBinding(queue: string, exchange: string, key: string, options: BindOptions): BindQueueRequest {
    this.#checkName('queue', queue)
    this.#checkName('exchange', exchange)
    return { ...this.#bindingOptions(key, options), queue, exchange }
  }

  #exchangeBinding(target: string, source: string, key: string, options: BindOptions): BindExchangeRequest {
    this.#checkName('exchange', target)
    this.#checkName('exchange', source)
    return { ...this.#bindingOptions(key, options), source, target }
  }

  #bindingOptions(key: string, options: BindOptions) {
    checkOptions('a binding', options, ['headers', 'match'])
    this.#checkName('routing key', key)
    const { headers, match } = options
    checkHeaders(headers)
    try {
      return { key, ...(headers === undefined ? {} : { headers: headersToJson(headers) }), ...(match === undefined ? {} : { match }) }
    } catch (error) {
      if (error instanceof WireError) throw new UsageError('PROPERTY_INVALID', error.message, { cause: error })
      throw error
    }
  }
}

/** What `start` gives, unless the signal is aborted before. */
function untilAborted<T>(signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const aborted = (): WaybillError => new WaybillError('ABORTED', 'the call was aborted by its signal', { cause: signal.reason })
  if (signal.aborted) return Promise.reject(aborted())
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted())
    signal.addEventListener('abort', abort, { once: true })
    start(signal)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}
