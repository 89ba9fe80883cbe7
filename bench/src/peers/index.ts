/**
 * The peers, in the order they take turns. Each is loaded only where it is used: a process that drives RabbitMQ does
 * not carry the NATS client along.
 */
import type { Peer } from './peer.js'

const loaders = {
  waybill: async () => (await import('./waybill.js')).waybill,
  nats: async () => (await import('./nats.js')).nats,
  nats2: async () => (await import('./nats.js')).nats2,
  jetstream: async () => (await import('./jetstream.js')).jetstreamDefault,
  'jetstream-always': async () => (await import('./jetstream.js')).jetstreamAlways,
  rabbitmq: async () => (await import('./rabbitmq.js')).rabbitmq,
  'rabbitmq-quorum': async () => (await import('./rabbitmq.js')).rabbitmqQuorum,
  redis: async () => (await import('./redis.js')).redis,
  'redis-everysec': async () => (await import('./redis.js')).redisEverysec,
  'redis-always': async () => (await import('./redis.js')).redisAlways,
} satisfies Record<string, () => Promise<Peer>>

export type PeerName = keyof typeof loaders

export const peerNames = Object.keys(loaders) as PeerName[]

export function isPeerName(name: string): name is PeerName {
  return Object.hasOwn(loaders, name)
}

export function loadPeer(name: PeerName): Promise<Peer> {
  return loaders[name]()
}
