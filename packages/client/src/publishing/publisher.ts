/**
 * Publishing without a promise for each message. Hot in `send`.
 *
 *     for (const order of orders) { if (publisher.full) await publisher.ready(); publisher.send('order.paid', order) }
 *     await publisher.flush()
 *
 * `count` and `size` are of the messages without a confirm; without confirms, of those that have not been sent yet. It is full at
 * `window` or `sizeMax`, and while something waits for the broker's credit; it is ready again at half of that, so that whoever
 * waits goes on with a batch and not with one message. Only what is full refuses: the message that reaches `sizeMax` is taken, so
 * that the loop above goes through with bodies of any size.
 */
import { type EncodedName, Flag, recordSizeOf } from '@waybill/protocol'
import type { EncodedBody } from '../body.js'
import { checkCount, checkListener, checkOptions } from '../arguments.js'
import { messageOf, PublishError, UsageError, WaybillError } from '../errors.js'
import type { Log } from '../log.js'
import { onAbort } from '../signals.js'
import type { Properties, Publisher, PublisherOptions, Refusal, Untyped } from '../types.js'
import { checkProperties, metaOf, plainMeta } from './meta.js'
import type { EncodedNames } from './names.js'
import type { Origin } from './origin.js'
import type { Outbox } from './outbox.js'

export const windowDefault = 1_000
export const sizeMaxDefault = 8 * 1024 * 1024

export interface PublisherHome {
  readonly outbox: Outbox
  readonly names: EncodedNames
  readonly body: EncodedBody
  readonly log: Log
  readonly offline: 'wait' | 'fail' | 'buffer'
  /** Throws when the channel is closing or closed. */
  assertOpen(): void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** Of `flush`: all up to this sequence. */
  readonly through: number
}

export class ChannelPublisher implements Origin, Publisher<Untyped, string> {
  readonly abandoned = false
  readonly #home: PublisherHome
  readonly #outbox: Outbox
  readonly #exchangeName: string
  readonly #exchange: EncodedName
  readonly #confirms: boolean
  readonly #flags: number
  readonly #window: number
  readonly #sizeMax: number
  #sequence = 0
  #count = 0
  #size = 0
  #closed = false
  /** It is no longer told of progress. */
  #left = false
  #firstRefusal: PublishError | undefined
  readonly #listeners = new Set<(refusal: Refusal) => void>()
  #readyWaiters: Waiter[] = []
  #flushWaiters: Waiter[] = []

  constructor(home: PublisherHome, exchange: string, options: PublisherOptions) {
    checkOptions('a publisher', options, ['confirm', 'window', 'sizeMax'])
    const { confirm = true, window = windowDefault, sizeMax = sizeMaxDefault } = options
    if (typeof confirm !== 'boolean') throw new UsageError('OPTION_INVALID', 'confirm of a publisher is true or false')
    checkCount('the window of a publisher', window)
    checkCount('sizeMax of a publisher', sizeMax)
    this.#home = home
    this.#outbox = home.outbox
    this.#exchangeName = exchange
    this.#exchange = home.names.get(exchange)
    this.#confirms = confirm
    this.#flags = confirm ? Flag.confirm : 0
    this.#window = window
    this.#sizeMax = sizeMax
    this.#outbox.join(this)
  }

