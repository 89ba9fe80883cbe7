/**
 * The configuration of a broker process, from three places, the later ones winning:
 *
 *     file (JSON)   { "listen": { "port": 7670 } }  <  environment   WAYBILL_PORT=7670  <  flags   --port 7670
 *
 * Every option that is one value, or a list of names, has a variable and a flag; users and the like stand in the file.
 */
import { type BrokerOptions, type Config, completeConfig } from './config.js'
import { ConfigError, type ConfigProblem } from './config-error.js'
import { didYouMean } from './did-you-mean.js'
import type { Machine } from './memory.js'
import { configSchema } from './schema.js'
import { besideFile } from './tls.js'

export interface ConfigSources {
  /** What holds where nobody says anything else, in place of the defaults of `createBroker`. */
  readonly defaults?: Pick<BrokerOptions, 'data'>
  /** Path of the file, if there is one; it is read by `machine.readText`. */
  readonly file?: string
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Without the leading dashes; a flag without a value is true. */
  readonly flags?: Readonly<Record<string, string | boolean | undefined>>
}

/** One way to say an option from outside the file. */
export interface OutsideOption {
  /** As in the file: `limits.queueCount`. */
  readonly path: string
  /** `WAYBILL_QUEUE_COUNT` */
  readonly variable: string
  /** `queue-count` */
  readonly flag: string
  /** `directory`: `none` is how it says false. */
  readonly kind: 'integer' | 'boolean' | 'text' | 'names' | 'directory'
}

interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

/** All of them, by the schema. `listen` and `limits` are left out of the names. */
export const outsideOptions: readonly OutsideOption[] = optionsOf('', configSchema as Schema)

/** Throws a ConfigError that names everything that is wrong, and where it was said. */
export function loadConfig(sources: ConfigSources, machine: Machine): Config {
  const problems: ConfigProblem[] = []
  const said = new Map<string, string>()
  const warnings: string[] = []
  const options: Record<string, unknown> = { ...sources.defaults, ...(sources.file === undefined ? {} : readFile(sources.file, machine)) }

  for (const [variable, text] of Object.entries(sources.environment ?? {})) {
    // An empty variable is how many tools say that one is not set.
    if (!variable.startsWith('WAYBILL_') || text === undefined || text === '') continue
    const option = outsideOptions.find((each) => each.variable === variable)
    if (option !== undefined) {
      if (/^tcp:\/\//.test(text)) {
        const message = `must be a number, found ${JSON.stringify(text)}, which Kubernetes sets for a service named waybill; set enableServiceLinks: false`
        problems.push({ path: option.path, message, source: variable })
      } else put(options, option, text, variable, said)
      continue
    }
    const meant = didYouMean(
      variable,
      outsideOptions.map((each) => each.variable),
    )
    if (meant === undefined) warnings.push(`the variable ${variable} is none of the broker's; it is not looked at`)
    else
      problems.push({
        path: '',
        message: `${variable} must be a known variable, found another; did you mean ${meant}?`,
        source: 'environment',
      })
  }
  for (const [flag, value] of Object.entries(sources.flags ?? {})) {
    if (value === undefined) continue
    const option = outsideOptions.find((each) => each.flag === flag)
    if (option !== undefined) {
      if (value === true && option.kind !== 'boolean') {
        problems.push({ path: option.path, message: `must have a value, found none; write --${flag} VALUE`, source: `--${flag}` })
      } else put(options, option, value, `--${flag}`, said)
      continue
    }
    const flags = outsideOptions.map((each) => each.flag)
    const meant = didYouMean(flag, flags)
    const fix = meant === undefined ? `there are ${flags.map((each) => `--${each}`).join(', ')}` : `did you mean --${meant}?`
    problems.push({ path: '', message: `--${flag} must be a known flag, found another; ${fix}`, source: 'flags' })
  }

  const sourceOf = (path: string) => said.get(path) ?? sources.file
  try {
    const config = completeConfig(options as BrokerOptions, machine, sourceOf)
    if (problems.length === 0) return { ...config, warnings: [...config.warnings, ...warnings] }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
  }
  throw new ConfigError(problems)
}

function readFile(path: string, machine: Machine): Record<string, unknown> {
  const fail = (message: string): never => {
    throw new ConfigError([{ path: '', message, source: path }])
  }
  const text = machine.readText(path)
  if (text === undefined) return fail('the configuration must be a file that can be read, found none; check its path')
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    return fail(`the configuration must be JSON, found ${placeOf(error as Error, text)}; mend it there`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail('the configuration must be an object, found something else; write { "listen": { "port": 7670 } }')
  }
  return 'tls' in value ? { ...value, tls: besideFile(value.tls, path) } : { ...value }
}

/** What JSON.parse has to say, with line and column if it tells a position. */
function placeOf(error: Error, text: string): string {
  const position = /position (\d+)/.exec(error.message)?.[1]
  if (position === undefined) return error.message
  const lines = text.slice(0, Number(position)).split('\n')
  const what = error.message.replace(/ (in JSON )?at position.*$/s, '')
  return `${what} in line ${lines.length}, column ${lines.at(-1)!.length + 1}`
}

/** Puts a value in its place in the options, over what the file says. */
function put(
  options: Record<string, unknown>,
  option: OutsideOption,
  value: string | boolean,
  source: string,
  said: Map<string, string>,
): void {
  const parts = option.path.split('.')
  const own = parts.pop()!
  let place = options
  for (const part of parts) {
    const next = Object.hasOwn(place, part) ? place[part] : undefined
    const inner: Record<string, unknown> =
      typeof next === 'object' && next !== null && !Array.isArray(next) ? (next as Record<string, unknown>) : {}
    place[part] = inner
    place = inner
  }
  place[own] = typeof value === 'boolean' ? value : parsed(option.kind, value)
  said.set(option.path, source)
}

/** A text as the value that it says; one that says none stays a text, and is refused by the schema. */
function parsed(kind: OutsideOption['kind'], text: string): unknown {
  switch (kind) {
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text
    case 'names':
      return text.split(',').map((name) => name.trim())
    case 'directory':
      return text === 'none' ? false : text
    case 'text':
      return text
  }
}

function optionsOf(path: string, schema: Schema): OutsideOption[] {
  const options: OutsideOption[] = []
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (name === '$schema') continue
    const ownPath = path === '' ? name : `${path}.${name}`
    if (property.properties !== undefined) {
      options.push(...optionsOf(ownPath, property))
      continue
    }
    if (property.type === 'array' && property.items?.type !== 'string') continue
    const words = ownPath
      .replace(/^(listen|limits)\./, '')
      .replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      .replaceAll('.', '-')
    options.push({ path: ownPath, variable: `WAYBILL_${words.toUpperCase().replaceAll('-', '_')}`, flag: words, kind: kindOf(property) })
  }
  return options
}

function kindOf({ type }: Schema): OutsideOption['kind'] {
  if (type === 'integer' || type === 'boolean') return type
  if (type === 'array') return 'names'
  return Array.isArray(type) ? 'directory' : 'text'
}
