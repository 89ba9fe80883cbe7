/**
 * What may come next on a half-typed line: a command, a name that has been seen, one of a few words, an option.
 *
 *     dec⇥               declare
 *     bind emails ord⇥   orders
 *     consume emails ⇥   prefetch= prefetchSize= ack= exclusive priority=
 */
import { type Command, findCommand } from './command.js'
import { flag, type Kind } from './kinds.js'
import { readWords, type Word } from './words.js'

export interface KnownNames {
  readonly exchange: ReadonlySet<string>
  readonly queue: ReadonlySet<string>
}

/** Candidates for the last word of the line, and that word: what readline asks of a completer. */
export function complete(commands: readonly Command[], names: KnownNames, line: string): [candidates: string[], word: string] {
  const word = /\S*$/.exec(line)![0]
  const before = wordsOf(line.slice(0, line.length - word.length))
  if (before === undefined) return [[], word]
  const candidates = before.length === 0 ? firstWords(commands) : nextWords(commands, names, before, word)
  return [[...new Set(candidates)].filter((each) => each.startsWith(word)).sort(), word]
}

function firstWords(commands: readonly Command[]): string[] {
  return commands.map((command) => `${command.name.split(' ')[0]} `)
}

function nextWords(commands: readonly Command[], names: KnownNames, before: readonly Word[], word: string): string[] {
  const candidates = before.length === 1 ? secondWords(commands, before[0].text) : []
  const found = commandOf(commands, before)
  if (found === undefined) return candidates
  const { command, rest } = found

  const option = /^([^=]+)=/.exec(word)?.[1]
  if (option !== undefined) {
    const kind = Object.hasOwn(command.options, option) ? command.options[option] : undefined
    return kind === undefined ? [] : suggestions(kind, commands, names).map((each) => `${option}=${each}`)
  }

  const places = Object.values(command.places)
  const filled = rest.filter((each) => each.option === undefined && !isOption(command, each)).length
  const place = places[Math.min(filled, places.length - 1)]
  if (place !== undefined && (filled < places.length || place.many)) candidates.push(...suggestions(place.kind, commands, names))
  if (places.slice(filled).every(({ needed }) => !needed)) candidates.push(...optionWords(command))
  return candidates
}

/** The second words of commands such as `declare queue`. */
function secondWords(commands: readonly Command[], first: string): string[] {
  return commands.filter((command) => command.name.startsWith(`${first} `)).map((command) => `${command.name.slice(first.length + 1)} `)
}

function suggestions(kind: Kind<unknown>, commands: readonly Command[], names: KnownNames): string[] {
  const { suggest } = kind
  if (suggest === undefined) return []
  if (suggest === 'command') return firstWords(commands)
  const words = typeof suggest === 'string' ? [...names[suggest]].filter((name) => /^[^\s"{}[\]=]+$/.test(name)) : suggest
  return words.map((each) => `${each} `)
}

function optionWords(command: Command): string[] {
  const words = Object.entries(command.options).map(([name, kind]) => (kind === flag ? `${name} ` : `${name}=`))
  return command.takesHeaders ? [...words, 'header.'] : words
}

function isOption(command: Command, word: Word): boolean {
  return word.form === 'bare' && Object.hasOwn(command.options, word.text)
}

function commandOf(commands: readonly Command[], words: readonly Word[]): ReturnType<typeof findCommand> | undefined {
  try {
    return findCommand(commands, words)
  } catch {
    return undefined
  }
}

/** Undefined inside a quote or a brace: there is nothing to complete there. */
function wordsOf(text: string): Word[] | undefined {
  try {
    return readWords(text)
  } catch {
    return undefined
  }
}
