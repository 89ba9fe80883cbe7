/** The broker: run it in any Node process with `createBroker`. */
export { type Broker, createBroker } from './create-broker.js'
export type { BrokerData } from './open-data.js'
export type { EmbeddedConnection } from './host/memory-transport.js'
export { hashPassword } from './auth/passwords.js'
export { type BrokerOptions, type Config, isLoopback } from './config/config.js'
export { ConfigError, type ConfigProblem } from './config/config-error.js'
export { loadConfig, outsideOptions } from './config/load.js'
export { nodeMachine as thisMachine } from './host/node-machine.js'
