/**
 * What the debug tool prints: frames, what commands say, what failed. Lines for a person, or one JSON value a line for a program.
 *
 * Where it is written is somebody else's affair, so that a terminal can put its prompt below.
 */
import type { Direction, Frame } from './frame.js'
import { hexdump } from './hexdump.js'
import { frameDump, frameJson, frameLines } from './show.js'
import type { CommandFailure, Settings } from './steps.js'

/** With hex `auto`, frames up to this size are shown in hex. */
const smallSizeMax = 128
/** What is malformed is always shown in hex; this much of it, if nobody asked for more. */
const malformedShownMax = 256

export interface ScreenOptions {
  /** Writes whole lines. */
  readonly write: (text: string) => void
  /** Where failures go. */
  readonly writeFailure: (text: string) => void
  readonly terminal: boolean
  readonly color: boolean
  readonly settings: Settings
}

export class Screen {
  settings: Settings
  readonly #options: ScreenOptions

  constructor(options: ScreenOptions) {
    this.#options = options
    this.settings = options.settings
  }

  frame(direction: Direction, frame: Frame): void {
    if (frame.name === 'HEARTBEAT' && !this.settings.heartbeats) return
    this.#print(
      () => frameJson(direction, frame),
      () => [...frameLines(direction, frame), ...this.#dim(this.#dumpLines(frame))],
    )
  }

  /** Bytes that are no frame. */
  bytes(direction: Direction, bytes: Uint8Array, what: string): void {
    this.#print(
      () => ({ direction, bytes: Buffer.from(bytes).toString('hex'), what }),
      () => {
        const dump = hexdump(bytes, Math.max(malformedShownMax, this.#dumpSizeMax(bytes.length)))
        return [`${direction === 'in' ? '←' : '→'} ${what}, ${bytes.length} B`, ...this.#dim(dump.map((line) => `    ${line}`))]
      },
    )
  }

  /** A line that came through a pipe, so that the output reads as a conversation. */
  echo(line: string): void {
    if (!this.settings.json) this.#options.write(`> ${line}\n`)
  }

  say(lines: readonly string[]): void {
    this.#print(
      () => ({ say: lines }),
      () => lines,
    )
  }

  failure({ reason, code, message }: CommandFailure, line: number | undefined): void {
    const title = code === undefined ? reason : `${code} ${reason}`
    this.#fail({ failed: reason, code, message, line }, `${line === undefined ? '' : `line ${line}: `}failed: ${title}: ${message}`)
  }

  /** A line that cannot be read. On a terminal a caret points at the column of the screen where it is, else `at` is told. */
  problem(message: string, { at, column = 0, line }: { at?: number | undefined; column?: number; line?: number | undefined }): void {
    const value = { failed: 'line', message, line, column: at === undefined ? undefined : at + 1 }
    if (this.#options.terminal) this.#fail(value, at === undefined ? message : `${' '.repeat(column + at)}^\n${message}`)
    else this.#fail(value, `line ${line}${at === undefined ? '' : `, column ${at + 1}`}: ${message}`)
  }

  #dumpLines(frame: Frame): string[] {
    const sizeMax = this.#dumpSizeMax(frame.bytes.length)
    if (sizeMax > 0) return frameDump(frame, sizeMax)
    return frame.content.kind === 'malformed' ? frameDump(frame, malformedShownMax) : []
  }

  /** How much of a frame of this size is shown in hex now; 0 is nothing. */
  #dumpSizeMax(size: number): number {
    if (this.settings.hex === 'on') return Number.POSITIVE_INFINITY
    return this.settings.hex === 'auto' && this.#options.terminal && size <= smallSizeMax ? size : 0
  }

  #print(value: () => object, lines: () => readonly string[]): void {
    this.#options.write(this.settings.json ? `${JSON.stringify(value())}\n` : `${lines().join('\n')}\n`)
  }

  #fail(value: object, text: string): void {
    if (this.settings.json) this.#options.write(`${JSON.stringify(value)}\n`)
    else this.#options.writeFailure(`${text}\n`)
  }

  #dim(lines: readonly string[]): string[] {
    return this.#options.color ? lines.map((line) => `\u001b[2m${line}\u001b[22m`) : [...lines]
  }
}
