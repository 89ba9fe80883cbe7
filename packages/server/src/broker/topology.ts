/**
 * The commands that change or ask names: exchanges, queues, bindings. Each returns its answer, or a `Refusal`
 * that changes nothing. A second declare with the same options is the same declare; a different one is refused with
 * every difference. [P-6.4, P-6.5]
 */
import type { Headers } from '@waybill/protocol'
import type { Broker } from './broker.js'
import type { Exchange, ExchangeOptions, Target } from './exchanges/exchange.js'
import type { Binding } from './exchanges/matcher.js'
import type { Queue, QueueOptions } from './queues/queue.js'
import { Refusal } from './refusal.js'
import type { VirtualHost } from './virtual-host.js'

/** Who asks: its virtual host, and its connection for what is exclusive. */
export interface Asker {
  readonly host: VirtualHost
  readonly connection: number
}

export function declareExchange(broker: Broker, { host }: Asker, name: string, options: ExchangeOptions): { created: boolean } | Refusal {
  if (name === '') return new Refusal('forbidden', 'the default exchange is there and cannot be declared')
  const there = host.exchange(name)
  if (there !== undefined) return differences('exchange', name, { ...options }, { ...there.options }) ?? { created: false }
  if (broker.exchangeCount >= broker.limits.exchangeCount) return full('exchangeCount', broker.exchangeCount, broker.limits.exchangeCount)
  host.addExchange(name, options)
  return { created: true }
}

export function checkExchange(broker: Broker, { host }: Asker, name: string): object | Refusal {
  if (name === '') return { exchange: '', type: 'direct', durable: true, autoDelete: false, internal: false }
  const exchange = host.expectExchange(name)
  if (exchange instanceof Refusal) return exchange
  return { exchange: name, ...exchange.options, durable: exchange.options.durable && broker.journal.keeps }
}

export function deleteExchange({ host }: Asker, name: string, ifUnused: boolean): { deleted: boolean } | Refusal {
  if (name === '') return new Refusal('forbidden', 'the default exchange cannot be deleted')
  const exchange = host.exchange(name)
  if (exchange === undefined) return { deleted: false }
  if (ifUnused && exchange.matcher.size > 0) {
    return new Refusal(
      'preconditionFailed',
      `exchange '${name}' has ${exchange.matcher.size} bindings; unbind them, or delete without ifUnused`,
    )
  }
  host.removeExchange(exchange)
  return { deleted: true }
}

export interface BindingRequest {
  readonly source: string
  readonly target: { readonly queue: string } | { readonly exchange: string }
  readonly key: string
  readonly headers: Headers | undefined
  readonly match: 'all' | 'any' | undefined
}

export function bind(broker: Broker, asker: Asker, request: BindingRequest): { created: boolean; bindingCount: number } | Refusal {
  const ends = findEnds(broker, asker, request)
  if (ends instanceof Refusal) return ends
  const { host } = asker
  if (broker.bindingCount >= broker.limits.bindingCount && !isBound(ends))
    return full('bindingCount', broker.bindingCount, broker.limits.bindingCount)
  const created = host.bind(ends.source, ends.binding)
  return { created, bindingCount: host.bindingsTo(ends.binding.target) }
}

export function unbind(broker: Broker, asker: Asker, request: BindingRequest): { removed: boolean; bindingCount: number } | Refusal {
  const ends = findEnds(broker, asker, request)
  if (ends instanceof Refusal) return ends
  const { host } = asker
  const removed = host.unbind(ends.source, ends.binding)
  return { removed, bindingCount: host.bindingsTo(ends.binding.target) }
}

export interface QueueAnswer {
  readonly queue: string
  readonly created: boolean
  readonly durable: boolean
  readonly messageCount: number
  readonly consumerCount: number
}

export function declareQueue(broker: Broker, { host, connection }: Asker, name: string, options: QueueOptions): QueueAnswer | Refusal {
  const there = name === '' ? undefined : host.queue(name)
  if (there !== undefined) {
    const usable = broker.usable(host, connection, name)
    if (usable instanceof Refusal) return usable
    const different = differences('queue', name, { ...options }, { ...there.options })
    if (different !== undefined) return different
    there.usedAt = broker.now
    return queueAnswer(there, false)
  }
  if (broker.queueCount >= broker.limits.queueCount) return full('queueCount', broker.queueCount, broker.limits.queueCount)
  const queue = broker.makeQueue(host, name === '' ? broker.queueName() : name, options, options.exclusive ? connection : 0)
  return queueAnswer(queue, true)
}

