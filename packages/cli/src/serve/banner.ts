/** What a broker says when it has started, and when it cannot: each fact once, each problem with its fix. */
import type { Broker } from '@waybill/server'
import { counted } from '../counted.js'
import { version } from '../version.js'

export interface Started {
  /** As it was configured. */
  readonly host: string
  /** As it is. */
  readonly port: number
  readonly tls: boolean
  /** What is kept, and where; undefined: nothing is. */
  readonly data: Broker['data']
  readonly users: readonly string[]
  readonly thisMachineOnly: boolean
  /** Started by a command of npm, so in a clone of the repository. */
  readonly npm: boolean
}

/** Version, address, what is kept, and what to do next. */
export function startedLines(started: Started): string[] {
  const { host, port, tls, npm } = started
  return [
    `waybill ${version}, Node ${process.versions.node}`,
    `listening waybill${tls ? 's' : ''}://${authority(host, port)}  ${whoMayConnect(started)}`,
    keptText(started.data),
    '',
    ...columns([
      [debugCommand(started), 'talk to it by hand: declare, publish, consume, and see every frame'],
      ['npm run demo', `four real jobs, every sum checked${npm ? '' : ' (in a clone of the repository)'}`],
      ['README.md', 'a tour: a worker, a publisher, and what happens when the worker is killed'],
    ]),
  ]
}

/** The line that reaches this broker from this machine. */
function debugCommand({ host, port, tls, users, npm }: Started): string {
  const near = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  const words: string[] = []
  if (tls) words.push(`waybills://${authority(near, port)}`)
  else if (near !== 'localhost' || port !== 7670) words.push(authority(near, port))
  if (users.length > 0) words.push(`--user ${users[0]}`)
  const between = npm && words.length > 0 ? ['--'] : []
  return [npm ? 'npm run debug' : 'waybill debug', ...between, ...words].join(' ')
}

function whoMayConnect({ thisMachineOnly, users: { length: count }, tls }: Started): string {
  const users = count === 0 ? 'no users yet' : count === 1 ? '1 user' : `${count} users`
  if (thisMachineOnly) return `this machine only: ${users}`
  return tls ? `${users}, TLS` : `${users}, and everybody on the way can read along: there is no TLS`
}

/** `keeping messages in ./waybill-data (log k3f9a8c2d1, 3 queues, 1,204 messages; recovered in 80 ms)` */
function keptText(data: Broker['data']): string {
  if (data === undefined) return 'keeping nothing, as it was told: messages live in memory and are gone when this stops'
  const { directory, log, queueCount, messageCount, ms } = data
  const there = queueCount === 0 ? 'no queue yet' : `${counted(queueCount, 'queue')}, ${counted(messageCount, 'message')}`
  return `keeping messages in ${directory} (log ${log}, ${there}; recovered in ${Math.round(ms)} ms)`
}

/** Why it cannot keep anything where it should, in one line with the fix. Undefined: that is no problem of the data. */
export function dataProblem(error: unknown, data: string | false, npm: boolean): string | undefined {
  if (data === false || !(error instanceof Error)) return undefined
  const another = `${npm ? 'npm start -- ' : 'waybill serve '}--data DIR`
  const { code, kind } = error as { code?: unknown; kind?: unknown }
  if (code === 'DATA_OWNED') return `${error.message}: ${another}`
  if (code === 'DATA_FORMAT') return `${data}: ${error.message}`
  if (error.name !== 'DiskError') return undefined
  const fix = kind === 'full' ? 'make space there' : 'let this process read and write there'
  return `${error.message}; ${fix}, or keep the data elsewhere: ${another}`
}

/** Why it does not listen, in one line. Undefined: that is no problem of a listener. */
export function listenProblem(error: unknown, host: string, port: number, npm: boolean): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException
  const again = npm ? 'npm start -- ' : 'waybill serve '
  switch (code) {
    case 'EADDRINUSE':
      return `${authority(host, port)} is taken, perhaps by another waybill; take another port: ${again}--port ${port < 65_535 ? port + 1 : 7670}`
    case 'EACCES':
      return `this process may not listen on port ${port}; take one above 1023: ${again}--port 7670`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `this machine has no address '${host}'; take one that it has: ${again}--host localhost`
    default:
      return code === undefined ? undefined : `cannot listen on ${authority(host, port)}: ${message}`
  }
}

/** `finishing 3 deliveries … ` */
export function finishingText(unsettledCount: number): string {
  return `finishing ${unsettledCount} ${unsettledCount === 1 ? 'delivery' : 'deliveries'} … `
}

function authority(host: string, port: number): string {
  return `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([first]) => first.length))
  return rows.map(([first, second], i) => `${i === 0 ? 'next' : '    '}  ${first.padEnd(width)}   ${second}`)
}
