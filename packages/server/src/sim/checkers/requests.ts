/**
 * What each request must be answered, and what it changes, by the naive names and queues. [P-6]
 *
 * An answer is a test: undefined when the answer is right, otherwise what was expected. Where the broker knows more than what has
 * passed its door, the test allows what it may know.
 */
import type { ErrorName } from '@waybill/protocol'
import { jsonValueText } from './frames.js'
import type { ExpectedBinding, ExpectedNames } from './names.js'
import { ExpectedQueue, type QueueOptions } from './queue.js'

export type Json = Readonly<Record<string, unknown>>
/** What is wrong with the result, or undefined. */
export type ResultTest = (result: Json) => string | undefined
/** `or`: a refusal that is right as well, and what follows from it. */
export type ExpectedAnswer =
  | { readonly refusal: ErrorName }
  | { readonly test: ResultTest; readonly or?: { readonly refusal: ErrorName; readonly undo: () => void } }

export interface RequestContext {
  readonly names: ExpectedNames
  readonly connection: number
  readonly batch: number
  readonly now: number
  readonly stamp: number
  /** Whether the broker keeps what is durable. */
  readonly keeps: boolean
  /** How many messages a queue has that may have fewer than can be known from outside. */
  readonly countOf: (queue: ExpectedQueue) => number
  /** Takes a queue away with everything that hangs on it. */
  readonly dropQueue: (queue: ExpectedQueue) => void
}

export function refused(refusal: ErrorName): ExpectedAnswer {
  return { refusal }
}

/** All these fields are just so; further ones are not looked at. */
export function fields(expected: Json): ResultTest {
  return (result) => {
    for (const [name, value] of Object.entries(expected)) if (result[name] !== value) return `${name} ${JSON.stringify(value)}`
    return undefined
  }
}

function within(name: string, [least, most]: readonly [number, number], rest: Json = {}): ResultTest {
  return (result) => {
    const value = result[name] as number
    return value >= least && value <= most ? fields(rest)(result) : `${name} from ${least} to ${most}`
  }
}

type Request = (context: RequestContext, body: Json) => ExpectedAnswer

export const requests: Readonly<Record<string, Request>> = {
  declareExchange({ names }, { exchange, type, durable = true, autoDelete = false, internal = false, alternate }) {
    if (exchange === '') return refused('forbidden')
    const options = { name: exchange, type, durable, autoDelete, internal, alternate }
    const there = names.exchanges.get(exchange as string)
    if (there !== undefined) return isSame(options, there) ? { test: fields({ created: false }) } : refused('preconditionFailed')
    names.addExchange(options as never)
    return { test: fields({ created: true }) }
  },

  checkExchange({ names }, { exchange }) {
    if (exchange === '') return { test: fields({ type: 'direct' }) }
    const there = names.exchanges.get(exchange as string)
    if (there === undefined) return refused('notFound')
    const { type, autoDelete, internal, alternate } = there
    return { test: fields({ exchange, type, autoDelete, internal, alternate }) }
  },

  deleteExchange({ names }, { exchange, ifUnused = false }) {
    if (exchange === '') return refused('forbidden')
    if (!names.exchanges.has(exchange as string)) return { test: fields({ deleted: false }) }
    if (ifUnused === true && names.bindingsFrom(exchange as string) > 0) return refused('preconditionFailed')
    names.removeExchange(exchange as string)
    return { test: fields({ deleted: true }) }
  },

  bindExchange: (context, { source, target, ...rest }) => bind(context, source, 'exchange', target, rest),
  unbindExchange: (context, { source, target, ...rest }) => unbind(context, source, 'exchange', target, rest),
  bindQueue: (context, { exchange, queue, ...rest }) => bind(context, exchange, 'queue', queue, rest),
  unbindQueue: (context, { exchange, queue, ...rest }) => unbind(context, exchange, 'queue', queue, rest),

  declareQueue({ names, connection, batch, now, keeps }, body) {
    const { queue: name = '', exclusive = false, durable = name !== '' && exclusive !== true, autoDelete = false, expiresMs } = body
    const options = { durable, exclusive, autoDelete, expiresMs } as QueueOptions
    const there = names.queues.get(name as string)
    if (there === undefined) {
      const make = (chosen: string): void => names.addQueue(new ExpectedQueue(chosen, options, exclusive === true ? connection : 0, now))
      const isKept = keeps && durable === true && exclusive !== true
      const made: ResultTest = fields({ created: true, durable: isKept, messageCount: 0, consumerCount: 0 })
      if (name !== '') {
        make(name as string)
        return { test: (result) => fields({ queue: name })(result) ?? made(result) }
      }
      return {
        test: (result) => {
          const chosen = String(result.queue)
          if (!chosen.startsWith('wb.') || names.queues.has(chosen)) return 'a new name'
          make(chosen)
          return made(result)
        },
      }
    }
    if (there.owner !== 0 && there.owner !== connection) return refused('resourceLocked')
    if (!isSame({ ...options }, { ...there.options })) return refused('preconditionFailed')
    there.usedAt = now
    return { test: within('messageCount', there.readyRange(batch, now), { queue: name, created: false, ...consumerCount(there) }) }
  },

  checkQueue: (context, { queue }) =>
    usable(context, queue, (there) => {
      const { exclusive, autoDelete, expiresMs } = there.options
      const rest = { queue, exclusive, autoDelete, expiresMs, ...consumerCount(there) }
      const unsettled = there.isBlurred(context.batch) ? {} : { unsettledCount: there.unsettledCount }
      return { test: within('messageCount', there.readyRange(context.batch, context.now), { ...rest, ...unsettled }) }
    }),

  deleteQueue(context, { queue, ifUnused = false, ifEmpty = false }) {
    if (!context.names.queues.has(queue as string)) return { test: fields({ deleted: false, messageCount: 0 }) }
    return usable(context, queue, (there) => {
      if (ifUnused === true && consumerCount(there).consumerCount !== 0) return refused('preconditionFailed')
      if (ifEmpty === true && context.countOf(there) > 0) return refused('preconditionFailed')
      const ready = there.readyRange(context.batch, context.now)
      context.dropQueue(there)
      return { test: within('messageCount', ready, { deleted: true }) }
    })
  },

  purgeQueue: (context, { queue }) => usable(context, queue, (there) => ({ test: within('messageCount', there.purge(context)) })),
}

