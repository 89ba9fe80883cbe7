/**
 * A broker in this process: the turn on Node's clock, sockets and randomness.
 *
 *     const broker = await createBroker({ listen: { port: 0 } })
 *     const connection = await connect(broker)           // of @waybill/client, without a socket
 *     await broker.close()
 */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { UserAuthenticator } from './auth/authenticator.js'
import { keptSizeMax } from './broker/durable.js'
import { type BrokerOptions, completeConfig, type Config } from './config/config.js'
import { readTls } from './config/tls.js'
import { type Listener, listen } from './host/listener.js'
import { type EmbeddedConnection, embed } from './host/memory-transport.js'
import { nodeClock } from './host/node-clock.js'
import { nodeEntropy } from './host/node-entropy.js'
import { nodeMachine } from './host/node-machine.js'
import { limitsFor } from './limits.js'
import { makeLogger } from './log.js'
import { type BrokerData, type OpenData, openData } from './open-data.js'
import type { Clock } from './ports/clock.js'
import type { Logger } from './ports/logger.js'
import { type Authenticator, fullAccess } from './session/access.js'
import { Turn } from './turn/turn.js'

export interface Broker {
  /** Where it listens; undefined without a listener. */
  readonly address: AddressInfo | undefined
  /** What it keeps, as it was found at the start; undefined: nothing is kept. */
  readonly data: BrokerData | undefined
  /** Deliveries that somebody holds and has not settled. */
  readonly unsettledCount: number
  /** A connection without a socket; what `connect()` of the client package takes. */
  connect(): EmbeddedConnection
  /**
   * Listens no longer, tells clients, lets them settle what they hold for `graceMs` (25,000, see limits.drainMs), ends all connections, syncs
   * what it keeps; then nothing of it is left. Called again it does not wait for settlements any longer. Never rejects.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
}

const version: string = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version

/**
 * Starts a broker. Without `log` it tells of warnings and errors on standard error. A Config, as `loadConfig` returns it, is taken as it is.
 *
 * Rejects with a ConfigError that names everything that is wrong with the options; with the error of `listen` of node:net: code
 * EADDRINUSE when the port is taken, EACCES when it may not be used; for the data directory with code DATA_OWNED when another process has it,
 * DATA_FORMAT when a newer version wrote it, and DATA_DISK when it cannot be read or written.
 */
export async function createBroker(options: BrokerOptions | Config = {}): Promise<Broker> {
  const config = isComplete(options) ? options : completeConfig(options, nodeMachine)
  const tls = config.tls === undefined ? undefined : readTls(config.tls, nodeMachine)
  const clock = nodeClock()
  const log = loggerOf(config, options.log === undefined, clock)
  const data = config.data === false ? undefined : await openData(config.data, clock, log)
  const limits = limitsFor(keptSizeMax(data?.store.state.hosts ?? []), config.limits)
  if (limits.frameSizeMax > config.limits.frameSizeMax) {
    const message = `frames of up to ${limits.frameSizeMax} bytes are announced, more than frameSizeMax (${config.limits.frameSizeMax}): such messages are kept`
    log('warn', 'configuration', { message })
  }
  const turn = new Turn({
    clock,
    entropy: nodeEntropy,
    log,
    limits,
    authenticator: authenticatorOf(config, clock),
    virtualHosts: config.vhosts,
    version,
    store: data?.store,
  })
  if (data !== undefined) {
    data.wake = () => clock.soon(turn.run)
    await new Promise<void>((done) => turn.begin(done))
  }
  const { handshakeMs, drainMs } = config.limits
  let listener: Listener | undefined
  try {
    if (config.listen !== false) listener = await listen({ ...config.listen, tls, handshakeMs, clock, log }, turn)
  } catch (error) {
    await endTurn(turn, data)
    throw error
  }
  for (const message of config.warnings) log('warn', 'configuration', { message })
  log('info', 'broker-started', {
    version,
    log: turn.logId,
    address: listener?.address.address,
    port: listener?.address.port,
    tls: tls !== undefined,
  })

  let closing: Promise<void> | undefined
  return {
    address: listener?.address,
    data: data?.found,
    get unsettledCount() {
      return turn.unsettledCount
    },
    connect: () => embed((transport) => turn.accept(transport)),
    close({ graceMs = drainMs } = {}) {
      if (closing === undefined) closing = end(turn, listener, data, graceMs, log)
      else turn.drain(0, () => undefined)
      return closing
    },
  }
}

/** Whoever has a Config got it from a place that has checked it; options have no `warnings`. */
function isComplete(options: BrokerOptions | Config): options is Config {
  return 'warnings' in options
}

async function end(turn: Turn, listener: Listener | undefined, data: OpenData | undefined, graceMs: number, log: Logger): Promise<void> {
  log('info', 'broker-draining', { graceMs, unsettledCount: turn.unsettledCount, connectionCount: turn.sessions.size })
  const listenerClosed = listener?.close()
  await new Promise<void>((done) => turn.drain(graceMs, done))
  await listenerClosed
  await endTurn(turn, data)
  log('info', 'broker-stopped', {})
}

async function endTurn(turn: Turn, data: OpenData | undefined): Promise<void> {
  await new Promise<void>((done) => turn.closeStore(done))
  turn.stop()
  await data?.release()
}

function loggerOf({ log }: Config, isQuiet: boolean, clock: Clock): Logger {
  return makeLogger({
    form: log,
    write: (line) => process.stderr.write(line),
    wall: () => clock.wall(),
    levelMin: isQuiet ? 'warn' : 'info',
  })
}

/** Without users this machine may do everything, and nobody else anything. */
function authenticatorOf({ users }: Config, clock: Clock): Authenticator {
  if (users.length > 0) return new UserAuthenticator(users, { now: () => clock.now() })
  return {
    check: ({ local }, done) => done(local ? fullAccess : 'this broker has no users yet, and serves its own machine only'),
  }
}
