/**
 * Messages as an async iterator.
 *
 *     for await (const message of channel.messages('emails')) { …; message.ack() }
 *
 * The consumer is made when the first message is asked for. Leaving the loop closes it and requeues what has come and is not
 * settled. When the program ends the channel, the loop ends; when the broker ends the consumer, or the connection is gone for good,
 * the loop throws the reason.
 */
import { Outcome } from '@waybill/protocol'
import { asWaybillError, WaybillError } from '../errors.js'
import type { ConsumerEnd, Message } from '../types.js'
import type { ChannelConsumer } from './consumer.js'
import { DeliveryBuffer } from './delivery-buffer.js'
import type { Handler } from './handlers.js'
import type { Delivery } from './message.js'

type Result = IteratorResult<Message, undefined>
interface Waiter {
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
}

const done: Result = { done: true, value: undefined }

export class MessageStream implements AsyncIterableIterator<Message> {
  readonly #consume: (handler: Handler) => Promise<ChannelConsumer>
  readonly #mode: 'on-success' | 'manual' | 'none'
  readonly #buffer = new DeliveryBuffer()
  #waiters: Waiter[] = []
  #consumer: Promise<ChannelConsumer> | undefined
  #last: Delivery | undefined
  #ended = false
  #error: Error | undefined

  /** `consume` makes the consumer; its handler does nothing but hand the message over. */
  constructor(consume: (handler: Handler) => Promise<ChannelConsumer>, mode: 'on-success' | 'manual' | 'none') {
    this.#consume = consume
    this.#mode = mode
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    const last = this.#last
    this.#last = undefined
    if (this.#mode === 'on-success' && last !== undefined && !last.isSettled) last.settle(Outcome.ack)
    if (!this.#ended) this.#consumer ??= this.#open()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#serve()
    })
  }

  async return(): Promise<Result> {
    this.#end(undefined)
    try {
      await (await this.#consumer)?.leave(0)
    } catch {
      // It was never made, and `next` has said why.
    }
    return done
  }

  async #open(): Promise<ChannelConsumer> {
    try {
      const consumer = await this.#consume((delivery) => {
        this.#buffer.push(delivery)
        this.#serve()
      })
      consumer.closed.then((end) => this.#end(errorOf(end, consumer.queue)))
      return consumer
    } catch (error) {
      this.#end(asWaybillError(error, 'CONSUME_FAILED'))
      throw error
    }
  }

  #serve(): void {
    while (this.#waiters.length > 0 && !this.#ended) {
      const delivery = this.#buffer.shift()
      if (delivery === undefined) return
      // It came over a connection that is lost: the broker will send it again.
      if (delivery.run.revoked) continue
      if (this.#mode === 'none') delivery.settle(Outcome.ack)
      this.#last = delivery
      ;(this.#waiters.shift() as Waiter).resolve({ done: false, value: delivery })
    }
    if (!this.#ended) return
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      const error = this.#error
      this.#error = undefined
      if (error === undefined) resolve(done)
      else reject(error)
    }
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#buffer.takeAll()
    // Rejected before anybody asked: `next` has its own promise for it.
    this.#consumer?.catch(() => {})
    this.#serve()
  }
}

function errorOf(end: ConsumerEnd, queue: string): Error | undefined {
  if (end.error !== undefined) return end.error
  if (end.reason === 'closed') return undefined
  return new WaybillError(
    end.reason === 'queue-deleted' ? 'QUEUE_DELETED' : 'REFUSED',
    `the broker has ended the consumer of '${queue}': ${end.reason}`,
  )
}
