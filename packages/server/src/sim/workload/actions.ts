/** What a raw peer does of its own accord, an action a function. [P-4, P-5, P-6] */
import { Flag, FrameType, headersToJson, noDelay, Outcome } from '@waybill/protocol'
import type { Random } from '../random.js'
import { misdeed } from './misdeeds.js'
import type { Action } from './profile.js'
import type { RawChannel, RawConsumer } from './raw-channel.js'
import type { RawPeer } from './raw-peer.js'
import type { Scene } from './scene.js'
import { exchangeTypes } from './vocabulary.js'

const backlogMax = 8

export const actionOf: Readonly<Record<Action, (scene: Scene) => void>> = {
  publish: ({ peer, channel, random }) => publish(peer, channel, random, random.spread(1, 30), peer.world.profile.bodySizeMax),

  'publish bulk': ({ peer, channel, random }) => {
    const bodySize = random.pick([100, 2_000, 20_000])
    publish(peer, channel, random, Math.floor(random.spread(100_000, 600_000) / bodySize), bodySize)
  },

  consume({ peer, channel, random }) {
    if (channel.consumers.length >= 4) return
    const id = channel.newConsumerId()
    const consumer: RawConsumer = { id, queue: queueName(peer, random) }
    const body = {
      consumer: id,
      queue: consumer.queue,
      ...maybe(random, 'ack', () => (random.chance(0.2) ? 'none' : 'manual')),
      ...maybe(random, 'prefetch', () => random.spread(1, 100)),
      ...maybe(random, 'prefetchSize', () => random.spread(100, 1_000_000)),
      ...(random.chance(0.05) ? { exclusive: true } : {}),
      ...(random.chance(0.2) ? { priority: random.between(-2, 2) } : {}),
    }
    peer.request(FrameType.consume, channel.id, body, ({ result }) => {
      if (result !== undefined) channel.consumers.push(consumer)
    })
  },

  cancel({ peer, channel, random }) {
    if (channel.consumers.length === 0 && random.chance(0.9)) return
    const [consumer] = channel.consumers.splice(random.below(channel.consumers.length), 1)
    peer.request(FrameType.cancel, channel.id, { consumer: consumer?.id ?? 4_000_000_000 }, () => undefined)
  },

  window({ channel, random }) {
    if (channel.consumers.length === 0) return
    const count = random.chance(0.2) ? 0 : random.spread(1, 200)
    channel.window(random.pick(channel.consumers).id, count, random.chance(0.1) ? 0 : random.spread(50, 1_000_000))
  },

  settle: ({ channel, random }) => settleSome(channel, random),

  get({ peer, channel, random }) {
    const waitMs = peer.world.profile.getsAtOnce && random.chance(0.6) ? {} : { waitMs: random.spread(1, 3_000) }
    const ack = random.chance(0.3) ? { ack: 'none' } : {}
    const body = { consumer: channel.newConsumerId(), queue: queueName(peer, random), ...ack, ...waitMs }
    peer.request(FrameType.get, channel.id, body, () => undefined)
  },

  'declare queue': ({ peer, channel, random }) => declareQueue(peer, channel, random, random.chance(0.9) ? queueName(peer, random) : ''),
  'declare exchange': ({ peer, channel, random }) => declareExchange(peer, channel, random, exchangeName(peer, random)),

  'check queue': ({ peer, channel, random }) =>
    void peer.request(FrameType.checkQueue, channel.id, { queue: queueName(peer, random) }, () => undefined),
  'purge queue': ({ peer, channel, random }) =>
    void peer.request(FrameType.purgeQueue, channel.id, { queue: queueName(peer, random) }, () => undefined),

  'delete queue'({ peer, channel, random }) {
    // Whether a queue is empty is hard to know from outside while a `get` may have taken something in the same breath.
    const ifEmpty = peer.world.profile.getsAtOnce ? {} : maybe(random, 'ifEmpty', () => random.chance(0.5))
    const conditions = { ...maybe(random, 'ifUnused', () => random.chance(0.5)), ...ifEmpty }
    peer.request(FrameType.deleteQueue, channel.id, { queue: queueName(peer, random), ...conditions }, () => undefined)
  },

  'check exchange': ({ peer, channel, random }) =>
    void peer.request(FrameType.checkExchange, channel.id, { exchange: exchangeName(peer, random) }, () => undefined),

  'delete exchange'({ peer, channel, random }) {
    const body = { exchange: exchangeName(peer, random), ...maybe(random, 'ifUnused', () => random.chance(0.5)) }
    peer.request(FrameType.deleteExchange, channel.id, body, () => undefined)
  },

  'bind queue': ({ peer, channel, random }) => bindQueue(peer, channel, random, FrameType.bindQueue),
  'unbind queue': ({ peer, channel, random }) => bindQueue(peer, channel, random, FrameType.unbindQueue),
  'bind exchange': ({ peer, channel, random }) => bindExchange(peer, channel, random, FrameType.bindExchange),
  'unbind exchange': ({ peer, channel, random }) => bindExchange(peer, channel, random, FrameType.unbindExchange),

  list({ peer, random }) {
    const kind = random.pick(['connections', 'channels', 'exchanges', 'bindings', 'queues', 'consumers'])
    const body = {
      kind,
      ...maybe(random, 'limit', () => random.spread(1, 1_000)),
      ...(kind === 'queues' && random.chance(0.3) ? { prefix: 'q' } : {}),
    }
    peer.request(FrameType.list, 0, body, () => undefined)
  },

  'open channel'({ peer }) {
    if (peer.channels.size < 4) peer.openChannel()
  },

  'close channel': ({ peer, channel }) => peer.closeChannel(channel),
  'close connection': ({ peer }) => peer.close(),
  vanish: ({ peer }) => peer.vanish(),
  misdeed: (scene) => misdeed(scene),
}

