/** A broker in this process: the turn on Node's clock, sockets and randomness. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { type EmbeddedConnection, embed } from './host/memory-transport.js'
import { type Listener, listen } from './host/listener.js'
import { nodeClock } from './host/node-clock.js'
import { nodeEntropy } from './host/node-entropy.js'
import type { Logger } from './ports/log.js'
import type { Authenticator } from './session/access.js'
import { fullAccess } from './session/access.js'
import { Turn } from './turn/turn.js'

export interface Broker {
  /** Where it listens; undefined without a listener. */
  readonly address: AddressInfo | undefined
  /** A connection without a socket; what `connect()` of the client package takes. */
  connect(): EmbeddedConnection
  /** Deliveries that are not settled. */
  readonly unsettledCount: number
  /** Tells clients, lets them settle what they hold for `graceMs` (25,000), ends all connections. */
  close(options?: { graceMs?: number }): Promise<void>
}

export interface CreateBrokerOptions {
  readonly listen?: { readonly host?: string; readonly port?: number } | false
  readonly log?: Logger
}

const version: string = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version

export async function createBroker(options: CreateBrokerOptions = {}): Promise<Broker> {
  const authenticator: Authenticator = { check: (_credentials, done) => done(fullAccess) }
  const log: Logger = options.log ?? (() => undefined)
  const turn = new Turn({
    clock: nodeClock(),
    entropy: nodeEntropy,
    log,
    limits: {
      connectionCount: 10_000,
      memorySize: 2 ** 31,
      queueCount: 100_000,
      exchangeCount: 10_000,
      bindingCount: 1_000_000,
      queueConsumerCount: 10_000,
      frameSizeMax: 16 * 1024 * 1024 + 64 * 1024,
      messageSizeMax: 16 * 1024 * 1024,
      channelCount: 2047,
      consumerCount: 10_000,
      outboxSizeMax: 8 * 1024 * 1024,
      outboxStallMs: 60_000,
      handshakeMs: 5_000,
      frameMs: 30_000,
      heartbeatMs: 20_000,
    },
    authenticator,
    virtualHosts: ['default'],
    version,
  })
  let listener: Listener | undefined
  if (options.listen !== false) {
    const { host = 'localhost', port = 7670 } = options.listen ?? {}
    listener = await listen({ host, port, accept: (transport) => turn.accept(transport), landing: () => turn.landing(), log, handshakeMs: 5_000 })
  }
  return {
    address: listener?.address,
    connect: () => embed((transport) => turn.accept(transport)),
    get unsettledCount() {
      return turn.unsettledCount
    },
    close: async () => {
      turn.end()
      await listener?.close()
    },
  }
}
