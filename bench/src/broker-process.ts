/**
 * A broker as a child process with its output in a file: started on a free port, ready once that port accepts,
 * stopped by signal. Nothing is left behind when the bench itself ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processTree } from './process-usage.js'

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) killTree(child)
})

export interface StartOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly directory: string
  readonly port: number
  readonly env?: NodeJS.ProcessEnv
  /** Time for the port to accept; Erlang takes its seconds. */
  readonly readyMs?: number
}

export class BrokerProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()))
    running.add(child)
    child.once('exit', () => running.delete(child))
  }

  static async start(options: StartOptions): Promise<BrokerProcess> {
    const logFile = join(options.directory, `broker-${options.port}.log`)
    const log = openSync(logFile, 'a')
    const child = spawn(options.command, options.args, {
      cwd: options.directory,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`${options.command} ended (${code ?? signal}): ${tail(logFile)}`)))
    })
    failed.catch(() => {})
    const broker = new BrokerProcess(child)
    await Promise.race([failed, untilAccepting(options.port, options.readyMs ?? 10_000)])
    return broker
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /**
   * SIGTERM asks the process; SIGKILL ends its children (a start script then ends by itself, and takes its dead along).
   * What is still there after 10 s is killed. Its data is thrown away in any case.
   */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const children = signal === 'SIGKILL' ? processTree(this.pid).slice(1) : []
    if (children.length === 0) this.#child.kill(signal)
    for (const pid of children) kill(pid)
    const ended = await Promise.race([this.#exited.then(() => true), sleep(10_000, false, { ref: false })])
    if (!ended) {
      killTree(this.#child)
      await this.#exited
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function untilAccepting(port: number, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await accepts(port))) {
    if (Date.now() > deadline) throw new Error(`nothing listens on port ${port} after ${withinMs} ms`)
    await sleep(10)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  for (const pid of processTree(child.pid)) kill(pid)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Already gone.
  }
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').slice(-1_000)
}
