/** A process that is played by the test: what it prints is kept, signals are sent by hand. */
import { PassThrough } from 'node:stream'
import type { Io } from '../dist/io.js'

type Signal = 'SIGINT' | 'SIGTERM'

export class FakeIo implements Io {
  readonly stdin = new PassThrough()
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly env: Record<string, string | undefined>
  exitCode: number | undefined
  #out = ''
  #err = ''
  readonly #listeners = new Set<(signal: Signal) => void>()

  constructor(env: Record<string, string | undefined> = {}) {
    this.env = env
    this.stdout.on('data', (text) => {
      this.#out += text
    })
    this.stderr.on('data', (text) => {
      this.#err += text
    })
  }

  get out(): string {
    return this.#out
  }

  get err(): string {
    return this.#err
  }

  /** Resolves when this has been printed to standard output. */
  printed(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.#out.includes(text)) return
        this.stdout.off('data', look)
        resolve()
      }
      this.stdout.on('data', look)
      look()
    })
  }

  onSignal(listener: (signal: Signal) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  signal(signal: Signal): void {
    for (const listener of this.#listeners) listener(signal)
  }

  exit(code: number): void {
    this.exitCode = code
  }
}
