/**
 * The log of a broker that runs in somebody's terminal: warnings and errors, a line each, without what the banner has said
 * already. Everything else is for log collectors, and comes when standard error is no terminal, or when --log asks for it.
 */
import type { BrokerOptions } from '@waybill/server'

type LogFunction = Extract<BrokerOptions['log'], (...entry: never[]) => void>

/** The values of an entry are harmless already: bounded, escaped, without secrets. */
export function terminalLog(write: (line: string) => void): LogFunction {
  return ({ level, event, ...fields }) => {
    if (level !== 'warn' && level !== 'error') return
    if (event === 'configuration' && String(fields.message).startsWith('no users')) return
    const told = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    write(`${[level, event, ...told].join(' ')}\n`)
  }
}
