/** All commands of the debug tool, and the one that explains them. */
import { type Command, define, maybe, usage } from './command.js'
import { text } from './kinds.js'
import { messageCommands } from './message-commands.js'
import { CommandFailure } from './steps.js'
import { toolCommands } from './tool-commands.js'
import { topologyCommands } from './topology-commands.js'

const help = define({
  name: 'help',
  summary: 'lists the commands, or explains one',
  examples: ['help publish', 'help declare queue'],
  places: { first: maybe(text('command', 'command')), second: maybe(text('…')) },
  options: {},
  *run(_talk, { first, second }) {
    const name = [first, second].filter((word) => word !== undefined).join(' ')
    yield { step: 'say', lines: name === '' ? helpLines() : explain(name) }
  },
})

const groups: readonly { readonly title: string; readonly commands: readonly Command[] }[] = [
  { title: 'exchanges, queues, bindings', commands: topologyCommands },
  { title: 'messages', commands: messageCommands },
  { title: 'this session', commands: [...toolCommands, help] },
]

export const commands: readonly Command[] = groups.flatMap((group) => group.commands)

/** One line for each command. */
export function helpLines(): string[] {
  const width = Math.max(...commands.map((command) => command.name.length))
  const lines: string[] = []
  for (const group of groups) {
    lines.push(group.title)
    for (const { name, summary } of group.commands) lines.push(`  ${name.padEnd(width)}  ${summary}`)
  }
  lines.push('help publish explains one of them. A line that begins with # is a comment; names with spaces go in "quotes".')
  return lines
}

/** `bind` is a command and begins another one, `declare` begins two: all of them are explained. */
function explain(name: string): string[] {
  const found = commands.filter((command) => command.name === name || command.name.startsWith(`${name} `))
  if (found.length === 0) throw new CommandFailure('commandUnknown', `no command '${name}'; type help for all of them`)
  return found.flatMap((command, i) => [...(i === 0 ? [] : ['']), ...commandHelpLines(command)])
}

/** All that there is to say about one command. */
export function commandHelpLines(command: Command): string[] {
  const lines = [usage(command), `  ${command.summary}`]
  for (const detail of command.details ?? []) lines.push(`  ${detail}`)
  for (const example of command.examples ?? []) lines.push(`    ${example}`)
  return lines
}
