/**
 * Durable exchanges, queues and bindings while recovery replays their changes: plain maps, of which nothing follows but what was written. With an exchange or a
 * queue its bindings end.
 */
import { headersFromJson, type JsonHeaders } from '@waybill/protocol'
import type { BindingJson, ExchangeJson, QueueJson } from '../broker/durable.js'
import { bindingIdentity } from '../broker/exchanges/headers-match.js'
import type { TopologyChange } from '../broker/journal.js'

export interface RecoveredHost {
  readonly exchanges: Map<string, ExchangeJson>
  readonly queues: Map<string, QueueJson>
  /** By what tells them apart. */
  readonly bindings: Map<string, BindingJson>
}

interface Host extends RecoveredHost {
  /** Keys of `bindings` by each of their two ends. */
  readonly ends: Map<string, Set<string>>
}

export class RecoveredNames {
  readonly hosts = new Map<string, Host>()
  /** Names of the virtual hosts of queues, by the number of the queue. */
  readonly #hostOf = new Map<number, { readonly host: Host; readonly name: string }>()

  /** Throws for what is no change of names. */
  apply(change: TopologyChange): void {
    switch (change.op) {
      case 'exchange': {
        const { op: _op, vhost, ...exchange } = change
        this.#host(vhost).exchanges.set(exchange.name, exchange)
        return
      }
      case 'deleteExchange': {
        const host = this.#host(change.vhost)
        host.exchanges.delete(change.name)
        endBindings(host, exchangeEnd(change.name))
        return
      }
      case 'queue': {
        const { op: _op, vhost, ...queue } = change
        const host = this.#host(vhost)
        host.queues.set(queue.name, queue)
        this.#hostOf.set(queue.id, { host, name: queue.name })
        return
      }
      case 'deleteQueue': {
        const found = this.#hostOf.get(change.id)
        if (found === undefined) return
        this.#hostOf.delete(change.id)
        // A queue of the same name may have come meanwhile, if what told the end of this one could not be read.
        if (found.host.queues.get(found.name)?.id !== change.id) return
        found.host.queues.delete(found.name)
        endBindings(found.host, queueEnd(found.name))
        return
      }
      case 'bind': {
        const { op: _op, vhost, ...binding } = change
        const { bindings, ends } = this.#host(vhost)
        const key = keyOf(binding)
        bindings.set(key, binding)
        for (const end of endsOf(binding)) {
          const keys = ends.get(end)
          if (keys === undefined) ends.set(end, new Set([key]))
          else keys.add(key)
        }
        return
      }
      case 'unbind':
        endBinding(this.#host(change.vhost), keyOf(change))
        return
      default:
        throw new Error(`there is no change ${JSON.stringify((change as { op: unknown }).op)} of names; it was written by a newer version`)
    }
  }

  #host(name: string): Host {
    let host = this.hosts.get(name)
    if (host === undefined) {
      host = { exchanges: new Map(), queues: new Map(), bindings: new Map(), ends: new Map() }
      this.hosts.set(name, host)
    }
    return host
  }
}

function exchangeEnd(name: string): string {
  return `x ${name}`
}

function queueEnd(name: string): string {
  return `q ${name}`
}

function endsOf({ source, target }: BindingJson): string[] {
  return [exchangeEnd(source), 'queue' in target ? queueEnd(target.queue) : exchangeEnd(target.exchange)]
}

function keyOf(binding: BindingJson): string {
  const { key, headers, match } = binding
  const plain = {
    key,
    ...(headers === undefined ? {} : { headers: headersFromJson(headers as JsonHeaders) }),
    ...(match === undefined ? {} : { match }),
  }
  return JSON.stringify([...endsOf(binding), bindingIdentity(plain)])
}

function endBindings(host: Host, end: string): void {
  for (const key of [...(host.ends.get(end) ?? [])]) endBinding(host, key)
}

function endBinding({ bindings, ends }: Host, key: string): void {
  const binding = bindings.get(key)
  if (binding === undefined) return
  bindings.delete(key)
  for (const end of endsOf(binding)) {
    const keys = ends.get(end)
    if (keys?.delete(key) && keys.size === 0) ends.delete(end)
  }
}
