/** Commands that publish messages, have them delivered, and settle them. [P-4, P-5] */
import { limits, type Outcome, type Properties, type PropertyName, propertyTable } from '@waybill/protocol'
import { type Command, define, maybe, place } from './command.js'
import { encodeSettle, encodeWindow } from './encode.js'
import { body, boolean, choice, count, exchangeName, flag, hex, integer, type Kind, queueName, type TagRange, tags, text } from './kinds.js'
import { publish } from './publish.js'
import { CommandFailure, type Steps } from './steps.js'
import { answerMs, type Talk } from './talk.js'

const u32Max = 0xffff_ffff
const ackMode = choice('manual', 'none')
const consumerId = count('consumer', 1, u32Max)

const propertyKinds = Object.fromEntries(
  propertyTable.map(({ name, form }): [PropertyName, Kind<string | number>] => {
    const kind: Kind<string | number> = form === 'str8' ? text('text') : count('number')
    return [name, { ...kind, minor: true }]
  }),
) as Record<PropertyName, Kind<string | number>>

const publishOptions = {
  mandatory: flag,
  persistent: boolean,
  confirm: boolean,
  level: choice('best', 'received', 'written', 'synced'),
  atomic: flag,
  count: count('count', 1, 100_000),
  hex,
  ...propertyKinds,
}

const publishNotes = [
  'The body is JSON as it stands, or a text, in quotes if it has spaces; hex=00ff makes it of bytes. count=10 publishes it ten times.',
  'The content type is set as clients do it, unless contentType= says otherwise. A message is persistent=true and confirm=true by default.',
  `Properties: ${propertyTable.map(({ name }) => name).join(', ')}.`,
]

export const messageCommands: readonly Command[] = [
  define({
    name: 'publish',
    summary: 'publishes a message to an exchange and waits for its confirm',
    details: publishNotes,
    examples: [
      'publish orders order.eu.created {"id":1}',
      'publish orders order.eu.created "some text" mandatory header.attempt=1',
      'publish "" emails hello contentType=text/html',
    ],
    places: { exchange: place(exchangeName), key: place(text('key')), body: maybe(body) },
    options: publishOptions,
    takesHeaders: true,
    *run(talk, { exchange, key, body, options, headers }) {
      const { mandatory = false, confirm = true, level = 'best', atomic = false } = options
      yield* publish(talk, { exchange, key, ...content(body, options), headers }, { mandatory, confirm, level, atomic }, options.count ?? 1)
    },
  }),
  define({
    name: 'send',
    summary: 'publishes a message straight to a queue, which must be there',
    details: ['The same as publish "" QUEUE … mandatory.', ...publishNotes],
    examples: ['send emails {"to":"ada@example.org"}', 'send emails "hello there" count=3'],
    places: { queue: place(queueName), body: maybe(body) },
    options: publishOptions,
    takesHeaders: true,
    *run(talk, { queue, body, options, headers }) {
      const { mandatory = true, confirm = true, level = 'best', atomic = false } = options
      yield* publish(
        talk,
        { exchange: '', key: queue, ...content(body, options), headers },
        { mandatory, confirm, level, atomic },
        options.count ?? 1,
      )
    },
  }),
  define({
    name: 'consume',
    summary: 'has the messages of a queue delivered, as many at once as prefetch says',
    details: [
      'Settle what comes with ack, requeue, retry or reject and its tag.',
      'With ack=none a message is gone when it is sent; the tool gives the window back by itself, with SETTLE frames that you see.',
    ],
    examples: ['consume emails prefetch=1', 'consume emails ack=none'],
    places: { queue: place(queueName) },
    options: {
      prefetch: count('count', 0, u32Max),
      prefetchSize: count('bytes', 0, u32Max),
      ack: ackMode,
      exclusive: flag,
      priority: integer('number', -1000, 1000),
    },
    *run(talk, { queue, options }) {
      yield* consume(talk, queue, options)
    },
  }),
  define({
    name: 'watch',
    summary: 'prints what passes through an exchange, without taking it from anybody',
    details: [
      'Makes a queue that is gone when you leave, binds it and consumes it. The pattern is # if none is given, all that passes;',
      'on a direct exchange it has to be the very key.',
    ],
    examples: ['watch orders order.#', 'watch orders'],
    places: { exchange: place(exchangeName), pattern: maybe(text('pattern')) },
    options: {},
    *run(talk, { exchange, pattern = '#' }) {
      const { queue } = yield* talk.request('declareQueue', { exclusive: true, autoDelete: true })
      yield* talk.request('bindQueue', { queue, exchange, key: pattern })
      const id = yield* consume(talk, queue, { ack: 'none' })
      yield { step: 'say', lines: [`watching ${exchange} for ${pattern}; to stop: cancel ${id}`] }
    },
  }),
  define({
    name: 'window',
    summary: 'changes how much a consumer may hold unsettled; 0 messages pause it',
    details: ['For consumer 0 it says how many bytes of credit the next publish on this channel needs.'],
    examples: ['window 1 10', 'window 1 0', 'window 1 10 65536'],
    places: {
      consumer: place(count('consumer', 0, u32Max)),
      messages: place(count('messages', 0, u32Max)),
      size: maybe(count('bytes', 0, u32Max)),
    },
    options: {},
    *run(talk, { consumer: id, messages, size = limits.prefetchSize.value }) {
      const channel = talk.current()
      const consumer = channel.consumers.get(id)
      if (consumer !== undefined) Object.assign(consumer, { prefetch: messages, prefetchSize: size })
      yield { step: 'send', bytes: encodeWindow(channel.number, id, messages, size) }
    },
  }),
  define({
    name: 'cancel',
    summary: 'ends a consumer; what it holds may still be settled',
    examples: ['cancel 1'],
    places: { consumer: place(consumerId) },
    options: {},
    *run(talk, { consumer }) {
      yield* talk.request('cancel', { consumer })
      talk.current().consumers.delete(consumer)
    },
  }),
  define({
    name: 'get',
    summary: 'takes one message out of a queue, if there is one',
    details: ['Settle it as any other, or take it with ack=none. waitMs=5000 waits that long for one to come.'],
    examples: ['get emails', 'get emails waitMs=5000', 'get emails ack=none'],
    places: { queue: place(queueName) },
    options: { ack: ackMode, waitMs: count('ms', 0, limits.waitMsMax.value) },
    *run(talk, { queue, options }) {
      const consumer = talk.current().lastConsumer + 1
      const { found } = yield* talk.request('get', { consumer, queue, ...options }, undefined, answerMs + (options.waitMs ?? 0))
      if (found) talk.unseenCount--
      else yield { step: 'say', lines: [`nothing is ready in ${queue}`] }
    },
  }),
  define({
    name: 'ack',
    summary: 'says that messages are done with; they are gone then',
    details: ['In a range tags that are settled already are skipped; all is everything delivered on this channel so far.'],
    examples: ['ack 3', 'ack 1-7', 'ack all'],
    places: { tags: place(tags) },
    options: {},
    *run(talk, { tags }) {
      yield* settle(talk, tags, 'ack')
    },
  }),
  define({
    name: 'requeue',
    summary: 'puts messages back to their place at once; not a failure',
    examples: ['requeue 3'],
    places: { tags: place(tags) },
    options: {},
    *run(talk, { tags }) {
      yield* settle(talk, tags, 'requeue')
    },
  }),
  define({
    name: 'retry',
    summary: 'says that messages failed and come again later: after 1 s, doubling to 60 s, or after delayMs',
    examples: ['retry 3', 'retry 3 "no connection" delayMs=500'],
    places: { tags: place(tags), reason: maybe(text('reason')) },
    options: { delayMs: count('ms', 0, u32Max - 1) },
    *run(talk, { tags, reason, options }) {
      yield* settle(talk, tags, 'retry', reason, options.delayMs)
    },
  }),
  define({
    name: 'reject',
    summary: 'says that messages will never do; they are dropped and counted',
    examples: ['reject 3 "not an address"'],
    places: { tags: place(tags), reason: maybe(text('reason')) },
    options: {},
    *run(talk, { tags, reason }) {
      yield* settle(talk, tags, 'reject', reason)
    },
  }),
]