/** Consumers without the `get`s that wait; nothing when it is not known of each whether it is one. */
function consumerCount({ consumers }: ExpectedQueue): { readonly consumerCount?: number } {
  const all = [...consumers].filter(({ once }) => !once)
  return all.some(({ isUncertain }) => isUncertain) ? {} : { consumerCount: all.length }
}

/** A queue that this connection may use. */
export function usable(
  { names, connection }: RequestContext,
  name: unknown,
  then: (queue: ExpectedQueue) => ExpectedAnswer,
): ExpectedAnswer {
  const queue = names.queues.get(name as string)
  if (queue === undefined) return refused('notFound')
  if (queue.owner !== 0 && queue.owner !== connection) return refused('resourceLocked')
  return then(queue)
}

function bind(context: RequestContext, source: unknown, kind: 'queue' | 'exchange', target: unknown, rest: Json): ExpectedAnswer {
  return withEnds(context, source, kind, target, rest, (binding) => {
    const created = context.names.bind(binding)
    return { test: fields({ created, bindingCount: context.names.bindingsTo(kind, binding.target) }) }
  })
}

function unbind(context: RequestContext, source: unknown, kind: 'queue' | 'exchange', target: unknown, rest: Json): ExpectedAnswer {
  return withEnds(context, source, kind, target, rest, (binding) => {
    const removed = context.names.unbind(binding)
    return { test: fields({ removed, bindingCount: context.names.bindingsTo(kind, binding.target) }) }
  })
}

function withEnds(
  context: RequestContext,
  source: unknown,
  kind: 'queue' | 'exchange',
  target: unknown,
  { key = '', headers, match }: Json,
  then: (binding: ExpectedBinding) => ExpectedAnswer,
): ExpectedAnswer {
  const { names } = context
  if (source === '') return refused('forbidden')
  const exchange = names.exchanges.get(source as string)
  if (exchange === undefined) return refused('notFound')
  const bound = (): ExpectedAnswer => {
    if ((headers !== undefined || match !== undefined) && exchange.type !== 'headers') return refused('requestInvalid')
    const pairs = new Map(Object.entries((headers ?? {}) as Json).map(([name, value]) => [name, jsonValueText(value)]))
    return then({
      source: source as string,
      kind,
      target: target as string,
      key: key as string,
      headers: pairs,
      match: match === 'any' ? 'any' : 'all',
    })
  }
  if (kind === 'queue') return usable(context, target, bound)
  if (target === '') return refused('forbidden')
  return names.exchanges.has(target as string) ? bound() : refused('notFound')
}

function isSame(a: Json, b: object): boolean {
  return Object.keys(a).every((name) => a[name] === (b as Json)[name])
}
