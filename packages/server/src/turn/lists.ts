/** What there is, for LIST: names, options and counters, as plain items in the order of a cursor. [P-6.7] */
import { headersToJson, type ListItems } from '@waybill/protocol'
import { Exchange } from '../broker/exchanges/exchange.js'
import type { Queue } from '../broker/queues/queue.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import { keepsNothing } from '../broker/topology.js'
import type { Session } from '../session/session.js'

const limitDefault = 100

/** Where lists are taken from. */
export interface ListSource {
  readonly sessions: Iterable<Session>
}

export interface ListQuery {
  readonly kind: string
  readonly limit?: number
  readonly after?: string
  readonly prefix?: string
}

interface Row {
  readonly cursor: string
  readonly item: () => object
}

export function list(source: ListSource, host: VirtualHost, query: ListQuery): { items: object[]; next?: string } {
  const rows: Row[] = []
  for (const row of rowsOf(source, host, query.kind)) {
    if (query.prefix !== undefined && !row.cursor.startsWith(query.prefix)) continue
    if (query.after !== undefined && row.cursor <= query.after) continue
    rows.push(row)
  }
  rows.sort((a, b) => (a.cursor < b.cursor ? -1 : a.cursor > b.cursor ? 1 : 0))
  const limit = query.limit ?? limitDefault
  const page = rows.slice(0, limit)
  const items = page.map((row) => row.item())
  return rows.length > limit ? { items, next: page[page.length - 1].cursor } : { items }
}

function* rowsOf(source: ListSource, host: VirtualHost, kind: string): Iterable<Row> {
  switch (kind) {
    case 'exchanges':
      for (const exchange of host.exchanges.values()) yield { cursor: exchange.name, item: () => exchangeItem(exchange) }
      return
    case 'bindings':
      for (const exchange of host.exchanges.values()) {
        let number = 0
        for (const { key, headers, match, target } of exchange.matcher.bindings()) {
          const item = (): ListItems['bindings'] => ({
            source: exchange.name,
            target: target.name,
            kind: target instanceof Exchange ? 'exchange' : 'queue',
            key,
            ...(headers === undefined ? {} : { headers: headersToJson(headers) }),
            ...(match === undefined ? {} : { match }),
          })
          yield { cursor: `${exchange.name}\n${target.name}\n${key}\n${fixed(number++)}`, item }
        }
      }
      return
    case 'queues':
      for (const queue of host.queues.values()) yield { cursor: queue.name, item: () => queueItem(queue) }
      return
  }
  for (const session of source.sessions) {
    if (!session.isOpen || session.host !== host) continue
    if (kind === 'connections') yield { cursor: fixed(session.connection), item: () => connectionItem(session) }
    else yield* channelRows(session, kind)
  }
}

function* channelRows(session: Session, kind: string): Iterable<Row> {
  const { connection } = session
  for (const channel of session.channels.values()) {
    const cursor = `${fixed(connection)}.${fixed(channel.id)}`
    if (kind === 'channels') {
      const { publishing } = channel
      const item = (): ListItems['channels'] => ({
        connection,
        channel: channel.id,
        consumerCount: channel.consumers.size,
        unsettledCount: channel.unsettledCount,
        publishedCount: publishing.publishedSequence,
        deliveredCount: channel.lastTag,
        creditSequence: publishing.creditSequence,
        creditSize: publishing.creditSize,
      })
      yield { cursor, item }
    }
    if (kind !== 'consumers') continue
    for (const consumer of channel.consumers.values()) {
      const item = (): ListItems['consumers'] => ({
        connection,
        channel: channel.id,
        consumer: consumer.id,
        queue: consumer.queue.name,
        ack: consumer.ack,
        exclusive: consumer.exclusive,
        priority: consumer.priority,
        prefetch: consumer.prefetch,
        prefetchSize: consumer.prefetchSize,
        unsettledCount: consumer.unsettledCount,
        unsettledSize: consumer.unsettledSize,
        deliveredCount: consumer.deliveredCount,
      })
      yield { cursor: `${cursor}.${fixed(consumer.id)}`, item }
    }
  }
}

function exchangeItem(exchange: Exchange): ListItems['exchanges'] {
  const { type, durable, autoDelete, internal, alternate } = exchange.options
  return {
    exchange: exchange.name,
    type,
    durable: durable && keepsNothing,
    autoDelete,
    internal,
    ...(alternate === undefined ? {} : { alternate }),
    bindingCount: exchange.matcher.size,
    publishedCount: exchange.publishedCount,
    unroutableCount: exchange.unroutableCount,
  }
}

function queueItem(queue: Queue): ListItems['queues'] {
  const { durable, exclusive, autoDelete, expiresMs } = queue.options
  const { counters } = queue
  return {
    queue: queue.name,
    durable: durable && keepsNothing,
    exclusive,
    autoDelete,
    ...(expiresMs === undefined ? {} : { expiresMs }),
    messageCount: queue.readyCount,
    messageSize: queue.readySize,
    unsettledCount: queue.unsettledCount,
    unsettledSize: queue.unsettledSize,
    delayedCount: queue.delayedCount,
    consumerCount: queue.consumerCount,
    publishedCount: counters.published,
    deliveredCount: counters.delivered,
    ackedCount: counters.acked,
    requeuedCount: counters.requeued,
    retriedCount: counters.retried,
    rejectedCount: counters.rejected,
    purgedCount: counters.purged,
  }
}

function connectionItem(session: Session): ListItems['connections'] {
  let consumerCount = 0
  for (const channel of session.channels.values()) consumerCount += channel.consumers.size
  return {
    connection: session.connection,
    client: session.client,
    ...(session.access.user === undefined ? {} : { user: session.access.user }),
    vhost: session.host.name,
    remote: session.transport.remote,
    tls: session.transport.tls,
    connectedAt: session.connectedAt,
    heartbeatMs: session.heartbeatMs,
    channelCount: session.channels.size,
    consumerCount,
    unsettledCount: session.unsettledCount,
    receivedSize: session.receivedSize,
    sentSize: session.sentSize,
    outboxSize: session.outboxSize,
  }
}

/** Numbers as text that sorts as numbers do. */
function fixed(number: number): string {
  return String(number).padStart(10, '0')
}
