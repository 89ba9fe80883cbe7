/** The one way in: `connect('waybill://localhost:7670')`, several hosts, or a broker of this process. */
import { type Clock, systemClock } from './clock.js'
import { ClientConnection } from './connection.js'
import { UsageError } from './errors.js'
import { Lifeline } from './recovery/lifeline.js'
import { settingsOf } from './recovery/options.js'
import { EmbeddedTransport } from './transport/embedded.js'
import { TcpTransport } from './transport/tcp.js'
import { TlsTransport } from './transport/tls.js'
import { checkTlsTargets } from './transport/tls-options.js'
import type { Transport } from './transport/transport.js'
import type { Connection, ConnectOptions, EmbeddedBroker, Shapes, Untyped } from './types.js'
import { parseTarget, type Target } from './url.js'

/** What the client is made of besides itself. */
export interface Ports {
  /** For every target; default: TCP, TLS or embedded, as the target says. */
  readonly transport?: Transport
  /** Default: that of the system. */
  readonly clock?: Clock
}

const embeddedTarget: Target = { host: 'embedded', port: 0, tls: false, user: undefined, password: undefined, vhost: undefined }

/**
 * Connects. Several hosts are tried in turn until connectTimeoutMs (10 s) is over; refused credentials reject at once.
 * Rejects with WaybillError `CONNECT_FAILED`, `AUTHENTICATION_FAILED`, `TLS_FAILED`, `VERSION_UNSUPPORTED`, `NOT_WAYBILL`, `ABORTED`;
 * throws UsageError for a URL or an option that cannot be.
 */
export function connect<S extends Shapes = Untyped>(
  target: string | readonly string[] | EmbeddedBroker,
  options: ConnectOptions = {},
): Promise<Connection<S>> {
  return connectWith<S>({}, target, options)
}

/** The same on other ports: a virtual clock, a simulated network. */
export function connectWith<S extends Shapes = Untyped>(
  ports: Ports,
  target: string | readonly string[] | EmbeddedBroker,
  options: ConnectOptions = {},
): Promise<Connection<S>> {
  const settings = settingsOf(options)
  const isBroker = typeof target === 'object' && target !== null && 'connect' in target && typeof target.connect === 'function'
  const targets = isBroker ? [embeddedTarget] : (Array.isArray(target) ? target : [target]).map(parseTarget)
  if (targets.length === 0) throw new UsageError('URL_INVALID', 'there is no host to connect to')
  if (!isBroker) checkTlsTargets(settings.tls, targets)
  const embedded = isBroker ? new EmbeddedTransport(target) : undefined
  const tls = new TlsTransport(settings.tls)
  const transportOf = (each: Target): Transport => ports.transport ?? embedded ?? (each.tls ? tls : tcp)
  return start<S>(new Lifeline(targets, transportOf, ports.clock ?? systemClock, settings))
}

/** One landing buffer for all sockets of the process. */
const tcp = new TcpTransport()

async function start<S extends Shapes>(lifeline: Lifeline): Promise<Connection<S>> {
  await lifeline.start()
  return new ClientConnection(lifeline) as unknown as Connection<S>
}
