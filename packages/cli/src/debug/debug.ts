/**
 * `waybill debug`: the protocol, a line at a time.
 *
 *     $ printf 'declare queue emails\nsend emails hello\nget emails\nquit\n' | waybill debug
 *
 * A terminal gets a prompt; a pipe is carried out line by line, each waiting for its answer. The exit code is 0 if every
 * command succeeded, 1 if one failed, 2 if there was no connection, or none any more.
 */
import { readFileSync } from 'node:fs'
import { readArguments, UsageProblem } from '../arguments.js'
import type { Io } from '../io.js'
import { Interrupted, typePassword } from '../password.js'
import { version } from '../version.js'
import { findCommand, readValues } from './command.js'
import { commands } from './commands.js'
import { complete } from './completion.js'
import { type Input, pipeInput, terminalInput } from './input.js'
import { ConnectFailure, openLink } from './link.js'
import { Screen } from './screen.js'
import { commandFailure, LinkLost, Session } from './session.js'
import type { Settings } from './steps.js'
import { readTarget, type Target, targetText } from './target.js'
import { LineProblem, readWords } from './words.js'

export const debugHelp = `waybill debug [host:port]    talks to a broker by hand, a line at a time, and shows every frame

  host:port       localhost:7670 if left out; waybill://host:port/vhost and waybills:// (TLS) will do as well
  --user NAME     the password is asked for; in a pipe it is taken from WAYBILL_PASSWORD
  --vhost NAME    the virtual host; default is 'default'
  --tls           connects with TLS
  --ca FILE       the certificate authority of the broker, PEM, if Node does not know it
  --hex           shows all bytes of all frames
  --json          prints each frame as one line of JSON

  On a terminal there is a prompt: help lists the commands, Tab completes, Ctrl-D leaves. In a pipe one command after the
  other is carried out, each waiting for its answer:

    printf 'declare queue emails\\nsend emails hello\\nget emails ack=none\\n' | waybill debug

  Exit code: 0 if every command succeeded, 1 if one failed, 2 if there was no connection.
`

const shape = {
  command: 'debug',
  wordsMax: 1,
  options: {
    user: { type: 'string' },
    vhost: { type: 'string' },
    tls: { type: 'boolean' },
    ca: { type: 'string' },
    hex: { type: 'boolean' },
    json: { type: 'boolean' },
  },
} as const

const connectMs = 10_000

interface Wanted {
  readonly target: Target
  readonly ca: Buffer | undefined
  readonly settings: Settings
}

/** Runs until the lines end, or the connection; resolves with the exit code. */
export async function debug(args: readonly string[], io: Io): Promise<number> {
  try {
    const wanted = await askPassword(readWanted(args), io)
    return await talk(wanted, io)
  } catch (error) {
    if (!(error instanceof UsageProblem) && !(error instanceof ConnectFailure) && !(error instanceof Interrupted)) throw error
    io.stderr.write(`${error.message}\n`)
    return 2
  }
}

function readWanted(args: readonly string[]): Wanted {
  const { options, words } = readArguments(shape, args)
  const address = words[0] ?? 'localhost'
  const found = readTarget(address)
  if (found === undefined) throw new UsageProblem(`'${address}' is no address; say host, host:port or waybill://host:port`)
  const target: Target = {
    ...found,
    tls: found.tls || options.tls === true,
    ...(typeof options.user === 'string' ? { user: options.user } : {}),
    ...(typeof options.vhost === 'string' ? { vhost: options.vhost } : {}),
  }
  const settings: Settings = { hex: options.hex === true ? 'on' : 'auto', json: options.json === true, heartbeats: false }
  return { target, ca: typeof options.ca === 'string' ? readCa(options.ca) : undefined, settings }
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageProblem(`--ca ${path}: ${(error as Error).message}`)
  }
}

async function askPassword(wanted: Wanted, io: Io): Promise<Wanted> {
  const { user, password } = wanted.target
  if (user === undefined || password !== undefined) return wanted
  const known = io.env.WAYBILL_PASSWORD
  if (known === undefined && io.stdin.isTTY !== true) throw new UsageProblem(`the password of ${user} is missing: set WAYBILL_PASSWORD`)
  return { ...wanted, target: { ...wanted.target, password: known ?? (await typePassword(io, `password of ${user}: `)) } }
}

async function talk({ target, ca, settings }: Wanted, io: Io): Promise<number> {
  const terminal = io.stdin.isTTY === true && io.stdout.isTTY === true
  let input: Input | undefined
  const screen = new Screen({
    write: (text) => (input === undefined ? io.stdout.write(text) : input.write(text)),
    writeFailure: (text) => (input === undefined ? io.stderr.write(text) : input.writeFailure(text)),
    terminal,
    color: terminal && io.env.NO_COLOR === undefined,
    settings,
  })
  const session = new Session(screen)
  session.attach(await openLink({ target, ca, timeoutMs: connectMs, npm: io.env.npm_lifecycle_event !== undefined }, session))
  const stopListening = terminal
    ? () => {}
    : io.onSignal(() => {
        session.interrupt()
        input?.close()
      })
  try {
    if (!(await greet(session, target, io))) return 2
    input = terminal ? terminalInput(io, terminalOptions(session)) : pipeInput(io)
    if (terminal) screen.say([`connected to ${targetText(target)}; help lists the commands, quit leaves`])
    const succeeded = await readLines(session, screen, input, terminal)
    input.close()
    const lost = await session.close()
    if (lost === undefined) return succeeded || terminal ? 0 : 1
    io.stderr.write(`the connection is gone: ${lost}\n`)
    return 2
  } finally {
    stopListening()
  }
}

/** HELLO, and channel 1. False when the broker does not want us. */
async function greet(session: Session, { user, password, vhost }: Target, io: Io): Promise<boolean> {
  try {
    await session.greet({
      client: { product: 'waybill-debug', version, platform: `Node ${process.versions.node}` },
      ...(vhost === undefined ? {} : { vhost }),
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
    })
    return true
  } catch (error) {
    const failure = commandFailure(error)
    if (failure === undefined && !(error instanceof LinkLost)) throw error
    io.stderr.write(`${failure?.code === undefined ? '' : `${failure.code} ${failure.reason}: `}${(error as Error).message}\n`)
    await session.close()
    return false
  }
}

/** Carries out one line after the other. True: every one of them did what it was asked for. */
async function readLines(session: Session, screen: Screen, input: Input, terminal: boolean): Promise<boolean> {
  session.onLost = () => input.close()
  let succeeded = true
  let number = 0
  for await (const line of input.lines()) {
    number++
    if (!terminal) screen.echo(line)
    if (!(await runLine(session, screen, line, input.column, terminal ? undefined : number))) succeeded = false
    if (session.isOver) break
  }
  return succeeded
}

/** True: it did what it was asked for. */
async function runLine(session: Session, screen: Screen, line: string, column: number, number: number | undefined): Promise<boolean> {
  try {
    const words = readWords(line)
    if (words.length === 0) return true
    const { command, rest } = findCommand(commands, words)
    await session.run(command.run(session.talk, readValues(command, rest)))
    return true
  } catch (error) {
    const failure = commandFailure(error)
    if (error instanceof LineProblem) screen.problem(error.message, { at: error.at, column, line: number })
    else if (failure !== undefined) screen.failure(failure, number)
    else if (!(error instanceof LinkLost)) throw error
    return false
  }
}

function terminalOptions(session: Session) {
  return {
    prompt: () => `waybill ${session.talk.channel}> `,
    complete: (line: string) => complete(commands, session.talk.names, line),
    interrupt: () => session.interrupt(),
  }
}
