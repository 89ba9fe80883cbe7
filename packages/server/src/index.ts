/** The broker: run it in any Node process with `createBroker`. */
export { type Broker, createBroker, type CreateBrokerOptions } from './create-broker.js'
