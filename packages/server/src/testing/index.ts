/**
 * For those who make an engine of their own: `@waybill/server/testing`.
 *
 *     import t from 'tap'
 *     import { logContract } from '@waybill/server/testing'
 *     logContract((name, run) => t.test(name, run), 'my engine', () => new MyHome())
 */
export { type ContractRunner, type ContractTest, type LogHome, logContract } from './log-contract/index.js'
