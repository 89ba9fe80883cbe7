/** What a program says of a queue or an exchange, checked and made the body of a request: what it does not say is left to the broker. */
import type { DeclareExchangeRequest, DeclareQueueRequest } from '@waybill/protocol'
import { checkOptions, defined } from '../arguments.js'
import { type Clock, randomName } from '../clock.js'
import { UsageError } from '../errors.js'
import type { EncodedNames } from '../publishing/names.js'
import type { ExchangeOptions, QueueOptions } from '../types.js'

/** A queue without a name gets one that nobody else has; a named one is durable unless it is exclusive. */
export function queueDeclaration(
  names: EncodedNames,
  clock: Clock,
  name: string | undefined,
  options: QueueOptions,
): DeclareQueueRequest & { queue: string } {
  checkOptions('a queue', options, ['durable', 'exclusive', 'autoDelete', 'expiresMs'])
  if (name !== undefined) names.check('queue', name)
  if (name === '') throw new UsageError('NAME_INVALID', 'a queue has a name; leave it out and one is made')
  const queue = name ?? `client.${randomName(clock, 20)}`
  const durable = options.durable ?? (name !== undefined && options.exclusive !== true)
  return { ...defined(options), queue, durable }
}

export function exchangeDeclaration(names: EncodedNames, exchange: string, options: ExchangeOptions): DeclareExchangeRequest {
  checkOptions('an exchange', options, ['type', 'durable', 'autoDelete', 'internal', 'alternate'])
  names.check('exchange', exchange)
  return { ...defined(options), exchange }
}
