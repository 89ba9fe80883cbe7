/**
 * Control requests on a channel, a function each: what the request says, with its defaults, goes to the broker; what
 * comes back is the answer. Permission is asked here and nowhere else. [P-6]
 */
import { type ControlBodies, FrameType, headersFromJson } from '@waybill/protocol'
import { Refusal } from '../broker/refusal.js'
import {
  type Asker,
  bind,
  type BindingRequest,
  checkExchange,
  checkQueue,
  declareExchange,
  declareQueue,
  deleteExchange,
  deleteQueue,
  purgeQueue,
  unbind,
} from '../broker/topology.js'
import type { Access, Verb } from './access.js'
import type { Channel } from './channel.js'

export interface CommandContext extends Asker {
  readonly access: Access
  readonly channel: Channel
  readonly correlation: number
}

/** `undefined`: the answer comes later, from the channel itself. */
export type Answer = object | Refusal | undefined

type Bodies = ControlBodies
type CommandName = Exclude<keyof Bodies, 'hello' | 'open' | 'close' | 'list' | 'status' | 'error' | 'cancelled'>
type Command<K extends CommandName> = (context: CommandContext, body: Bodies[K]) => Answer

const commands: { readonly [K in CommandName]: Command<K> } = {
  declareExchange(context, { exchange, type, durable = true, autoDelete = false, internal = false, alternate }) {
    const refused =
      denied(context, 'configure', 'exchange', exchange) ??
      (alternate === undefined
        ? undefined
        : (denied(context, 'read', 'exchange', exchange) ?? denied(context, 'write', 'exchange', alternate)))
    return refused ?? declareExchange(context.channel.broker, context, exchange, { type, durable, autoDelete, internal, alternate })
  },
  checkExchange: (context, { exchange }) =>
    deniedAll(context, 'exchange', exchange) ?? checkExchange(context.channel.broker, context, exchange),
  deleteExchange: (context, { exchange, ifUnused = false }) =>
    denied(context, 'configure', 'exchange', exchange) ?? deleteExchange(context, exchange, ifUnused),
  bindExchange: (context, body) => deniedExchangeBinding(context, body) ?? bind(context.channel.broker, context, exchangeBinding(body)),
  unbindExchange: (context, body) => deniedExchangeBinding(context, body) ?? unbind(context.channel.broker, context, exchangeBinding(body)),
  declareQueue(context, { queue = '', exclusive = false, durable = queue !== '' && !exclusive, autoDelete = false, expiresMs }) {
    const { broker } = context.channel
    const name = queue === '' ? broker.queueName() : queue
    return denied(context, 'configure', 'queue', name) ?? declareQueue(broker, context, name, { durable, exclusive, autoDelete, expiresMs })
  },
  checkQueue: (context, { queue }) => deniedAll(context, 'queue', queue) ?? checkQueue(context.channel.broker, context, queue),
  deleteQueue: (context, { queue, ifUnused = false, ifEmpty = false }) =>
    denied(context, 'configure', 'queue', queue) ?? deleteQueue(context.channel.broker, context, queue, { ifUnused, ifEmpty }),
  purgeQueue: (context, { queue }) => denied(context, 'read', 'queue', queue) ?? purgeQueue(context.channel.broker, context, queue),
  bindQueue: (context, body) => deniedQueueBinding(context, body) ?? bind(context.channel.broker, context, queueBinding(body)),
  unbindQueue: (context, body) => deniedQueueBinding(context, body) ?? unbind(context.channel.broker, context, queueBinding(body)),
  consume(
    context,
    { consumer: id, queue, ack = 'manual', prefetch = 256, prefetchSize = 8 * 1024 * 1024, exclusive = false, priority = 0 },
  ) {
    const refused = denied(context, 'read', 'queue', queue)
    return refused ?? context.channel.consume(queue, { id, ack, prefetch, prefetchSize, exclusive, priority, once: false }) ?? {}
  },
  cancel: ({ channel }, { consumer }) => channel.cancel(consumer),
  get: (context, { consumer, queue, ack = 'manual', waitMs = 0 }) =>
    denied(context, 'read', 'queue', queue) ?? context.channel.get(queue, consumer, ack, waitMs, context.correlation),
}

const nameOfType = new Map<number, CommandName>((Object.keys(commands) as CommandName[]).map((name) => [FrameType[name], name]))

/** Whether a command may change what is durable, so that its answer waits until the disk has it. */
export function changesNames(name: CommandName): boolean {
  return !(name === 'consume' || name === 'cancel' || name === 'get' || name === 'checkExchange' || name === 'checkQueue')
}

/** The command of a frame type, if it is one. */
export function commandOf(type: number): CommandName | undefined {
  return nameOfType.get(type)
}

export function runCommand<K extends CommandName>(name: K, context: CommandContext, body: Bodies[K]): Answer {
  return commands[name](context, body)
}

function denied({ access }: CommandContext, verb: Verb, kind: 'queue' | 'exchange', name: string): Refusal | undefined {
  const refusal = access.refusal(verb, kind, name)
  return refusal === undefined ? undefined : new Refusal('forbidden', refusal)
}

/** Refused only to whoever has no right at all to the thing: asking whether it is there needs any one of them. */
function deniedAll(context: CommandContext, kind: 'queue' | 'exchange', name: string): Refusal | undefined {
  const refused = denied(context, 'read', kind, name)
  if (refused === undefined || denied(context, 'write', kind, name) === undefined || denied(context, 'configure', kind, name) === undefined)
    return undefined
  return refused
}

function deniedExchangeBinding(context: CommandContext, { source, target }: Bodies['bindExchange']): Refusal | undefined {
  return denied(context, 'read', 'exchange', source) ?? denied(context, 'write', 'exchange', target)
}

function deniedQueueBinding(context: CommandContext, { exchange, queue }: Bodies['bindQueue']): Refusal | undefined {
  return denied(context, 'read', 'exchange', exchange) ?? denied(context, 'write', 'queue', queue)
}

function exchangeBinding({ source, target, key = '', headers, match }: Bodies['bindExchange']): BindingRequest {
  return { source, target: { exchange: target }, key, headers: headers === undefined ? undefined : headersFromJson(headers), match }
}

function queueBinding({ queue, exchange, key = '', headers, match }: Bodies['bindQueue']): BindingRequest {
  return { source: exchange, target: { queue }, key, headers: headers === undefined ? undefined : headersFromJson(headers), match }
}
