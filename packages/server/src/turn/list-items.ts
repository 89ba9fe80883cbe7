/** One item of each kind of list, from what it tells of. Compared with spec/schemas/list.items.json by test. [P-6.7] */
import { headersToJson, type ListItems } from '@waybill/protocol'
import type { Binding } from '../broker/exchanges/binding.js'
import { Exchange, type Target } from '../broker/exchanges/exchange.js'
import type { Consumer } from '../broker/queues/consumer.js'
import type { Queue } from '../broker/queues/queue.js'
import type { Channel } from '../session/channel.js'
import type { Session } from '../session/session.js'

export function connectionItem(session: Session): ListItems['connections'] {
  let consumerCount = 0
  let blocked: 'memory' | 'disk' | undefined
  for (const channel of session.channels) {
    consumerCount += channel.consumers.size
    blocked ??= session.shard.credit.awaitedBy(channel.publishing)
  }
  return {
    connection: session.connection,
    client: session.client,
    ...(session.access.user === undefined ? {} : { user: session.access.user }),
    vhost: session.host.name,
    remote: session.transport.remote,
    tls: session.transport.tls,
    connectedAt: session.connectedAt,
    heartbeatMs: session.liveness.heartbeatMs,
    channelCount: session.channels.size,
    consumerCount,
    unsettledCount: session.unsettledCount,
    receivedSize: session.receivedSize,
    sentSize: session.transport.takenSize,
    outboxSize: session.outgoing.waitingSize,
    publishedCount: session.channels.publishedCount,
    deliveredCount: session.channels.deliveredCount,
    blocked: blocked ?? null,
  }
}

export function channelItem(connection: number, channel: Channel): ListItems['channels'] {
  const { publishing } = channel
  return {
    connection,
    channel: channel.id,
    consumerCount: channel.consumers.size,
    unsettledCount: channel.unsettledCount,
    publishedCount: publishing.publishedSequence,
    confirmedCount: publishing.confirms.takenCount,
    refusedCount: publishing.confirms.refusedCount,
    deliveredCount: channel.lastTag,
    settledCount: channel.settledCount,
    creditSequence: publishing.creditSequence,
    creditSize: publishing.creditSize,
  }
}

export function consumerItem(connection: number, channel: Channel, consumer: Consumer): ListItems['consumers'] {
  return {
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
    settledCount: consumer.deliveredCount - consumer.unsettledCount,
  }
}

export function exchangeItem(exchange: Exchange, keeps: boolean): ListItems['exchanges'] {
  const { type, durable, autoDelete, internal, alternate } = exchange.options
  return {
    exchange: exchange.name,
    type,
    durable: durable && keeps,
    autoDelete,
    internal,
    ...(alternate === undefined ? {} : { alternate }),
    bindingCount: exchange.matcher.size,
    publishedCount: exchange.publishedCount,
    unroutableCount: exchange.unroutableCount,
  }
}

export function bindingItem(source: Exchange, { key, headers, match, target }: Binding<Target>): ListItems['bindings'] {
  return {
    source: source.name,
    target: target.name,
    kind: target instanceof Exchange ? 'exchange' : 'queue',
    key,
    ...(headers === undefined ? {} : { headers: headersToJson(headers) }),
    ...(match === undefined ? {} : { match }),
  }
}

export function queueItem(queue: Queue): ListItems['queues'] {
  const { exclusive, autoDelete, expiresMs } = queue.options
  const { counters } = queue
  return {
    queue: queue.name,
    durable: queue.keptId !== 0,
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
    restoredCount: counters.restored,
    lostCount: counters.lost,
  }
}
