/** What there is, for LIST: a page of items in a fixed order. A page costs one look at every name, whatever there is. [P-6.7] */
import type { Binding } from '../broker/exchanges/binding.js'
import { Exchange, type Target } from '../broker/exchanges/exchange.js'
import { Refusal } from '../broker/refusal.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import type { ListQuery } from '../session/requests.js'
import type { Session } from '../session/session.js'
import { bindingItem, channelItem, connectionItem, consumerItem, exchangeItem, queueItem } from './list-items.js'
import { Page } from './page.js'

const limitDefault = 100

export interface ListPage {
  readonly items: readonly object[]
  readonly next?: string
}

export function list(sessions: Iterable<Session>, host: VirtualHost, query: ListQuery): ListPage | Refusal {
  const page = new Page<() => object>(query.limit ?? limitDefault, query.after)
  const { prefix = '' } = query
  switch (query.kind) {
    case 'exchanges':
      for (const exchange of host.exchanges.values()) {
        if (exchange.name.startsWith(prefix)) page.offer(exchange.name, () => exchangeItem(exchange, host.journal.keeps))
      }
      break
    case 'queues':
      for (const queue of host.queues.values()) if (queue.name.startsWith(prefix)) page.offer(queue.name, () => queueItem(queue))
      break
    case 'bindings':
      for (const exchange of host.exchanges.values()) if (exchange.name.startsWith(prefix)) offerBindings(page, exchange)
      break
    case 'connections':
      for (const session of sessions) {
        const { connection, client } = session
        if (isIn(session, host) && (client.name ?? '').startsWith(prefix)) page.offer(fixed(connection), () => connectionItem(session))
      }
      break
    case 'channels':
      if (prefix !== '') return new Refusal('requestInvalid', 'channels have no names for a prefix; leave it out', { field: 'prefix' })
      for (const session of sessions) {
        if (!isIn(session, host)) continue
        const { connection } = session
        for (const channel of session.channels)
          page.offer(`${fixed(connection)}.${fixed(channel.id)}`, () => channelItem(connection, channel))
      }
      break
    case 'consumers':
      for (const session of sessions) if (isIn(session, host)) offerConsumers(page, session, prefix)
  }
  const { things, next } = page.take()
  const items = things.map((item) => item())
  return next === undefined ? { items } : { items, next }
}

function isIn(session: Session, host: VirtualHost): boolean {
  return session.isOpen && session.host === host
}

function offerBindings(page: Page<() => object>, exchange: Exchange): void {
  // Only bindings of a headers exchange can be alike in all but their headers; those are told apart by a number.
  const alike = exchange.options.type === 'headers' ? new Map<string, number>() : undefined
  for (const binding of exchange.matcher.bindings()) {
    const cursor = bindingCursor(exchange, binding)
    const number = alike?.get(cursor) ?? 0
    alike?.set(cursor, number + 1)
    page.offer(alike === undefined ? cursor : `${cursor}.${fixed(number)}`, () => bindingItem(exchange, binding))
  }
}

/** The sizes at its end keep names with line ends apart. */
function bindingCursor(source: Exchange, { key, target }: Binding<Target>): string {
  const kind = target instanceof Exchange ? 'e' : 'q'
  return `${source.name}\n${target.name}\n${key}\n${kind}${source.name.length}.${target.name.length}`
}

function offerConsumers(page: Page<() => object>, session: Session, prefix: string): void {
  const { connection } = session
  for (const channel of session.channels) {
    for (const consumer of channel.consumers.values()) {
      if (!consumer.queue.name.startsWith(prefix)) continue
      const cursor = `${fixed(connection)}.${fixed(channel.id)}.${fixed(consumer.id)}`
      page.offer(cursor, () => consumerItem(connection, channel, consumer))
    }
  }
}

/** Numbers as text that sorts as numbers do. */
function fixed(number: number): string {
  return String(number).padStart(10, '0')
}
