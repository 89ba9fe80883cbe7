import { dirname, isAbsolute, join, resolve } from 'node:path'
import { ConfigError, type ConfigProblem } from './config-error.js'
import type { TlsOptions } from './config.js'
import type { Machine } from './memory.js'

/** The PEM texts of `tls`: those that are paths are read. Throws a ConfigError that names each file that is none; never what is in it. */
export function readTls(tls: TlsOptions, machine: Pick<Machine, 'readText'>): TlsOptions {
  const problems: ConfigProblem[] = []
  const read = (name: keyof TlsOptions, value: string): string => {
    if (isPem(value)) return value
    const text = machine.readText(value)
    const found = text === undefined ? 'nothing that can be read' : 'something else'
    if (text === undefined || !isPem(text)) {
      problems.push({
        path: `tls.${name}`,
        message: `must be PEM or the path of a PEM file, found ${found} at '${resolve(value)}'; check the path`,
        source: undefined,
      })
    }
    return text ?? ''
  }
  const texts = { key: read('key', tls.key), cert: read('cert', tls.cert), ...(tls.ca === undefined ? {} : { ca: read('ca', tls.ca) }) }
  if (problems.length > 0) throw new ConfigError(problems)
  return texts
}

/** What a configuration file says of `tls`: relative paths in it begin where it lies, wherever the broker is started. */
export function besideFile(tls: unknown, file: string): unknown {
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) return tls
  const isRelative = (value: unknown): value is string => typeof value === 'string' && value !== '' && !isPem(value) && !isAbsolute(value)
  return Object.fromEntries(Object.entries(tls).map(([name, value]) => [name, isRelative(value) ? join(dirname(file), value) : value]))
}

function isPem(text: string): boolean {
  return text.includes('-----BEGIN ')
}
