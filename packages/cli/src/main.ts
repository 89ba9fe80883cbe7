/** The `waybill` command: which of its commands is meant, and the exit code that it ends with. */
import { debug, debugHelp } from './debug/debug.js'
import { hashPassword, hashPasswordHelp } from './hash-password.js'
import type { Io } from './io.js'
import { serve, serveHelp } from './serve/serve.js'
import { version } from './version.js'

interface Command {
  readonly help: string
  run(args: readonly string[], io: Io): Promise<number>
}

const commands: ReadonlyMap<string, Command> = new Map([
  ['serve', { help: serveHelp, run: serve }],
  ['debug', { help: debugHelp, run: debug }],
  ['hash-password', { help: hashPasswordHelp, run: hashPassword }],
])

/** Resolves with the exit code: 2 for a command line that makes no sense. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined) {
    io.stderr.write(help())
    return 2
  }
  if (name === '--version' || name === '-v' || name === 'version') {
    io.stdout.write(`waybill ${version}\n`)
    return 0
  }
  if (name === '--help' || name === '-h' || name === 'help') return explain(rest[0], io)

  const command = commands.get(name)
  if (command === undefined) {
    io.stderr.write(`waybill has no command '${name}'; there are ${[...commands.keys()].join(', ')}\n`)
    return 2
  }
  if (wantsHelp(rest)) return explain(name, io)
  return command.run(rest, io)
}

function explain(name: string | undefined, io: Io): number {
  const command = name === undefined ? undefined : commands.get(name)
  if (name !== undefined && command === undefined) {
    io.stderr.write(`waybill has no command '${name}'; there are ${[...commands.keys()].join(', ')}\n`)
    return 2
  }
  io.stdout.write(command === undefined ? help() : command.help)
  return 0
}

/** The first line of each command's own help, under one title. */
function help(): string {
  const lines = [`waybill ${version}, a message broker`, '']
  for (const { help } of commands.values()) lines.push(`  ${help.slice(0, help.indexOf('\n'))}`)
  lines.push('', '  waybill COMMAND --help says more; waybill --version says which this is', '')
  return lines.join('\n')
}

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? undefined : end).some((arg) => arg === '--help' || arg === '-h')
}
