/** The `waybill` command: which of its commands is meant, and the exit code that it ends with. */
import type { Io } from './io.js'
import { version } from './version.js'

interface Command {
  readonly help: string
  run(args: readonly string[], io: Io): Promise<number>
}

/** Each is loaded when it is asked for: the tool that talks to a broker does without the broker. */
const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  [
    'serve',
    async () => import('./serve/serve.js').then(({ serve, serveHelp }) => ({ help: serveHelp, run: (args, io) => serve(args, io) })),
  ],
  ['inspect', async () => import('./inspect.js').then(({ inspect, inspectHelp }) => ({ help: inspectHelp, run: inspect }))],
  ['backup', async () => import('./backup.js').then(({ backup, backupHelp }) => ({ help: backupHelp, run: backup }))],
  ['debug', async () => import('./debug/debug.js').then(({ debug, debugHelp }) => ({ help: debugHelp, run: debug }))],
  [
    'hash-password',
    async () => import('./hash-password.js').then(({ hashPassword, hashPasswordHelp }) => ({ help: hashPasswordHelp, run: hashPassword })),
  ],
])

/** Resolves with the exit code: 2 for a command line that makes no sense. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined) {
    io.stderr.write(await help())
    return 2
  }
  if (name === '--version' || name === '-v' || name === 'version') {
    io.stdout.write(`waybill ${version}\n`)
    return 0
  }
  if (name === '--help' || name === '-h' || name === 'help') return explain(rest[0], io)

  if (wantsHelp(rest)) return explain(name, io)
  const load = commands.get(name)
  return load === undefined ? unknown(name, io) : (await load()).run(rest, io)
}

async function explain(name: string | undefined, io: Io): Promise<number> {
  const load = name === undefined ? undefined : commands.get(name)
  if (name !== undefined && load === undefined) return unknown(name, io)
  io.stdout.write(load === undefined ? await help() : (await load()).help)
  return 0
}

function unknown(name: string, io: Io): number {
  io.stderr.write(`waybill has no command '${name}'; there are ${[...commands.keys()].join(', ')}\n`)
  return 2
}

/** The first line of each command's own help, under one title. */
async function help(): Promise<string> {
  const lines = [`waybill ${version}, a message broker`, '']
  for (const load of commands.values()) lines.push(`  ${(await load()).help.split('\n')[0]}`)
  lines.push('', '  waybill COMMAND --help says more; waybill --version says which this is', '')
  return lines.join('\n')
}

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? undefined : end).some((arg) => arg === '--help' || arg === '-h')
}