export function checkQueue(broker: Broker, { host, connection }: Asker, name: string): object | Refusal {
  const queue = broker.usable(host, connection, name)
  if (queue instanceof Refusal) return queue
  const { exclusive, autoDelete, expiresMs } = queue.options
  return {
    queue: name,
    durable: queue.keptId !== 0,
    exclusive,
    autoDelete,
    ...(expiresMs === undefined ? {} : { expiresMs }),
    messageCount: queue.readyCount,
    unsettledCount: queue.unsettledCount,
    consumerCount: queue.consumerCount,
  }
}

export function deleteQueue(
  broker: Broker,
  { host, connection }: Asker,
  name: string,
  conditions: { ifUnused: boolean; ifEmpty: boolean },
): { deleted: boolean; messageCount: number } | Refusal {
  if (host.queue(name) === undefined) return { deleted: false, messageCount: 0 }
  const queue = broker.usable(host, connection, name)
  if (queue instanceof Refusal) return queue
  if (conditions.ifUnused && queue.consumerCount > 0) {
    return new Refusal(
      'preconditionFailed',
      `queue '${name}' has ${queue.consumerCount} consumers; cancel them, or delete without ifUnused`,
    )
  }
  if (conditions.ifEmpty && queue.liveCount > 0) {
    return new Refusal('preconditionFailed', `queue '${name}' holds ${queue.liveCount} messages; purge it, or delete without ifEmpty`)
  }
  return { deleted: true, messageCount: broker.dropQueue(queue) }
}

export function purgeQueue(broker: Broker, { host, connection }: Asker, name: string): { messageCount: number } | Refusal {
  const queue = broker.usable(host, connection, name)
  return queue instanceof Refusal ? queue : { messageCount: queue.purge() }
}

function queueAnswer(queue: Queue, created: boolean): QueueAnswer {
  return {
    queue: queue.name,
    created,
    durable: queue.keptId !== 0,
    messageCount: queue.readyCount,
    consumerCount: queue.consumerCount,
  }
}

/** Whether that binding is there: asked of the matcher, which alone knows what makes two bindings the same. Only when there is no room. */
function isBound({ source, binding }: { source: Exchange; binding: Binding<Target> }): boolean {
  if (!source.matcher.add(binding)) return true
  source.matcher.remove(binding)
  return false
}

function findEnds(
  broker: Broker,
  { host, connection }: Asker,
  request: BindingRequest,
): { source: Exchange; binding: Binding<Target> } | Refusal {
  const source = host.expectExchange(request.source)
  if (source instanceof Refusal) return source
  const target =
    'queue' in request.target ? broker.usable(host, connection, request.target.queue) : host.expectExchange(request.target.exchange)
  if (target instanceof Refusal) return target
  const { key, headers, match } = request
  if ((headers !== undefined || match !== undefined) && source.options.type !== 'headers') {
    return new Refusal(
      'requestInvalid',
      `exchange '${source.name}' is of type ${source.options.type}: headers and match are for headers exchanges`,
    )
  }
  return { source, binding: { key, headers, match, target } }
}

/** The refusal that lists each option in which a second declare differs, or undefined if there is none. */
function differences(what: string, name: string, wanted: Record<string, unknown>, actual: Record<string, unknown>): Refusal | undefined {
  const found = Object.keys(wanted)
    .filter((option) => wanted[option] !== actual[option])
    .map((option) => ({ option, wanted: wanted[option] ?? null, actual: actual[option] ?? null }))
  if (found.length === 0) return undefined
  const words = found.map(({ option, wanted, actual }) => `${option} is ${JSON.stringify(actual)}, not ${JSON.stringify(wanted)}`)
  return new Refusal('preconditionFailed', `${what} '${name}' is there with other options: ${words.join('; ')}`, { differences: found })
}

/** There may be more than the limit allows: those from before it was lowered. */
function full(limit: 'exchangeCount' | 'bindingCount' | 'queueCount', there: number, most: number): Refusal {
  const message = `the broker has ${there}, and the limit ${limit} allows ${most}; the configuration can raise it`
  return new Refusal('limitExceeded', message, { limit: `${limit}Max` })
}