  send(routingKey: string, body: unknown, properties?: Properties): number {
    if (this.#closed) throw this.#closedError()
    const plain = properties === undefined
    if (!plain) checkProperties(properties)
    const home = this.#home
    const encoded = home.body
    encoded.encode(body)
    const key = home.names.get(routingKey)
    const meta = plain ? plainMeta[encoded.form] : metaOf(encoded.form, properties)
    const persistent = plain || properties.persistent !== false
    const size = recordSizeOf(this.#exchange, key, meta, encoded.size)
    if (this.#size >= this.#sizeMax) throw this.#fullError()
    const outbox = this.#outbox
    const sequence = this.#sequence + 1
    this.#count++
    this.#size += size
    try {
      const deadline = outbox.deadline()
      const direct = outbox.take(
        this,
        sequence,
        routingKey,
        this.#exchange,
        key,
        meta,
        persistent,
        encoded.bytes,
        encoded.size,
        this.#flags,
        deadline,
        false,
      )
      if (direct && !this.#confirms) this.sent(size)
    } catch (error) {
      this.#count--
      this.#size -= size
      throw error
    }
    this.#sequence = sequence
    return sequence
  }

  get full(): boolean {
    if (this.#count >= this.#window || this.#size >= this.#sizeMax) return true
    return this.#outbox.waitingCount > 0 && (this.#outbox.online || this.#home.offline !== 'buffer')
  }

  ready(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (!this.full) return Promise.resolve()
    if (this.#left) return Promise.reject(this.#closedError())
    const { signal } = options
    if (signal?.aborted) return Promise.reject(readyAborted(signal))
    return new Promise((resolve, reject) => {
      if (signal === undefined) {
        this.#readyWaiters.push({ resolve, reject, through: 0 })
        return
      }
      const abort = (): void => {
        this.#readyWaiters = this.#readyWaiters.filter((each) => each !== waiter)
        reject(readyAborted(signal))
      }
      const unlisten = onAbort(signal, abort)
      const waiter: Waiter = {
        resolve: () => {
          unlisten()
          resolve()
        },
        reject: (error) => {
          unlisten()
          reject(error)
        },
        through: 0,
      }
      this.#readyWaiters.push(waiter)
    })
  }

  flush(): Promise<void> {
    this.#outbox.flush()
    return new Promise((resolve, reject) => {
      this.#flushWaiters.push({ resolve, reject, through: this.#sequence })
      this.#answerFlushes()
    })
  }

  on(event: 'refused', listener: (refusal: Refusal) => void): this {
    checkListener('a publisher', event, 'refused', listener)
    this.#listeners.add(listener)
    return this
  }

  off(event: 'refused', listener: (refusal: Refusal) => void): this {
    checkListener('a publisher', event, 'refused', listener)
    this.#listeners.delete(listener)
    return this
  }

  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.flush()
    } finally {
      this.#outbox.leave(this)
      this.#left = true
      // It may have been full of what others have waiting: nobody would tell it when that is over.
      const waiters = this.#readyWaiters
      this.#readyWaiters = []
      for (const { reject } of waiters) reject(this.#closedError())
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ─── as the origin of its messages ──────────────────────────────────────

  sent(size: number): void {
    if (this.#confirms) return
    this.#count--
    this.#size -= size
  }

  confirmed(size: number, _log: string, _message: number, _level: number, _queues: number): void {
    this.#count--
    this.#size -= size
  }

  refused(sequence: number, size: number, routingKey: string, waited: boolean, error: PublishError): void {
    if (this.#confirms || waited) {
      this.#count--
      this.#size -= size
    }
    if (this.#listeners.size === 0) this.#firstRefusal ??= error
    for (const listener of this.#listeners) {
      try {
        listener({ sequence, routingKey, error })
      } catch (thrown) {
        this.#home.log({ level: 'error', event: 'listener-failed', on: 'refused', message: messageOf(thrown) })
      }
    }
  }

  progress(): void {
    if (this.#readyWaiters.length > 0 && this.#isReady()) {
      const waiters = this.#readyWaiters
      this.#readyWaiters = []
      for (const { resolve } of waiters) resolve()
    }
    if (this.#flushWaiters.length > 0) this.#answerFlushes()
  }

  #isReady(): boolean {
    return this.#count <= this.#window / 2 && this.#size <= this.#sizeMax / 2 && !this.full
  }

  /** Messages are decided in the order sent, so that counting them is enough. */
  #answerFlushes(): void {
    const through = this.#sequence - this.#count
    while (this.#flushWaiters.length > 0 && this.#flushWaiters[0].through <= through) {
      const { resolve, reject } = this.#flushWaiters.shift() as Waiter
      const refusal = this.#firstRefusal
      this.#firstRefusal = undefined
      if (refusal === undefined) resolve()
      else reject(refusal)
    }
  }

  #closedError(): PublishError {
    return new PublishError('CLOSED', `the publisher to '${this.#exchangeName}' is closed`, 'no')
  }

  #fullError(): PublishError {
    const state = this.#confirms ? 'confirmed' : 'sent'
    const message = `${this.#size} bytes wait to be ${state}; sizeMax is ${this.#sizeMax}: await ready() while full`
    return new PublishError('PUBLISHER_FULL', message, 'no', { retryable: true })
  }
}

function readyAborted(signal: AbortSignal): WaybillError {
  return new WaybillError('ABORTED', 'waiting for the publisher was aborted by its signal', { cause: signal.reason })
}
