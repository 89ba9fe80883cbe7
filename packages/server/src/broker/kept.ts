/** What is durable, as the journal writes it down. */
import { headersToJson } from '@waybill/protocol'
import type { BindingJson, ExchangeJson, QueueJson } from './durable.js'
import { Exchange, type Target } from './exchanges/exchange.js'
import type { Binding } from './exchanges/matcher.js'
import type { Queue } from './queues/queue.js'

/** A binding is as durable as its ends. */
export function isKept(source: Exchange, target: Target): boolean {
  return source.options.durable && (target instanceof Exchange ? target.options.durable : target.keptId !== 0)
}

export function exchangeJson({ name, options: { type, autoDelete, internal, alternate } }: Exchange): ExchangeJson {
  return { name, type, autoDelete, internal, ...(alternate === undefined ? {} : { alternate }) }
}

export function queueJson({ keptId, name, options: { autoDelete, expiresMs } }: Queue): QueueJson {
  return { id: keptId, name, autoDelete, ...(expiresMs === undefined ? {} : { expiresMs }) }
}

export function bindingJson(source: Exchange, { key, headers, match, target }: Binding<Target>): BindingJson {
  return {
    source: source.name,
    target: target instanceof Exchange ? { exchange: target.name } : { queue: target.name },
    key,
    ...(headers === undefined ? {} : { headers: headersToJson(headers) }),
    ...(match === undefined ? {} : { match }),
  }
}