interface ConsumeOptions {
  readonly prefetch?: number
  readonly prefetchSize?: number
  readonly ack?: 'manual' | 'none'
  readonly exclusive?: boolean
  readonly priority?: number
}

/** Starts a consumer and gives its id. It is known before its RESULT is there: deliveries may lie right behind that. */
function* consume(talk: Talk, queue: string, options: ConsumeOptions): Steps<number> {
  const channel = talk.current()
  const id = ++channel.lastConsumer
  const { ack = 'manual', prefetch = limits.prefetch.value, prefetchSize = limits.prefetchSize.value } = options
  channel.consumers.set(id, { id, queue, ack, prefetch, prefetchSize, used: [], usedCount: 0, usedSize: 0 })
  try {
    yield* talk.request('consume', { consumer: id, queue, ...options })
  } catch (error) {
    channel.consumers.delete(id)
    throw error
  }
  return id
}

function* settle(talk: Talk, range: TagRange, outcome: keyof typeof Outcome, reason?: string, delayMs?: number): Steps {
  const { number, lastTag } = talk.current()
  if (range === 'all' && lastTag === 0) throw new CommandFailure('tagUnknown', 'nothing has been delivered on this channel yet')
  const entry = { tags: range === 'all' ? { from: 1, through: lastTag } : range, outcome, reason, delayMs }
  const correlation = talk.nextCorrelation()
  yield { step: 'send', bytes: encodeSettle(number, correlation, [entry]) }
  yield* talk.answer(number, correlation)
}

/** The part of a message that the words of publish and send describe alike. */
function content(body: { bytes: Uint8Array; contentType?: string } | undefined, options: { [K in keyof typeof publishOptions]?: unknown }) {
  const properties: Record<string, unknown> = {}
  for (const { name } of propertyTable) if (options[name] !== undefined) properties[name] = options[name]
  if (options.hex === undefined && body !== undefined) properties.contentType ??= body.contentType
  return {
    body: (options.hex as Uint8Array | undefined) ?? body?.bytes ?? new Uint8Array(0),
    persistent: options.persistent !== false,
    properties: properties as Properties,
  }
}
