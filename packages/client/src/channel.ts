/**
 * The calls of a channel. Each checks its arguments, throws UsageError at once for a mistake, and hands over to the room that does it:
 *
 *     declare, bind, …   → declaring/, the broker, and recovery/topology, which remembers
 *     publish, publisher → publishing/
 *     consume, get, …    → consuming/
 *     request, respond   → requests/
 */
import {
  type CheckExchangeResult,
  type CheckQueueResult,
  Flag,
  type ListItems,
  type ListKind,
  limits,
  type RequestName,
  type ResultBodies,
} from '@waybill/protocol'
import { checkHandler, checkOptions, checkSignal, closeTimeoutOf, defined } from './arguments.js'
import type { EncodedBody } from './body.js'
import type { Clock } from './clock.js'
import { checkConsumeOptions } from './consuming/consume-options.js'
import { type ChannelConsumer, closeTimeoutMsDefault } from './consuming/consumer.js'
import { getOne, untilAborted } from './consuming/get.js'
import type { Handler } from './consuming/handlers.js'
import type { Delivery } from './consuming/message.js'
import { startConsumer } from './consuming/start.js'
import { MessageStream } from './consuming/stream.js'
import { exchangeBinding, queueBinding } from './declaring/binding.js'
import { exchangeDeclaration, queueDeclaration } from './declaring/declaration.js'
import { listAll } from './declaring/listing.js'
import { asWaybillError, UsageError, WaybillError } from './errors.js'
import { typeOfForm } from './publishing/meta.js'
import type { EncodedNames } from './publishing/names.js'
import { checkPublish, type PublishHome, publishOne } from './publishing/publish.js'
import { ChannelPublisher, type PublisherHome } from './publishing/publisher.js'
import type { Lifeline } from './recovery/lifeline.js'
import { closedError } from './recovery/refusals.js'
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

const waitMsMax = limits.waitMsMax.value

/** What all channels of a connection share. */
export interface Shared {
  readonly lifeline: Lifeline
  readonly names: EncodedNames
  readonly body: EncodedBody
  readonly requests: Requests
  /** Every channel that has not been closed, but the connection itself. */
  readonly channels: Set<ClientChannel>
}

export class ClientChannel implements Channel, PublishHome, PublisherHome {
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

