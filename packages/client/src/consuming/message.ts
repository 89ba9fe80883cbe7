/**
 * Hot: one delivered message. It is a place in a chunk and a place in a run; everything else is read from the bytes when asked.
 *
 * Invariant: it is settled at most once, by the program or for it.
 */
import {
  exchangeStart,
  keyStart,
  noDelay,
  Outcome,
  propertiesStart,
  propertyMask,
  RecordFlag,
  readHeaders,
  readProperties,
  recordBodyStart,
  recordFlags,
  recordSize,
} from '@waybill/protocol'
import { checkOptions, checkReason } from '../arguments.js'
import { decodeBody, formOf } from '../body.js'
import { delayRule, isDelay } from '../delay.js'
import { UsageError } from '../errors.js'
import { printed } from '../printed.js'
import type { Headers, Message, Properties } from '../types.js'
import type { Run } from './run.js'

const undecoded = Symbol('undecoded')

export class Delivery implements Message {
  readonly #run: Run
  readonly #index: number
  readonly #bytes: Buffer
  readonly #at: number
  #settled = false
  #body: unknown = undecoded
  #properties: Properties | undefined
  #headers: Headers | undefined
  #controller: AbortController | undefined

  /** The record lies at `at` and has been checked; `index` is its place in the run. */
  constructor(run: Run, index: number, bytes: Buffer, at: number) {
    this.#run = run
    this.#index = index
    this.#bytes = bytes
    this.#at = at
  }

  get id(): string {
    return `${this.#run.log}-${this.#run.firstMessage + this.#index}`
  }

  get body(): unknown {
    if (this.#body === undecoded) this.#body = this.#decode()
    return this.#body
  }

  get content(): Buffer {
    const bytes = this.#bytes
    return bytes.subarray(recordBodyStart(bytes, this.#at), this.#at + recordSize(bytes, this.#at))
  }

  get exchange(): string {
    return this.#run.receiver.exchangeNames.read(this.#bytes, exchangeStart(this.#at), keyStart(this.#bytes, this.#at))
  }

  get routingKey(): string {
    return this.#run.receiver.keyNames.read(this.#bytes, keyStart(this.#bytes, this.#at), propertiesStart(this.#bytes, this.#at))
  }

  get queue(): string {
    return this.#run.receiver.queue
  }

  get properties(): Readonly<Properties> {
    if (this.#properties === undefined) {
      const persistent = (recordFlags(this.#bytes, this.#at) & RecordFlag.persistent) !== 0
      this.#properties = Object.freeze({ ...readProperties(this.#bytes, this.#at), persistent, headers: this.headers })
    }
    return this.#properties
  }

  get headers(): Headers {
    this.#headers ??= Object.freeze(readHeaders(this.#bytes, this.#at))
    return this.#headers
  }

  get redelivered(): boolean {
    return this.#run.redelivered
  }

  get deliveryCount(): number {
    return this.#run.deliveryCount
  }

  get failureCount(): number {
    return this.#run.failureCount
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#run.controller()
    return this.#controller.signal
  }

  ack(): void {
    this.settle(Outcome.ack)
  }

  requeue(): void {
    this.settle(Outcome.requeue)
  }

  retry(options: { delayMs?: number; reason?: string } = {}): void {
    checkOptions('retry', options, ['delayMs', 'reason'])
    const { delayMs, reason } = options
    checkReason(reason)
    if (delayMs !== undefined && !isDelay(delayMs)) throw new UsageError('OPTION_INVALID', `${delayRule}, not ${String(delayMs)}`)
    this.settle(Outcome.retry, delayMs === undefined ? noDelay : Math.round(delayMs), reason)
  }

  reject(options: { reason?: string } = {}): void {
    checkOptions('reject', options, ['reason'])
    checkReason(options.reason)
    this.settle(Outcome.reject, noDelay, options.reason)
  }

  toJSON(): object {
    const { id, queue, exchange, routingKey, properties, redelivered, deliveryCount, failureCount } = this
    return { id, queue, exchange, routingKey, properties, redelivered, deliveryCount, failureCount }
  }

  /** What `console.log` prints: all of that, and the body; its bytes, if it cannot be read. */
  [printed](): object {
    let body: unknown
    try {
      body = this.body
    } catch {
      body = this.content
    }
    return { ...this.toJSON(), body }
  }

  // ─── for the client ─────────────────────────────────────────────────────

  /** @internal */
  get run(): Run {
    return this.#run
  }

  /** @internal */
  get isSettled(): boolean {
    return this.#settled
  }

  /** @internal Settles once; throws UsageError `SETTLED` the second time. */
  settle(outcome: number, delayMs: number = noDelay, reason?: string): void {
    if (this.#settled) throw new UsageError('SETTLED', `message ${this.id} is settled already; each message is settled once`)
    this.#settled = true
    if (this.#controller !== undefined) this.#run.release(this.#controller)
    this.#run.settle(this.#run.firstTag + this.#index, outcome, delayMs, reason)
  }

  /** @internal What `parse` made of the body. */
  replaceBody(body: unknown): void {
    this.#body = body
  }

  #decode(): unknown {
    const bytes = this.#bytes
    const at = this.#at
    const end = at + recordSize(bytes, at)
    const start = recordBodyStart(bytes, at)
    // The two lowest bits of the mask are content type and content encoding; the content type stands first. [P-3.4]
    const typed = propertyMask(bytes, at) & 3
    if (typed !== 1) return bytes.subarray(start, end)
    const type = propertiesStart(bytes, at)
    const contentType = this.#run.receiver.typeNames.read(bytes, type + 1, type + 1 + bytes[type])
    return decodeBody(formOf(contentType), bytes, start, end)
  }
}
