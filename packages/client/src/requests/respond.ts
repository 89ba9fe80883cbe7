/**
 * Answering requests: what a handler returns is published to the queue that the request names.
 *
 *     returned     → the reply, then ack           RetryError   → no reply yet, retry
 *     thrown       → an error reply, then ack      RejectError  → an error reply, then reject
 *     returned what cannot be sent → as if thrown
 *
 * An error reply is a message of type `waybill.error` with the JSON `{code, message}`. [P-3.7: a client's affair]
 */
import { messageOf, PublishError, RejectError, RetryError, UsageError } from '../errors.js'
import type { ConsumeOptions, PublishOptions } from '../types.js'
import type { Handler } from '../consuming/handlers.js'
import type { Delivery } from '../consuming/message.js'

export const errorReplyType = 'waybill.error'

type Reply = (queue: string, body: unknown, options: PublishOptions) => Promise<unknown>

/** The handler of a consumer that answers. `parse` is called here, so that the requester hears of its failure too. */
export function responder(handler: (message: Delivery) => unknown, reply: Reply, options: ConsumeOptions): Handler {
  const { parse, ack } = options
  return async (message) => {
    const { replyTo, correlationId } = message.properties
    let result: unknown
    try {
      if (parse !== undefined) message.replaceBody(parsed(parse, message))
      result = await handler(message)
    } catch (error) {
      if (error instanceof RetryError) throw error
      if (replyTo !== undefined) await reply(replyTo, errorBody(error), { type: errorReplyType, correlationId })
      if (!(error instanceof RejectError) && ack !== 'manual' && !message.isSettled) message.ack()
      throw error
    }
    if (replyTo === undefined) return
    try {
      await reply(replyTo, result ?? null, { correlationId })
    } catch (error) {
      if (!isReplyAtFault(error)) throw error
      await reply(replyTo, errorBody(error), { type: errorReplyType, correlationId })
      if (ack !== 'manual' && !message.isSettled) message.ack()
      throw error
    }
  }
}

/** The result has no bytes, or too many: asking the handler again would not help, and whoever asked should hear of it. */
function isReplyAtFault(error: unknown): boolean {
  return error instanceof UsageError || (error instanceof PublishError && error.code === 'MESSAGE_TOO_LARGE')
}

function parsed(parse: (body: unknown) => unknown, message: Delivery): unknown {
  try {
    return parse(message.body)
  } catch (error) {
    throw Object.assign(new RejectError(messageOf(error)), { cause: error })
  }
}

function errorBody(error: unknown): { code: string; message: string } {
  const code = (error as { code?: unknown } | null)?.code
  return { code: typeof code === 'string' ? code : 'REMOTE_ERROR', message: messageOf(error) }
}