  get clock(): Clock {
    return this.#lifeline.clock
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

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  // ─── exchanges, queues, bindings ────────────────────────────────────────

  declareQueue(name?: string, options: QueueOptions = {}): Promise<QueueInfo> {
    const body = queueDeclaration(this.names, this.clock, name, options)
    return this.#call('declareQueue', body, () => this.#lifeline.topology.queueDeclared(body))
  }

  declareExchange(name: string, options: ExchangeOptions): Promise<{ created: boolean }> {
    const body = exchangeDeclaration(this.names, name, options)
    return this.#call('declareExchange', body, () => this.#lifeline.topology.exchangeDeclared(body))
  }

  checkQueue(queue: string): Promise<CheckQueueResult> {
    this.names.check('queue', queue)
    return this.#call('checkQueue', { queue })
  }

  checkExchange(exchange: string): Promise<CheckExchangeResult> {
    this.names.check('exchange', exchange)
    return this.#call('checkExchange', { exchange })
  }

  deleteQueue(queue: string, options: { ifUnused?: boolean; ifEmpty?: boolean } = {}): Promise<{ deleted: boolean; messageCount: number }> {
    checkOptions('deleting a queue', options, ['ifUnused', 'ifEmpty'])
    this.names.check('queue', queue)
    return this.#call('deleteQueue', { ...defined(options), queue }, () => this.#lifeline.topology.queueDeleted(queue))
  }

  deleteExchange(exchange: string, options: { ifUnused?: boolean } = {}): Promise<{ deleted: boolean }> {
    checkOptions('deleting an exchange', options, ['ifUnused'])
    this.names.check('exchange', exchange)
    return this.#call('deleteExchange', { ...defined(options), exchange }, () => this.#lifeline.topology.exchangeDeleted(exchange))
  }

  purgeQueue(queue: string): Promise<{ messageCount: number }> {
    this.names.check('queue', queue)
    return this.#call('purgeQueue', { queue })
  }

  bindQueue(queue: string, exchange: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = queueBinding(this.names, queue, exchange, key, options)
    return this.#change('bindQueue', body, () => this.#lifeline.topology.queueBound(body))
  }

  unbindQueue(queue: string, exchange: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = queueBinding(this.names, queue, exchange, key, options)
    return this.#change('unbindQueue', body, () => this.#lifeline.topology.queueUnbound(body))
  }

  bindExchange(target: string, source: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = exchangeBinding(this.names, target, source, key, options)
    return this.#change('bindExchange', body, () => this.#lifeline.topology.exchangeBound(body))
  }

  unbindExchange(target: string, source: string, key = '', options: BindOptions = {}): Promise<void> {
    const body = exchangeBinding(this.names, target, source, key, options)
    return this.#change('unbindExchange', body, () => this.#lifeline.topology.exchangeUnbound(body))
  }

  list<K extends ListKind>(kind: K, options: { prefix?: string; limit?: number } = {}): Promise<ListItems[K][]> {
    checkOptions('a list', options, ['prefix', 'limit'])
    const ask = (body: object): Promise<ResultBodies['list']> => this.#lifeline.call('list', 0, body)
    return this.#whileOpen(() => listAll(ask, kind, options.prefix, options.limit ?? Infinity))
  }

  // ─── publishing ─────────────────────────────────────────────────────────

  publish(exchange: string, routingKey: string, body: unknown, options?: PublishOptions): Promise<Confirmation> {
    return publishOne(this, exchange, routingKey, body, options, 0)
  }

  sendToQueue(queue: string, body: unknown, options?: PublishOptions): Promise<Confirmation> {
    return publishOne(this, '', queue, body, options, Flag.mandatory)
  }

  publisher<E extends string>(exchange: E, options: PublisherOptions = {}): Publisher<Untyped, E> {
    this.assertOpen()
    return new ChannelPublisher(this, exchange, options) as Publisher<Untyped, E>
  }

  request<T = unknown>(exchange: string, routingKey: string, body: unknown, options: PublishOptions = {}): Promise<Message<T>> {
    if (typeof options !== 'object' || options === null) throw new UsageError('OPTION_INVALID', 'the options of request are an object')
    // It is published when there is a queue for the reply: what is wrong with it is said now, and the body is what it is now.
    checkPublish(this, exchange, routingKey, body, options)
    const content = this.body.copy()
    const contentType = options.contentType ?? typeOfForm[this.body.form]
    const publish = (own: PublishOptions): Promise<Confirmation> => this.publish(exchange, routingKey, content, own)
    return this.#whileOpen(() => this.#shared.requests.request(publish, { ...options, contentType }))
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
    this.names.check('queue', queue)
    const { ack = 'manual' } = options
    const consume = (handler: Handler): Promise<ChannelConsumer> => this.#consume(queue, handler, { ...options, ack }, true)
    return new MessageStream(consume, ack) as unknown as AsyncIterableIterator<Message<never>>
  }

  get(queue: string, options: GetOptions = {}): Promise<Message<never> | undefined> {
    checkOptions('get', options, ['waitMs', 'signal'])
    this.names.check('queue', queue)
    const { waitMs = 0, signal } = options
    checkSignal(signal)
    if (!Number.isInteger(waitMs) || waitMs < 0 || waitMs > waitMsMax)
      throw new UsageError('OPTION_INVALID', `waitMs is a whole number of milliseconds from 0 to ${waitMsMax}`)
    const ask = (own: AbortSignal | undefined): Promise<Delivery | undefined> =>
      this.#whileOpen(() => getOne(this.#core, this.#lifeline, queue, waitMs, own))
    const got = signal === undefined ? ask(undefined) : untilAborted(signal, ask)
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
    await Promise.all(this.#core.consumers.map((consumer) => consumer.leave(timeoutMs)))
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
    if (this.#state === 'closed') throw new WaybillError('CLOSED', 'the channel is closed')
    const { ended } = this.#lifeline
    if (ended !== undefined) throw closedError(ended)
  }

  // ─── inside ─────────────────────────────────────────────────────────────

  #consume(queue: string, handler: Handler, options: ConsumeOptions, selfSettled: boolean): Promise<ChannelConsumer> {
    checkConsumeOptions(options)
    this.names.check('queue', queue)
    checkHandler(handler)
    const ask = (body: object): Promise<unknown> => this.#call('consume', body)
    return this.#whileOpen(() =>
      this.#state === 'closing'
        ? Promise.reject(new WaybillError('CLOSED', 'the channel is closing'))
        : startConsumer(this.#core, ask, queue, handler, options, selfSettled),
    )
  }

  /** What is called after the end rejects. */
  #whileOpen<T>(call: () => Promise<T>): Promise<T> {
    try {
      this.assertOpen()
    } catch (error) {
      return Promise.reject(error)
    }
    return call()
  }

  /** Asks the broker on this channel; `remember` is called when it has said yes. */
  async #call<K extends RequestName>(name: K, body: object, remember?: () => void): Promise<ResultBodies[K]> {
    this.assertOpen()
    const result = await this.#lifeline.call(name, this.#core.number, body)
    remember?.()
    return result
  }

  async #change(name: RequestName, body: object, remember: () => void): Promise<void> {
    await this.#call(name, body, remember)
  }
}
