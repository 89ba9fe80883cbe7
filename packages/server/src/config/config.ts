/**
 * What a broker is told at its start, made sure of once: `BrokerOptions` is what somebody writes, `Config` is complete, checked
 * and cannot be wrong any more.
 */
import { Ajv, type ErrorObject } from 'ajv'
import type { UserOptions } from '../auth/users.js'
import { parsePasswordHash } from '../auth/passwords.js'
import { NamePatterns } from '../auth/name-patterns.js'
import type { LogSink } from '../log.js'
import { type Limits, limitProblems, limitsWith } from '../limits.js'
import { ConfigError, type ConfigProblem } from './config-error.js'
import { didYouMean } from './did-you-mean.js'
import { type Machine, memoryBudget } from './memory.js'
import { configSchema } from './schema.js'

export interface TlsOptions {
  /** PEM texts, or paths of files with them. */
  readonly key: string
  readonly cert: string
  /** Who has to have signed the certificates of clients; without it clients need none. */
  readonly ca?: string
}

export interface BrokerOptions {
  /** { host: 'localhost', port: 7670 }; false: no listener. */
  readonly listen?: { readonly host?: string; readonly port?: number } | false
  /** Directory of what is kept; false: nothing is, and everything ends with the process. A broker inside another program: false. */
  readonly data?: string | false
  /** None: the port is plain. */
  readonly tls?: TlsOptions
  /** Listen for other machines without TLS. */
  readonly allowPlaintext?: boolean
  /** None: only this machine may connect, and may do everything. */
  readonly users?: readonly UserOptions[]
  /** ['default'] */
  readonly vhosts?: readonly string[]
  /** Defaults and reasons stand in `limits.ts`. */
  readonly limits?: Partial<Limits>
  /** 'text' */
  readonly log?: 'json' | 'text' | 'none' | LogSink
}

export interface Config {
  readonly listen: { readonly host: string; readonly port: number } | false
  readonly data: string | false
  readonly tls: TlsOptions | undefined
  readonly users: readonly UserOptions[]
  readonly vhosts: readonly string[]
  readonly limits: Limits
  readonly log: 'json' | 'text' | 'none' | LogSink
  /** What is allowed but worth knowing, a sentence each. */
  readonly warnings: readonly string[]
}

/** Where an option was said, by its path. */
export type SourceOf = (path: string) => string | undefined

const validate = new Ajv({ allErrors: true, verbose: true, allowUnionTypes: true }).compile(configSchema)

/** Throws a ConfigError that names everything that is wrong. */
export function completeConfig(options: BrokerOptions, machine: Machine, sourceOf: SourceOf = () => undefined): Config {
  const problems: ConfigProblem[] = []
  const add = (path: string, message: string) => problems.push({ path, message, source: sourceOf(path) })

  const { log = 'text', ...rest } = options
  if (!validate(typeof log === 'function' ? rest : options)) {
    for (const error of worthTelling(validate.errors ?? [])) add(pathOf(error), inWords(error))
    throw new ConfigError(problems)
  }

  const { listen = {}, data = false, tls, users = [], vhosts = ['default'], allowPlaintext = false } = options
  const diskSize = data === false ? 0 : machine.diskSize?.(data)
  const limits = limitsWith(options.limits ?? {}, memoryBudget(machine), diskSize)
  for (const { name, message } of limitProblems(limits)) add(`limits.${name}`, `${message}; found ${limits[name]}`)
  checkUsers(users, add)

  const warnings = vhostWarnings(users, vhosts)
  const complete = listen === false ? false : { host: listen.host ?? 'localhost', port: listen.port ?? 7_670 }
  if (complete !== false && !isLoopback(complete.host)) {
    const found = `found '${complete.host}', which other machines can reach`
    if (users.length === 0) add('listen.host', `must be localhost as long as there are no users, ${found}; add users`)
    else if (tls === undefined && !allowPlaintext) {
      add('listen.host', `must be localhost as long as there is no tls, ${found}; add tls, or set allowPlaintext if the way is safe`)
    }
    if (users.length > 0 && tls === undefined && allowPlaintext) warnings.push(`other machines connect without TLS to '${complete.host}'`)
  }
  if (users.length === 0 && complete !== false) warnings.push('no users are configured: every program on this machine may do everything')
  if (problems.length > 0) throw new ConfigError(problems)
  return { listen: complete, data, tls, users, vhosts, limits, log, warnings }
}

