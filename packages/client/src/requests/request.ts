/**
 * Asking and waiting for the reply. One queue for all replies of a connection: made with the first request, exclusive, declared
 * again after a reconnect under the same name. Replies are told apart by correlation id.
 *
 * A reply that is under way when the connection is lost is lost with it; the request then ends with its time.
 */
import { RemoteError, UsageError, WaybillError } from '../errors.js'
import type { Clock, Timer } from '../clock.js'
import { randomName } from '../clock.js'
import type { Handler } from '../consuming/handlers.js'
import { onAbort } from '../signals.js'
import type { Message, PublishOptions } from '../types.js'
import type { Delivery } from '../consuming/message.js'
import { errorReplyType } from './respond.js'

export const requestTimeoutMsDefault = 10_000

/** The connection, as requests need it. */
export interface RequestHome {
  readonly clock: Clock
  declareReplyQueue(): Promise<string>
  /** Resolves to a promise of why the consumer has ended. */
  consumeReplies(queue: string, handler: Handler): Promise<{ readonly ended: Promise<Error> }>
}

interface Pending {
  readonly resolve: (reply: Delivery) => void
  readonly reject: (error: unknown) => void
  timer: Timer | undefined
}

export class Requests {
  readonly #home: RequestHome
  readonly #prefix: string
  readonly #pending = new Map<string, Pending>()
  #queue: Promise<string> | undefined
  #count = 0

  constructor(home: RequestHome) {
    this.#home = home
    this.#prefix = randomName(home.clock, 8)
  }

  /** `publish` sends the request with the given options; its rejection is the request's. */
  request(publish: (options: PublishOptions) => Promise<unknown>, options: PublishOptions): Promise<Message<never>> {
    if (options.replyTo !== undefined || options.correlationId !== undefined) {
      throw new UsageError('OPTION_INVALID', 'a request makes replyTo and correlationId itself')
    }
    const { timeoutMs = requestTimeoutMsDefault, signal } = options
    const { clock } = this.#home
    const correlationId = `${this.#prefix}-${++this.#count}`
    return new Promise((resolve, reject) => {
      let unlisten: (() => void) | undefined
      const end = (): void => {
        this.#pending.delete(correlationId)
        if (pending.timer !== undefined) clock.clearTimeout(pending.timer)
        unlisten?.()
      }
      const abort = (): void => {
        end()
        reject(new WaybillError('ABORTED', 'the request was aborted by its signal', { cause: signal?.reason }))
      }
      const pending: Pending = {
        resolve: (reply) => {
          end()
          answer(reply, resolve as (reply: Message) => void, reject)
        },
        reject: (error) => {
          end()
          reject(error)
        },
        timer: undefined,
      }
      if (signal?.aborted) {
        abort()
        return
      }
      this.#pending.set(correlationId, pending)
      if (signal !== undefined) unlisten = onAbort(signal, abort)
      if (timeoutMs !== Infinity) {
        const late = (): void => pending.reject(new WaybillError('TIMEOUT', `no reply within ${timeoutMs} ms`, { retryable: true }))
        pending.timer = clock.setTimeout(late, timeoutMs)
      }
      const send = async (): Promise<void> => {
        const replyTo = await this.#replyQueue()
        if (this.#pending.has(correlationId)) await publish({ ...options, timeoutMs, replyTo, correlationId, mandatory: true })
      }
      send().catch(pending.reject)
    })
  }

  /** Every request that waits is rejected. */
  end(error: Error): void {
    for (const { reject } of [...this.#pending.values()]) reject(error)
  }

  #replyQueue(): Promise<string> {
    if (this.#queue === undefined) {
      this.#queue = this.#open()
      this.#queue.catch(() => {
        this.#queue = undefined
      })
    }
    return this.#queue
  }

  async #open(): Promise<string> {
    const queue = await this.#home.declareReplyQueue()
    const { ended } = await this.#home.consumeReplies(queue, (reply) => {
      const { correlationId } = reply.properties
      // Nobody waits for it any more, or it was never ours.
      if (correlationId !== undefined) this.#pending.get(correlationId)?.resolve(reply)
    })
    ended.then((error) => {
      this.#queue = undefined
      this.end(error)
    })
    return queue
  }
}

function answer(reply: Delivery, resolve: (reply: Message) => void, reject: (error: unknown) => void): void {
  if (reply.properties.type !== errorReplyType) {
    resolve(reply)
    return
  }
  try {
    const body = reply.body as { code?: unknown; message?: unknown } | null
    reject(new RemoteError(String(body?.code ?? 'REMOTE_ERROR'), String(body?.message ?? 'the handler has thrown')))
  } catch (error) {
    reject(new RemoteError('REMOTE_ERROR', 'the handler has thrown, and what it said cannot be read', { cause: error }))
  }
}
