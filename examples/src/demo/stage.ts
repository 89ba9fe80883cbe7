/**
 * What the four parts play on: the broker, which they kill now and then, the programs that they start, directories for files.
 * However the demo ends, `clear` ends every process and removes every file that came from here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Patience } from './patience.js'
import { Program } from './programs.js'

export class Stage {
  readonly say: (line: string) => void
  readonly #programs = new Set<Program>()
  readonly #directories: string[] = []
  readonly #closers: (() => Promise<void>)[] = []
  readonly #patience = new Patience()
  #broker = ''
  /** Where the broker keeps what is durable. */
  #data = ''
  #brokerProgram: Program | undefined

  constructor(say: (line: string) => void) {
    this.say = say
  }

  /** Where the broker listens. */
  get broker(): string {
    return this.#broker
  }

  async openBroker(): Promise<void> {
    this.#data = this.directory()
    await this.#runBroker('0')
    this.#broker = addressIn(this.#brokerProgram!)
  }

  /**
   * Ends the broker as `kill -9` does, and starts it again at the same address on what it has kept. Resolves with the ms that it was
   * away; the process is killed when this returns.
   */
  async crashBroker(): Promise<number> {
    const began = performance.now()
    await this.#brokerProgram!.kill()
    await this.#runBroker(new URL(this.#broker).port)
    return Math.round(performance.now() - began)
  }

  /** Ends what the applications still hold, then the broker. Rejects, with the reason, if that broke down before or does now. */
  async closeBroker(): Promise<void> {
    await this.#closeAll()
    await this.#brokerProgram?.stop()
  }

  /** A program beside the broker, told where the broker is. Whoever waits with `until` looks again at each line it prints. */
  async start(name: string, args: readonly string[] = []): Promise<Program> {
    return this.#run(name, this.#broker === '' ? args : ['--broker', this.#broker, ...args])
  }

  /** A new directory. It is made and noted in one step, so that no signal finds it made and not noted. */
  directory(): string {
    const path = mkdtempSync(join(tmpdir(), 'waybill-demo-'))
    this.#directories.push(path)
    return path
  }

  /** Something else to be closed in the end. */
  closeLater(close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  /** Something has happened. */
  notify(): void {
    this.#patience.notify()
  }

  /** See Patience. */
  until(isSo: () => boolean, patienceMs?: number): Promise<void> {
    return this.#patience.until(isSo, patienceMs)
  }

  /** Ends the applications, last started first and the broker last. */
  async clear(): Promise<void> {
    await this.#closeAll()
    for (const program of [...this.#programs].reverse()) await program.kill()
    this.#programs.clear()
    this.clearAtOnce()
  }

  /** The same as `clear` without waiting, for a process that is about to end. */
  clearAtOnce(): void {
    for (const program of this.#programs) void program.kill()
    for (const path of this.#directories.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
  }

  async #runBroker(port: string): Promise<void> {
    this.#brokerProgram = await this.#run('broker.js', ['--port', port, '--data', this.#data])
  }

  async #run(name: string, args: readonly string[]): Promise<Program> {
    const program = new Program(name, args, () => this.notify())
    this.#programs.add(program)
    await program.ready()
    return program
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled(this.#closers.splice(0).map((close) => close()))
  }
}

/** The address in the first line of a program that listens. */
export function addressIn(program: Program): string {
  const address = /\b[a-z]+:\/\/\S+/.exec(program.lines[0]!)?.[0]
  if (address === undefined) throw new Error(`${program.name} does not say where it listens: ${program.lines[0]}`)
  return address
}