/** Most of what there is to declare and bind, by the first who comes. */
export function settleIn(peer: RawPeer, channel: RawChannel, random: Random): void {
  const { queues, exchanges } = peer.world.vocabulary
  for (const queue of queues) if (random.chance(0.8)) declareQueue(peer, channel, random, queue)
  for (const exchange of exchanges) if (random.chance(0.8)) declareExchange(peer, channel, random, exchange)
  for (let i = 2 * exchanges.length; i > 0; i--) bindQueue(peer, channel, random, FrameType.bindQueue)
}

function declareQueue(peer: RawPeer, channel: RawChannel, random: Random, queue: string): void {
  const expires = queue === 'q8' || queue === '' ? { expiresMs: random.chance(0.8) ? 2_000 : 50_000 } : {}
  const autoDelete = queue === 'images' || random.chance(0.03)
  const body = { queue, ...expires, ...(autoDelete ? { autoDelete } : {}), ...(random.chance(0.05) ? { exclusive: true } : {}) }
  peer.request(FrameType.declareQueue, channel.id, body, () => undefined)
}

function declareExchange(peer: RawPeer, channel: RawChannel, random: Random, exchange: string): void {
  const type = exchange === '' || random.chance(0.05) ? random.pick(exchangeTypes) : peer.world.vocabulary.typeOf(exchange)
  const options = {
    ...(random.chance(0.1) ? { autoDelete: true } : {}),
    ...(random.chance(0.05) ? { internal: true } : {}),
    ...(random.chance(0.2) ? { alternate: exchangeName(peer, random) } : {}),
  }
  peer.request(FrameType.declareExchange, channel.id, { exchange, type, ...options }, () => undefined)
}

function publish(peer: RawPeer, channel: RawChannel, random: Random, count: number, bodySizeMax: number): void {
  if (channel.backlogCount >= backlogMax) return
  const { vocabulary } = peer.world
  const exchange = exchangeName(peer, random)
  const key = exchange === '' ? queueName(peer, random) : vocabulary.key(random)
  const records: Buffer[] = []
  for (let i = 0; i < count; i++) {
    const headers = random.chance(0.4) ? vocabulary.headers(random) : undefined
    const own = random.chance(0.8) ? key : vocabulary.key(random)
    records.push(channel.record(exchange, own, random.spread(12, bodySizeMax), headers, random.chance(0.7)))
  }
  const flags =
    (random.chance(0.7) ? Flag.confirm : 0) |
    (random.chance(0.15) ? Flag.mandatory : 0) |
    (random.chance(0.1) ? Flag.atomic : 0) |
    (random.chance(0.1) ? 1 << Flag.levelShift : 0)
  channel.publish(records, flags)
}

/** A part of what is held: all up to some message, one, or a range in the middle. */
export function settleSome(channel: RawChannel, random: Random): void {
  const count = channel.unsettled.length
  if (count === 0) return
  const from = random.chance(0.6) ? 0 : random.below(count)
  const to = random.chance(0.5) ? count : Math.min(count, from + random.spread(1, 20))
  const outcome = random.weighted({ ack: 75, requeue: 10, retry: 10, reject: 5 })!
  const delayMs = outcome === 'retry' && random.chance(0.7) ? random.spread(1, 500) - 1 : noDelay
  channel.settle(from, to, Outcome[outcome], delayMs, random.chance(0.1))
}

function bindQueue(peer: RawPeer, channel: RawChannel, random: Random, type: number): void {
  const exchange = exchangeName(peer, random)
  peer.request(type, channel.id, { queue: queueName(peer, random), exchange, ...bindingOf(peer, random, exchange) }, () => undefined)
}

function bindExchange(peer: RawPeer, channel: RawChannel, random: Random, type: number): void {
  const source = exchangeName(peer, random)
  peer.request(type, channel.id, { source, target: exchangeName(peer, random), ...bindingOf(peer, random, source) }, () => undefined)
}

function bindingOf(peer: RawPeer, random: Random, exchange: string): object {
  const { vocabulary } = peer.world
  const type = exchange === '' ? 'direct' : vocabulary.typeOf(exchange)
  const key = random.chance(0.9) ? { key: vocabulary.pattern(random, type) } : {}
  if (type !== 'headers' && random.chance(0.97)) return key
  return { ...key, headers: headersToJson(vocabulary.headers(random)), ...maybe(random, 'match', () => random.pick(['all', 'any'])) }
}

export function queueName(peer: RawPeer, random: Random): string {
  return random.pick(peer.world.vocabulary.queues)
}

/** Also the default exchange, and one that is not there. */
function exchangeName(peer: RawPeer, random: Random): string {
  const { exchanges } = peer.world.vocabulary
  if (exchanges.length === 0 || random.chance(0.25)) return ''
  return random.chance(0.02) ? 'nowhere' : random.pick(exchanges)
}

function maybe(random: Random, name: string, value: () => unknown): object {
  return random.chance(0.5) ? { [name]: value() } : {}
}
