/** Commands about exchanges, queues and bindings: make, bind, look at, empty, remove. [P-6.4, P-6.5, P-6.7] */
import { headersToJson, type ListKind, type ListResult } from '@waybill/protocol'
import { type Command, define, maybe, place } from './command.js'
import { boolean, choice, count, exchangeName, flag, type HeaderValues, queueName, text } from './kinds.js'
import type { Steps } from './steps.js'
import { tableLines } from './table.js'
import type { Talk } from './talk.js'

const match = choice('all', 'any')
const key = text('key')
const headersNote = 'On a headers exchange: header.NAME=VALUE, as many as needed, and match=all (the default) or match=any.'

export const topologyCommands: readonly Command[] = [
  define({
    name: 'declare exchange',
    summary: 'makes an exchange, or finds that it is there already',
    details: ['Declared again with other options it is refused, and the answer says what differs.'],
    examples: ['declare exchange orders topic', 'declare exchange events fanout durable=false alternate=lost'],
    places: { exchange: place(exchangeName), type: place(choice('direct', 'fanout', 'topic', 'headers')) },
    options: { durable: boolean, autoDelete: flag, internal: flag, alternate: exchangeName },
    *run(talk, { exchange, type, options }) {
      yield* talk.request('declareExchange', { exchange, type, ...options })
      talk.names.exchange.add(exchange)
    },
  }),
  define({
    name: 'declare queue',
    summary: 'makes a queue; without a name the broker makes one up',
    examples: ['declare queue emails', 'declare queue exclusive', 'declare queue emails durable=false expiresMs=60000'],
    places: { queue: maybe(queueName) },
    options: { durable: boolean, exclusive: flag, autoDelete: flag, expiresMs: count('ms', 1) },
    *run(talk, { queue, options }) {
      const result = yield* talk.request('declareQueue', { ...(queue === undefined ? {} : { queue }), ...options })
      talk.names.queue.add(result.queue)
    },
  }),
  define({
    name: 'bind',
    summary: 'lets a queue have the messages of an exchange whose keys match',
    details: ['On a topic exchange `*` stands for one word and `#` for any number of words, none included.', headersNote],
    examples: ['bind emails orders order.#', 'bind fraud payments header.country=XX match=any'],
    places: { queue: place(queueName), exchange: place(exchangeName), key: maybe(key) },
    options: { match },
    takesHeaders: true,
    *run(talk, { queue, exchange, key, options, headers }) {
      yield* talk.request('bindQueue', { queue, exchange, ...binding(key, options, headers) })
    },
  }),
  define({
    name: 'unbind',
    summary: 'takes a binding of a queue away; it is named by the same words as in bind',
    examples: ['unbind emails orders order.#'],
    places: { queue: place(queueName), exchange: place(exchangeName), key: maybe(key) },
    options: { match },
    takesHeaders: true,
    *run(talk, { queue, exchange, key, options, headers }) {
      yield* talk.request('unbindQueue', { queue, exchange, ...binding(key, options, headers) })
    },
  }),
  define({
    name: 'bind exchange',
    summary: 'lets an exchange have the messages of another exchange whose keys match',
    details: ['First the exchange that gets the messages, then the one that they come from.', headersNote],
    examples: ['bind exchange audit orders #'],
    places: { target: place(exchangeName), source: place(exchangeName), key: maybe(key) },
    options: { match },
    takesHeaders: true,
    *run(talk, { target, source, key, options, headers }) {
      yield* talk.request('bindExchange', { source, target, ...binding(key, options, headers) })
    },
  }),
  define({
    name: 'unbind exchange',
    summary: 'takes a binding between exchanges away',
    examples: ['unbind exchange audit orders #'],
    places: { target: place(exchangeName), source: place(exchangeName), key: maybe(key) },
    options: { match },
    takesHeaders: true,
    *run(talk, { target, source, key, options, headers }) {
      yield* talk.request('unbindExchange', { source, target, ...binding(key, options, headers) })
    },
  }),
  define({
    name: 'delete queue',
    summary: 'removes a queue with all that is in it',
    examples: ['delete queue emails ifEmpty'],
    places: { queue: place(queueName) },
    options: { ifUnused: flag, ifEmpty: flag },
    *run(talk, { queue, options }) {
      yield* talk.request('deleteQueue', { queue, ...options })
      talk.names.queue.delete(queue)
    },
  }),
  define({
    name: 'delete exchange',
    summary: 'removes an exchange with its bindings',
    examples: ['delete exchange orders ifUnused'],
    places: { exchange: place(exchangeName) },
    options: { ifUnused: flag },
    *run(talk, { exchange, options }) {
      yield* talk.request('deleteExchange', { exchange, ...options })
      talk.names.exchange.delete(exchange)
    },
  }),
  define({
    name: 'purge',
    summary: 'drops what is ready in a queue; what is unsettled stays',
    examples: ['purge emails'],
    places: { queue: place(queueName) },
    options: {},
    *run(talk, { queue }) {
      yield* talk.request('purgeQueue', { queue })
    },
  }),
  define({
    name: 'check queue',
    summary: 'asks what a queue is and how much is in it; fails if it is not there',
    examples: ['check queue emails'],
    places: { queue: place(queueName) },
    options: {},
    *run(talk, { queue }) {
      yield* talk.request('checkQueue', { queue })
      talk.names.queue.add(queue)
    },
  }),
  define({
    name: 'check exchange',
    summary: 'asks what an exchange is; fails if it is not there',
    examples: ['check exchange orders'],
    places: { exchange: place(exchangeName) },
    options: {},
    *run(talk, { exchange }) {
      yield* talk.request('checkExchange', { exchange })
      talk.names.exchange.add(exchange)
    },
  }),
  define({
    name: 'list',
    summary: 'lists what the broker has, as a table',
    details: ['A list comes in pages; the last line says how to get the next one.'],
    examples: ['list queues', 'list connections', 'list queues prefix=email limit=10'],
    places: { kind: place(choice('queues', 'exchanges', 'bindings', 'connections', 'channels', 'consumers')) },
    options: { limit: count('count', 1), after: text('name'), prefix: text('text') },
    *run(talk, { kind, options }) {
      const result = yield* talk.request('list', { kind, ...options }, 0)
      learnNames(talk, kind, result)
      yield* sayList(kind, result)
    },
  }),
]

function binding(key: string | undefined, options: { match?: 'all' | 'any' }, headers: HeaderValues) {
  return {
    ...(key === undefined ? {} : { key }),
    ...options,
    ...(Object.keys(headers).length === 0 ? {} : { headers: headersToJson(headers) }),
  }
}

function* sayList(kind: ListKind, { items, next }: ListResult): Steps {
  const lines = items.length === 0 ? [`no ${kind}`] : tableLines(items)
  if (next !== undefined) lines.push(`there are more: list ${kind} after=${JSON.stringify(next)}`)
  yield { step: 'say', lines }
}

function learnNames(talk: Talk, kind: ListKind, { items }: ListResult): void {
  if (kind !== 'queues' && kind !== 'exchanges') return
  const field = kind === 'queues' ? 'queue' : 'exchange'
  for (const item of items) {
    const name = (item as Record<string, unknown>)[field]
    if (typeof name === 'string' && name !== '') talk.names[field].add(name)
  }
}
