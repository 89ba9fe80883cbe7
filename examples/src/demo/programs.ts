/**
 * One program as a process of its own, as an operator would start it: the demo knows it by its process id and by the
 * lines that it prints. What it says on its error output is kept, and told only if it ends badly.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export class Program {
  readonly name: string
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #ended: Promise<string>
  readonly #ready: Promise<void>
  #complaints = ''
  #hasEnded = false

  /** Starts `dist/<name>`. `onChange` is called at each line that it prints, and when it ends. */
  constructor(name: string, args: readonly string[], onChange: () => void = () => {}) {
    this.name = name
    this.#child = fork(fileURLToPath(new URL(`../${name}`, import.meta.url)), args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text
    })
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message))
      this.#child.once('close', (code, signal) => resolve(signal ?? String(code)))
    })
    this.#ready = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout! }).on('line', (line) => {
        this.#lines.push(line)
        resolve()
        onChange()
      })
      void this.#ended.then(() => {
        this.#hasEnded = true
        resolve()
        onChange()
      })
    })
  }

  /** Resolves at its first line, by which it says that it is ready; rejects if it ends without one. */
  async ready(): Promise<void> {
    await this.#ready
    if (this.#lines.length === 0) throw this.#failure(await this.#ended)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** All that it has printed so far. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Asks it to end and waits until it has; it finishes what it has begun. Rejects if it ends in any other way. */
  async stop(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGTERM')
    await this.finished()
  }

  /** Waits until it ends by itself. Rejects if it does not end well. */
  async finished(): Promise<void> {
    const end = await this.#ended
    if (end !== '0') throw this.#failure(end)
  }

  /** Ends it at once, without a chance to finish anything. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL')
    await this.#ended
  }

  #failure(end: string): Error {
    return new Error(`${this.name} ended with ${end}: ${this.#complaints.trim() || 'without a word'}`)
  }
}
