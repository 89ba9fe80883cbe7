/** A binding as a program says it, checked and made the body of a request; the same to bind and to unbind. */
import { type BindExchangeRequest, type BindQueueRequest, encodeHeaders, headersToJson, WireError } from '@waybill/protocol'
import { checkHeaders, checkOptions } from '../arguments.js'
import { UsageError } from '../errors.js'
import type { EncodedNames } from '../publishing/names.js'
import type { BindOptions } from '../types.js'

export function queueBinding(names: EncodedNames, queue: string, exchange: string, key: string, options: BindOptions): BindQueueRequest {
  names.check('queue', queue)
  names.check('exchange', exchange)
  return { ...keyAndArguments(names, key, options), queue, exchange }
}

export function exchangeBinding(
  names: EncodedNames,
  target: string,
  source: string,
  key: string,
  options: BindOptions,
): BindExchangeRequest {
  names.check('exchange', target)
  names.check('exchange', source)
  return { ...keyAndArguments(names, key, options), source, target }
}

function keyAndArguments(names: EncodedNames, key: string, options: BindOptions) {
  checkOptions('a binding', options, ['headers', 'match'])
  names.check('routing key', key)
  const { headers, match } = options
  checkHeaders(headers)
  if (match !== undefined && match !== 'all' && match !== 'any') {
    throw new UsageError('OPTION_INVALID', `match is 'all' or 'any', not '${String(match)}'`)
  }
  try {
    // JSON would leave out what it has no word for, and the binding would take every message.
    if (headers !== undefined) encodeHeaders(headers)
    return { key, ...(headers === undefined ? {} : { headers: headersToJson(headers) }), ...(match === undefined ? {} : { match }) }
  } catch (error) {
    if (error instanceof WireError) throw new UsageError('PROPERTY_INVALID', error.message, { cause: error })
    throw error
  }
}
