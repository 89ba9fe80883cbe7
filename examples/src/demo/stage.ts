/**
 * What the four parts play on: the broker, the programs that they start, a directory for files. However the demo ends,
 * `clear` ends every process and removes every file that came from here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Program } from './programs.js'

export class Stage {
  readonly say: (line: string) => void
  readonly #programs = new Set<Program>()
  readonly #directories: string[] = []
  readonly #closers: (() => Promise<void>)[] = []
  readonly #waiting = new Set<() => void>()
  #broker = ''
  #brokerProgram: Program | undefined

  constructor(say: (line: string) => void) {
    this.say = say
  }

  /** Where the broker listens. */
  get broker(): string {
    return this.#broker
  }

  async openBroker(): Promise<void> {
    this.#brokerProgram = await this.start('broker.js', ['--port', '0'])
    this.#broker = addressIn(this.#brokerProgram)
  }

  /** Ends what the applications still hold, then the broker. Rejects, with the reason, if that broke down before or does now. */
  async closeBroker(): Promise<void> {
    await this.#closeAll()
    await this.#brokerProgram?.stop()
  }

  /** A program beside the broker, told where the broker is. Whoever waits with `until` looks again at each line it prints. */
  async start(name: string, args: readonly string[] = []): Promise<Program> {
    const toBroker = this.#broker === '' ? [] : ['--broker', this.#broker]
    const program = new Program(name, [...toBroker, ...args], () => this.notify())
    this.#programs.add(program)
    await program.ready()
    return program
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
    for (const look of this.#waiting) look()
  }

  /**
   * Resolves as soon as `isSo`, or after `patienceMs` all the same: who waits in vain goes on to the sum, and the sum
   * says what is missing.
   */
  async until(isSo: () => boolean, patienceMs = 12_000): Promise<void> {
    if (isSo()) return
    await new Promise<void>((resolve) => {
      const stop = () => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve()
      }
      const look = () => {
        if (isSo()) stop()
      }
      const timer = setTimeout(stop, patienceMs)
      this.#waiting.add(look)
    })
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
