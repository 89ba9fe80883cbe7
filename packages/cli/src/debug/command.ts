/**
 * What a command of the debug tool is: its name, what may follow it, and what it then does.
 *
 *     declare exchange   <exchange> <type>    [durable=true|false] [autoDelete] …
 *     name               places, in order     options, anywhere
 *
 * A place that must be there takes the next word, whatever it says. One that may be missing leaves the name of an
 * option alone: `declare queue exclusive` makes a nameless, exclusive queue; in quotes it is a name again.
 *
 * The same table gives the parser, the help, and the completion, so that they cannot disagree.
 */
import { flag, headerValue, type HeaderValues, type Kind } from './kinds.js'
import type { Steps } from './steps.js'
import type { Talk } from './talk.js'
import { LineProblem, type Word } from './words.js'

export interface Place<T> {
  readonly kind: Kind<T>
  readonly needed: boolean
  /** Takes every word that is left, as an array. */
  readonly many: boolean
}

export function place<T>(kind: Kind<T>): Place<T> {
  return { kind, needed: true, many: false }
}

export function maybe<T>(kind: Kind<T>): Place<T | undefined> {
  return { kind, needed: false, many: false }
}

export function all<T>(kind: Kind<T>): Place<readonly T[]> {
  return { kind: kind as Kind<unknown>, needed: true, many: true } as Place<readonly T[]>
}

type Places = Readonly<Record<string, Place<unknown>>>
type Options = Readonly<Record<string, Kind<unknown>>>
type Values = { readonly [name: string]: unknown }
type ValuesOf<P extends Places, O extends Options> = {
  readonly [K in keyof P]: P[K] extends Place<infer T> ? T : never
} & { readonly options: { readonly [K in keyof O]?: O[K] extends Kind<infer T> ? T : never }; readonly headers: HeaderValues }

interface Shape {
  readonly name: string
  /** One line, without a full stop. */
  readonly summary: string
  readonly details?: readonly string[]
  readonly examples?: readonly string[]
  /** True: `header.NAME=VALUE` may be given. */
  readonly takesHeaders?: boolean
}

export interface Command extends Shape {
  readonly places: Places
  readonly options: Options
  run(talk: Talk, values: Values): Steps
}

/** A command whose `run` gets the values with the types of its places and options. */
export function define<const P extends Places, const O extends Options>(
  command: Shape & { places: P; options: O; run(talk: Talk, values: ValuesOf<P, O>): Steps },
): Command {
  return command as unknown as Command
}

/** The command that a line begins with, the longest name first, with the words behind its name. */
export function findCommand(commands: readonly Command[], words: readonly Word[]): { command: Command; rest: readonly Word[] } {
  for (const length of [2, 1]) {
    const name = nameOf(words, length)
    const command = name === undefined ? undefined : commands.find((each) => each.name === name)
    if (command !== undefined) return { command, rest: words.slice(length) }
  }
  const first = words[0]!
  const below = commands.filter((each) => each.name.startsWith(`${first.text} `)).map((each) => each.name)
  if (below.length > 0) throw new LineProblem(`${first.text} what? There is ${below.join(', ')}`, words[1]?.at)
  throw new LineProblem(`no command '${first.text}'; type help for all of them`, first.at)
}

function nameOf(words: readonly Word[], length: number): string | undefined {
  if (words.length < length) return undefined
  const parts = words.slice(0, length)
  if (parts.some((word) => word.form !== 'bare' || word.option !== undefined)) return undefined
  return parts.map((word) => word.text).join(' ')
}

/** Reads the words behind a command's name. Throws LineProblem, which says how the command is used. */
export function readValues(command: Command, words: readonly Word[]): Values {
  const options: Record<string, unknown> = Object.create(null)
  const headers: HeaderValues = Object.create(null)
  const values: Record<string, unknown> = Object.create(null)
  const open = Object.entries(command.places)

  for (const word of words) {
    if (word.option !== undefined) readOption(command, word, options, headers)
    else if (isFlag(command, word) && !open[0]?.[1].needed) options[word.text] = true
    else if (open.length === 0) throw new LineProblem(tooMany(command, word), word.at)
    else {
      const [name, { kind, many }] = open[0]!
      const value = kind.read(word)
      if (!many) open.shift()
      values[name] = many ? [...((values[name] as unknown[] | undefined) ?? []), value] : value
    }
  }

  const missing = open.find(([name, { needed }]) => needed && values[name] === undefined)
  if (missing !== undefined) throw new LineProblem(`the ${missing[1].kind.label} is missing: ${usage(command)}`)
  return { ...values, options, headers }
}

function readOption(command: Command, word: Word, options: Record<string, unknown>, headers: HeaderValues): void {
  const name = word.option!
  const value = { text: word.text, form: word.form, at: word.at }
  if (command.takesHeaders && name.startsWith('header.')) {
    headers[name.slice('header.'.length)] = headerValue.read(value)
    return
  }
  if (!Object.hasOwn(command.options, name)) {
    const known = [...Object.keys(command.options), ...(command.takesHeaders ? ['header.NAME'] : [])]
    const others = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`
    throw new LineProblem(`${command.name} has no option '${name}'; ${others}`, word.at)
  }
  options[name] = command.options[name]!.read(value)
}

function isFlag(command: Command, word: Word): boolean {
  return word.form === 'bare' && Object.hasOwn(command.options, word.text) && command.options[word.text] === flag
}

function tooMany(command: Command, word: Word): string {
  const takesText = Object.values(command.places).some(({ kind }) => kind.label === 'body' || kind.label === 'reason')
  return takesText ? `one word too many; a text with spaces goes in quotes: "… ${word.text}"` : `one word too many: ${usage(command)}`
}

/** `publish <exchange> <key> [body] [mandatory] …` */
export function usage(command: Command): string {
  const parts = [command.name]
  for (const { kind, needed, many } of Object.values(command.places))
    parts.push(needed ? `<${kind.label}>${many ? '…' : ''}` : `[${kind.label}]`)
  const options = Object.entries(command.options)
  for (const [name, kind] of options) if (!kind.minor) parts.push(kind === flag ? `[${name}]` : `[${name}=${kind.label}]`)
  if (options.some(([, kind]) => kind.minor)) parts.push('[PROPERTY=VALUE]')
  if (command.takesHeaders) parts.push('[header.NAME=VALUE]')
  return parts.join(' ')
}