/** Whether only this machine can reach a listener on `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

function checkUsers(users: readonly UserOptions[], add: (path: string, message: string) => void): void {
  const seen = new Set<string>()
  for (const [i, { name, passwordHash }] of users.entries()) {
    if (seen.has(name)) add(`users[${i}].name`, `must not be that of another user, found '${name}' again; leave one out`)
    seen.add(name)
    const hash = parsePasswordHash(passwordHash)
    if (typeof hash === 'string')
      add(`users[${i}].passwordHash`, `must be a hash, found something else: ${hash}; make one with waybill hash-password`)
  }
}

function vhostWarnings(users: readonly UserOptions[], vhosts: readonly string[]): string[] {
  return users
    .filter((user) => {
      const patterns = new NamePatterns(user.vhosts ?? ['default'])
      return !vhosts.some((vhost) => patterns.includes(vhost))
    })
    .map((user) => `user '${user.name}' may not connect to any of the virtual hosts (${vhosts.join(', ')})`)
}

/** Of several errors about one value the first says it: a wrong type is out of range as well. */
function worthTelling(errors: readonly ErrorObject[]): ErrorObject[] {
  const seen = new Set<string>()
  return errors.filter((error) => {
    const path = pathOf(error)
    const isFirst = !seen.has(path)
    seen.add(path)
    return isFirst
  })
}

/** `/users/0/name` → `users[0].name`; of an option that is unknown or missing, the path it would have. */
function pathOf(error: ErrorObject): string {
  const parts = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const own = error.params.additionalProperty ?? error.params.missingProperty
  if (own !== undefined) parts.push(String(own))
  return parts.reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '')
}

function inWords(error: ErrorObject): string {
  const { keyword, params, parentSchema = {}, data } = error
  switch (keyword) {
    case 'additionalProperties': {
      const known = Object.keys((parentSchema.properties as object | undefined) ?? {}).filter((option) => option !== '$schema')
      const meant = didYouMean(String(params.additionalProperty), known)
      return `must be a known option, found another; ${meant === undefined ? `there are ${known.join(', ')}` : `did you mean ${meant}?`}`
    }
    case 'required':
      return 'must be given, found nothing; add it'
    case 'uniqueItems':
      return `must name each once, found ${shown((data as unknown[])[Number(params.i)])} twice; leave one out`
    default:
      return `must be ${expected(parentSchema, error.instancePath)}, found ${isSecret(error.instancePath) ? 'something else' : shown(data)}; ${fix(parentSchema)}`
  }
}

/** What a value must be, said from its schema. */
function expected(schema: Readonly<Record<string, unknown>>, path: string): string {
  const { type, minimum, maximum, maxLength, minLength, minItems, maxItems, enum: values } = schema
  if (Array.isArray(values)) return `one of ${values.map(shown).join(', ')}`
  if (type === 'integer') return `a whole number from ${minimum} to ${maximum}`
  if (type === 'boolean') return 'true or false'
  if (type === 'array') return `a list${range(minItems, maxItems, '')}`
  if (type === 'string') return `a text${range(minLength, maxLength, ' characters')}`
  if (path === '/data') return 'the path of a directory, or false'
  return path === '/listen' ? 'an object with host and port, or false' : 'an object'
}

function range(min: unknown, max: unknown, unit: string): string {
  if (max === undefined) return min === undefined ? '' : ` of at least ${min}${unit}`
  return ` of ${min ?? 0} to ${max}${unit}`
}

function fix(schema: Readonly<Record<string, unknown>>): string {
  return schema.default === undefined ? 'change it' : `change it, or leave it out for ${shown(schema.default)}`
}

function isSecret(path: string): boolean {
  return /^\/tls\/|\/passwordHash$/.test(path)
}

/** A value as found, short enough for a line. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
