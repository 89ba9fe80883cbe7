/**
 * What this connection has declared, so that it can be declared again after a reconnect, in an order that works:
 *
 *     exchanges → queues → bindings            (consumers follow; they are their channels' affair)
 *
 * A record is made when the broker has answered, and goes when the thing is deleted or unbound, here or, as far as we are told,
 * elsewhere. What can vanish by itself (auto-delete) is forgotten when the last thing of ours that held it is gone, so that a
 * reconnect does not bring it back.
 */
import type { BindExchangeRequest, BindQueueRequest, DeclareExchangeRequest, DeclareQueueRequest } from '@waybill/protocol'
import { asWaybillError, type WaybillError } from '../errors.js'
import type { RestoreFailure } from '../types.js'

type QueueRecord = DeclareQueueRequest & { readonly queue: string }

/** Asks the broker, on whichever connection is being restored. */
export type Ask = (name: 'declareExchange' | 'declareQueue' | 'bindExchange' | 'bindQueue', body: object) => Promise<unknown>

export interface Restored {
  readonly queues: number
  readonly bindings: number
  readonly failed: RestoreFailure[]
}

export class Topology {
  readonly #exchanges = new Map<string, DeclareExchangeRequest>()
  readonly #queues = new Map<string, QueueRecord>()
  readonly #exchangeBindings = new Map<string, BindExchangeRequest>()
  readonly #queueBindings = new Map<string, BindQueueRequest>()

  exchangeDeclared(body: DeclareExchangeRequest): void {
    this.#exchanges.set(body.exchange, body)
  }

  queueDeclared(body: QueueRecord): void {
    this.#queues.set(body.queue, body)
  }

  exchangeBound(body: BindExchangeRequest): void {
    this.#exchangeBindings.set(bindingKey(body.source, body.target, body), body)
  }

  queueBound(body: BindQueueRequest): void {
    this.#queueBindings.set(bindingKey(body.exchange, body.queue, body), body)
  }

  exchangeUnbound(body: BindExchangeRequest): void {
    if (this.#exchangeBindings.delete(bindingKey(body.source, body.target, body))) this.#sourceReleased(body.source)
  }

  queueUnbound(body: BindQueueRequest): void {
    if (this.#queueBindings.delete(bindingKey(body.exchange, body.queue, body))) this.#sourceReleased(body.exchange)
  }

  exchangeDeleted(exchange: string): void {
    this.#exchanges.delete(exchange)
    for (const [key, binding] of this.#queueBindings) if (binding.exchange === exchange) this.#queueBindings.delete(key)
    for (const [key, binding] of this.#exchangeBindings) {
      if (binding.source !== exchange && binding.target !== exchange) continue
      this.#exchangeBindings.delete(key)
      if (binding.source !== exchange) this.#sourceReleased(binding.source)
    }
  }

  queueDeleted(queue: string): void {
    this.#queues.delete(queue)
    for (const [key, binding] of this.#queueBindings) {
      if (binding.queue !== queue) continue
      this.#queueBindings.delete(key)
      this.#sourceReleased(binding.exchange)
    }
  }

  /** What a queue of ours was declared and bound with. */
  ofQueue(queue: string): { readonly declared: DeclareQueueRequest | undefined; readonly bindings: readonly BindQueueRequest[] } {
    return { declared: this.#queues.get(queue), bindings: [...this.#queueBindings.values()].filter((binding) => binding.queue === queue) }
  }

  /** Our last consumer of the queue has gone. */
  queueUnused(queue: string): void {
    if (this.#queues.get(queue)?.autoDelete === true) this.queueDeleted(queue)
  }

  /** Declares everything again; what fails is reported, and the rest goes on. Rejects only when `lost` says that the connection is gone. */
  async restore(ask: Ask, lost: () => WaybillError | undefined): Promise<Restored> {
    const failed: RestoreFailure[] = []
    const all = async <T>(
      what: RestoreFailure['what'],
      items: Iterable<T>,
      nameOf: (item: T) => string,
      one: (item: T) => Promise<unknown>,
    ) => {
      const outcomes = await Promise.allSettled([...items].map(async (item) => ({ item, done: await settled(one(item)) })))
      const cause = lost()
      if (cause !== undefined) throw cause
      let restored = 0
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') continue
        const { item, done } = outcome.value
        if (done === undefined) restored++
        else failed.push({ what, name: nameOf(item), error: asWaybillError(done, 'RESTORE_FAILED') })
      }
      return restored
    }
    // Requests of one channel are carried out in the order sent, so each kind is one round trip. [P-2.7]
    await all(
      'exchange',
      this.#exchanges.values(),
      (each) => each.exchange,
      (each) => ask('declareExchange', each),
    )
    const queues = await all(
      'queue',
      this.#queues.values(),
      (each) => each.queue,
      (each) => ask('declareQueue', each),
    )
    const between = await all(
      'binding',
      this.#exchangeBindings.values(),
      (each) => `${each.source} → ${each.target}`,
      (each) => ask('bindExchange', each),
    )
    const bindings = await all(
      'binding',
      this.#queueBindings.values(),
      (each) => `${each.exchange} → ${each.queue}`,
      (each) => ask('bindQueue', each),
    )
    return { queues, bindings: between + bindings, failed }
  }

  /** A binding less from this exchange: an auto-delete one goes with the last. */
  #sourceReleased(exchange: string): void {
    if (this.#exchanges.get(exchange)?.autoDelete !== true) return
    for (const binding of this.#queueBindings.values()) if (binding.exchange === exchange) return
    for (const binding of this.#exchangeBindings.values()) if (binding.source === exchange) return
    this.exchangeDeleted(exchange)
  }
}

/** The error, or undefined. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error
  }
}

function bindingKey(source: string, target: string, binding: { key?: string; headers?: object; match?: string }): string {
  return JSON.stringify([source, target, binding.key ?? '', binding.headers ?? null, binding.match ?? null])
}
