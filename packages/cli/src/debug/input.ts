/**
 * Where command lines come from, and where output goes meanwhile.
 *
 * On a terminal there is a prompt with completion and history; what is printed while somebody types goes above it.
 */
import { clearScreenDown, createInterface, cursorTo, type Interface } from 'node:readline'
import type { Io } from '../io.js'

export interface Input {
  /** Lines, one at a time; the next is asked for when the last is done with. */
  lines(): AsyncIterable<string>
  write(text: string): void
  writeFailure(text: string): void
  /** Column in which a line that was just read began on the screen. */
  readonly column: number
  /** No more lines. */
  close(): void
}

export interface TerminalOptions {
  readonly prompt: () => string
  readonly complete: (line: string) => [string[], string]
  /** Ctrl-C: true if there was something to interrupt. */
  readonly interrupt: () => boolean
}

export function terminalInput({ stdin, stdout }: Io, { prompt, complete, interrupt }: TerminalOptions): Input {
  const reader = createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    completer: complete,
    historySize: 1_000,
    removeHistoryDuplicates: true,
  })
  const lines = new Lines(reader)
  let asking = false
  // Lines that were typed ahead are still to be carried out when it has closed; from then on a prompt is an error.
  let isClosed = false
  reader.once('close', () => {
    isClosed = true
    asking = false
  })
  reader.on('SIGINT', () => {
    if (interrupt()) return
    if (reader.line === '') reader.close()
    else {
      // What is typed is dropped, as a shell does it.
      reader.write(null, { ctrl: true, name: 'e' })
      reader.write(null, { ctrl: true, name: 'u' })
    }
  })
  const write = (text: string): void => {
    if (!asking) stdout.write(text)
    else {
      cursorTo(stdout, 0)
      clearScreenDown(stdout)
      stdout.write(text)
      reader.prompt(true)
    }
  }
  return {
    lines: () =>
      lines.read({
        before() {
          if (isClosed) return
          asking = true
          reader.setPrompt(prompt())
          // What was typed while a command ran stays, and so does the cursor in it.
          reader.prompt(true)
        },
        after() {
          asking = false
        },
      }),
    write,
    writeFailure: write,
    get column() {
      return prompt().length
    },
    close: () => lines.close(),
  }
}

export function pipeInput({ stdin, stdout, stderr }: Io): Input {
  const reader = createInterface({ input: stdin, terminal: false, crlfDelay: Number.POSITIVE_INFINITY })
  const lines = new Lines(reader)
  return {
    lines: () => lines.read({ before: () => {}, after: () => {} }),
    write: (text) => stdout.write(text),
    writeFailure: (text) => stderr.write(text),
    column: 0,
    close: () => lines.close(),
  }
}

interface Around {
  before(): void
  after(): void
}

/** The lines of a reader, kept from the first moment on, whatever is done between two of them. */
class Lines {
  readonly #reader: Interface
  readonly #lines: string[] = []
  #ended = false
  #wake: () => void = () => {}

  constructor(reader: Interface) {
    this.#reader = reader
    reader.on('line', (line) => {
      this.#lines.push(line)
      this.#wake()
    })
    reader.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  /** No more lines, those that have come among them. */
  close(): void {
    this.#reader.close()
    this.#lines.length = 0
  }

  async *read(around: Around): AsyncGenerator<string> {
    while (true) {
      around.before()
      while (this.#lines.length === 0 && !this.#ended) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
      const line = this.#lines.shift()
      if (line === undefined) return
      around.after()
      yield line
    }
  }
}
