/** For simulators and tests: the client on ports of their own. Not part of the stable surface. */
export type { Clock, Timer } from './clock.js'
export { systemClock } from './clock.js'
export { connectWith, type Ports } from './connect.js'
export type { EmbeddedPeer } from './transport/embedded.js'
export type { Socket, Transport, TransportHandlers } from './transport/transport.js'
export type { Target } from './url.js'
