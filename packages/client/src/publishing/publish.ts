/**
 * Hot: one message with a promise of its own, from what the program said of it to the outbox.
 *
 *     options ─▶ flags, deadline, properties and headers as bytes ─▶ outbox ─▶ the call's promise
 *
 * A message without options costs no object but its promise and what stands behind that.
 */
import { type EncodedMeta, type EncodedName, Flag } from '@waybill/protocol'
import { checkedTimeout, checkSignal, flagsOf } from '../arguments.js'
import type { EncodedBody } from '../body.js'
import type { Clock } from '../clock.js'
import { PublishError, UsageError } from '../errors.js'
import type { Confirmation, PublishOptions } from '../types.js'
import { abortError, PublishCall } from './call.js'
import { metaOf, plainMeta } from './meta.js'
import type { EncodedNames } from './names.js'
import type { Outbox } from './outbox.js'

/** The channel, as publishing needs it. */
export interface PublishHome {
  readonly clock: Clock
  readonly isClosed: boolean
  readonly outbox: Outbox
  readonly names: EncodedNames
  readonly body: EncodedBody
}

/** `ownFlags` are set beside those that the options ask for. Throws UsageError for a mistake, rejects with PublishError for what is not taken. */
export function publishOne(
  home: PublishHome,
  exchange: string,
  routingKey: string,
  content: unknown,
  options: PublishOptions | undefined,
  ownFlags: number,
): Promise<Confirmation> {
  if (home.isClosed) return Promise.reject(new PublishError('CLOSED', 'not published: the channel is closed', 'no'))
  const { outbox, body, names } = home
  const exchangeBytes = names.get(exchange)
  const key = names.get(routingKey)
  body.encode(content)
  const call = new PublishCall()
  if (options === undefined) {
    const deadline = outbox.deadline()
    take(home, call, routingKey, exchangeBytes, key, plainMeta[body.form], true, Flag.confirm | ownFlags, deadline, false)
    return call.promise
  }
  if (typeof options !== 'object' || options === null) throw new UsageError('OPTION_INVALID', 'the options of publish are an object')
  const { timeoutMs, signal, persistent = true } = options
  checkSignal(signal)
  if (signal?.aborted) return Promise.reject(abortError(signal, 'no'))
  const flags = flagsOf(options) | ownFlags
  const deadline = timeoutMs === undefined ? outbox.deadline() : home.clock.now() + checkedTimeout(timeoutMs)
  let meta: EncodedMeta | undefined
  try {
    meta = metaOf(body.form, options)
  } catch (error) {
    if (error instanceof PublishError) return Promise.reject(error)
    throw error
  }
  if (signal !== undefined) call.endWith(signal, outbox)
  take(home, call, routingKey, exchangeBytes, key, meta, persistent, flags, deadline, timeoutMs !== undefined)
  return call.promise
}

/** Throws the UsageError that `publishOne` would throw, for what is published later; the body is encoded then. */
export function checkPublish(home: PublishHome, exchange: string, routingKey: string, content: unknown, options: PublishOptions): void {
  const { timeoutMs, signal } = options
  checkSignal(signal)
  flagsOf(options)
  if (timeoutMs !== undefined) checkedTimeout(timeoutMs)
  home.names.get(exchange)
  home.names.get(routingKey)
  home.body.encode(content)
  try {
    metaOf(home.body.form, options)
  } catch (error) {
    if (!(error instanceof PublishError)) throw error
  }
}

/** What the outbox does not take is refused to the call. */
function take(
  { outbox, body }: PublishHome,
  call: PublishCall,
  routingKey: string,
  exchange: EncodedName,
  key: EncodedName,
  meta: EncodedMeta | undefined,
  persistent: boolean,
  flags: number,
  deadline: number,
  timed: boolean,
): void {
  try {
    outbox.take(call, 0, routingKey, exchange, key, meta, persistent, body.bytes, body.size, flags, deadline, timed)
  } catch (error) {
    if (!(error instanceof PublishError)) throw error
    call.refused(0, 0, routingKey, true, error)
  }
}
