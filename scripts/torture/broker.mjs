/**
 * The real broker in a process of its own, to be stopped, ended and started again on the same data and port.
 *
 * Invariant: when it ends, and nobody here has ended it, `ended` of its owner is told with its last words.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { root } from '../prepare.mjs'

const program = join(root, 'packages/cli/dist/bin.js')
const wordsMax = 30

export class BrokerProcess {
  port
  /** Events of its log, by name: how many. */
  events = new Map()
  startCount = 0
  #data
  #flags
  #env
  #onBroken
  #child
  #words = []
  #isEnding = false
  #listening
  #rest = ''

  /** `onBroken` is called with a text when it ends by itself, or says of its data that they are damaged. */
  constructor({ port, data, flags = [], env = {}, onBroken }) {
    this.port = port
    this.#data = data
    this.#flags = flags
    this.#env = env
    this.#onBroken = onBroken
  }

  get url() {
    return `waybill://127.0.0.1:${this.port}`
  }

  get pid() {
    return this.#child?.pid
  }

  get isRunning() {
    return this.#child !== undefined
  }

  set data(directory) {
    this.#data = directory
  }

  /** Starts it; `ready` of the answer resolves when it listens. */
  spawn() {
    this.#words = []
    this.#rest = ''
    this.#isEnding = false
    this.startCount++
    const args = [
      program,
      'serve',
      '--host',
      '127.0.0.1',
      '--port',
      String(this.port),
      '--log',
      'json',
      '--data',
      this.#data,
      ...this.#flags,
    ]
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    const exited = once(child, 'close').then(([code, signal]) => {
      if (this.#child === child) this.#child = undefined
      return signal ?? code
    })
    let output = ''
    this.#listening = new Promise((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text) => {
        output += text
        if (/^listening /m.test(output)) resolve()
      })
      exited.then((how) => reject(new Error(`the broker ended before it listened (${how}): ${this.words}`)))
    })
    this.#listening.catch(() => {})
    child.stderr.setEncoding('utf8').on('data', (text) => this.#read(text))
    exited.then((how) => {
      if (!this.#isEnding) this.#onBroken(`the broker ended by itself (${how}): ${this.words}`)
    })
    this.exited = exited
  }

  /** Starts it and waits until it listens; milliseconds that this took. */
  async start() {
    const began = performance.now()
    this.spawn()
    await this.#listening
    return performance.now() - began
  }

  /** Its last lines on standard error. */
  get words() {
    return this.#words.join('\n')
  }

  async kill() {
    if (this.#child === undefined) return
    this.#isEnding = true
    this.#child.kill('SIGKILL')
    await this.exited
  }

  /** As a person would. */
  async stop() {
    if (this.#child === undefined) return
    this.#isEnding = true
    this.#child.kill('SIGTERM')
    const killer = setTimeout(() => this.#child?.kill('SIGKILL'), 30_000)
    await this.exited
    clearTimeout(killer)
  }

  /** Holds all its threads, and returns when none of them runs any more. */
  async pause() {
    this.#child.kill('SIGSTOP')
    while (!areStopped(this.#child.pid)) await new Promise((resolve) => setTimeout(resolve, 2))
  }

  resume() {
    this.#child.kill('SIGCONT')
  }

  eventCount(name) {
    return this.events.get(name) ?? 0
  }

  #read(text) {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()
    for (const line of lines) {
      this.#words.push(line)
      if (this.#words.length > wordsMax) this.#words.shift()
      const event = /"event":"([a-z-]+)"/.exec(line)?.[1]
      if (event === undefined) continue
      this.events.set(event, this.eventCount(event) + 1)
      if (event === 'data-damaged') this.#onBroken(`the broker says that its data are damaged: ${line}`)
    }
  }
}

/** Whether no thread of a process is running or waiting for the disk. */
function areStopped(pid) {
  return readdirSync(`/proc/${pid}/task`).every((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2)[0] === 'T'
  })
}

/**
 * A port that is free, and is not one that the system gives to those who connect: a client that tries again and again to reach a broker that
 * is not there must not meet itself.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer()
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
