/**
 * `waybill serve`: a broker in this process, until it is told to stop.
 *
 *     waybill 0.1.0, Node 24.4.0
 *     listening waybill://localhost:7670  this machine only: no users yet
 *     keeping messages in ./waybill-data (log k3f9a8c2d1, 3 queues, 1,204 messages; recovered in 80 ms)
 *     …
 *     ^C
 *     finishing 3 deliveries … done
 *
 * Exit code: 0 when it was told to stop, 1 when it cannot listen or keep, 2 for a configuration that cannot be used. What it
 * says about itself goes to standard output, problems to standard error.
 */
import { type Broker, type Config, ConfigError, createBroker, isLoopback, loadConfig, outsideOptions, thisMachine } from '@waybill/server'
import { UsageProblem } from '../arguments.js'
import type { Io } from '../io.js'
import { dataProblem, finishingText, listenProblem, startedLines } from './banner.js'
import { readFlags, type ServeFlags } from './flags.js'
import { terminalLog } from './terminal-log.js'

/**
 * A terminal under npm sends one Ctrl-C twice: to npm, which passes it on, and to us. Within this time it is one; and as the
 * second half must not meet a process that has stopped listening, nobody leaves before that.
 */
const sameSignalMs = 300

/** Where messages are kept when nobody says anything else: in the directory that the command is started in. */
const dataDefault = './waybill-data'

/** Starts a broker; a test may give another one. */
export type StartBroker = (config: Config) => Promise<Pick<Broker, 'address' | 'data' | 'unsettledCount' | 'close'>>

/** Resolves with the exit code when the broker has stopped. */
export async function serve(args: readonly string[], io: Io, start: StartBroker = createBroker): Promise<number> {
  const npm = io.env.npm_lifecycle_event !== undefined
  let flags: ServeFlags
  let config: Config
  try {
    flags = readFlags(args)
    config = readConfig(flags, io)
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof UsageProblem)) throw error
    io.stderr.write(`${error.message}\n`)
    return 2
  }
  if (config.listen === false) {
    io.stderr.write('listen: false is for a broker inside a program of yours; leave it out here (see createBroker)\n')
    return 2
  }
  // The others are in the log.
  for (const warning of config.warnings) if (warning.startsWith('the variable ')) io.stderr.write(`${warning}\n`)

  const { data } = config
  const { host, port } = config.listen
  let broker: Awaited<ReturnType<StartBroker>>
  try {
    broker = await start({
      ...config,
      ...(isForPeople(config, flags, io) ? { log: terminalLog((line) => io.stderr.write(line)) } : {}),
    })
  } catch (error) {
    const problem = error instanceof ConfigError ? error.message : (dataProblem(error, data, npm) ?? listenProblem(error, host, port, npm))
    if (problem === undefined) throw error
    io.stderr.write(`${problem}\n`)
    return error instanceof ConfigError ? 2 : 1
  }
  const started = {
    host,
    port: broker.address?.port ?? port,
    tls: config.tls !== undefined,
    data: broker.data,
    users: config.users.map(({ name }) => name),
    thisMachineOnly: isLoopback(host),
    npm,
  }
  const stopped = untilStopped(broker, io, config.limits.drainMs)
  io.stdout.write(`${startedLines(started).join('\n')}\n\n`)
  await stopped
  return 0
}

/** Throws ConfigError or UsageProblem. */
function readConfig({ config: file, options }: ServeFlags, io: Io): Config {
  // It belongs to the debug tool.
  const { WAYBILL_PASSWORD: _password, ...environment } = io.env
  return loadConfig({ defaults: { data: dataDefault }, ...(file === undefined ? {} : { file }), environment, flags: options }, thisMachine)
}

/** Whether the log would come between the lines that somebody reads on a terminal, and was not asked for. */
function isForPeople({ log }: Config, { options }: ServeFlags, io: Io): boolean {
  const asked = options.log !== undefined || (io.env.WAYBILL_LOG ?? '') !== ''
  return io.stderr.isTTY === true && log === 'text' && !asked
}

/** The first signal lets deliveries in flight finish, a later one does not wait for that. */
function untilStopped(broker: Awaited<ReturnType<StartBroker>>, io: Io, graceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let firstAt: number | undefined
    const stopListening = io.onSignal((signal) => {
      const now = performance.now()
      if (firstAt !== undefined && now - firstAt <= sameSignalMs) return
      if (firstAt !== undefined) {
        io.stdout.write('not waited for\n')
        io.exit(signal === 'SIGINT' ? 130 : 143)
        return
      }
      firstAt = now
      io.stdout.write(`${io.stdout.isTTY === true ? '\n' : ''}${finishingText(broker.unsettledCount)}`)
      broker.close({ graceMs }).then(() => {
        io.stdout.write(performance.now() - now < graceMs ? 'done\n' : `not all were settled within ${graceMs} ms\n`)
        setTimeout(
          () => {
            stopListening()
            resolve()
          },
          signal === 'SIGINT' ? now + sameSignalMs - performance.now() : 0,
        )
      }, reject)
    })
  })
}

export const serveHelp = `waybill serve                runs a broker until it is told to stop (Ctrl-C, SIGTERM)

  --config FILE   a configuration, JSON; what it says is overruled by the environment, and that by flags
  --host HOST     localhost if left out; other machines can connect to another one, which needs users and TLS
  --port N        7670 if left out; 0 is any that is free
  --tls-key FILE --tls-cert FILE    key and certificate, PEM: the port speaks TLS, waybills://
  --allow-plaintext    other machines may connect without TLS, where everybody on the way can read along
  --log text|json|none    the log, on standard error; on a terminal it is warnings alone, unless it is asked for
  --data DIR      where durable queues and persistent messages are kept, for one broker at a time; ./waybill-data if left out
  --data none     nothing is kept: everything lives in memory and is gone when this stops

  Every option of the configuration that is one value has a flag and a variable of the environment:
${optionLines()}

  Exit code: 0 when it was told to stop, 1 when it cannot listen or keep, 2 for a configuration that cannot be used.
`

function optionLines(): string {
  const width = Math.max(...outsideOptions.map(({ flag }) => flag.length))
  return outsideOptions.map(({ flag, variable }) => `    --${flag.padEnd(width)}  ${variable}`).join('\n')
}
