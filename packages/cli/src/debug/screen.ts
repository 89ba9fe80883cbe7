/**
 * What the debug tool prints: frames, what commands say, what failed. Lines for a person, or one JSON value a line for a program.
 *
 * Where it is written is somebody else's affair, so that a terminal can put its prompt below.
 */
import { errorByCode } from '@waybill/protocol'
import type { Frame } from './frame.js'
import { hexdump } from './hexdump.js'
import { type Direction, frameDump, frameJson, frameLines } from './show.js'
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
    if (this.settings.json) return this.#json(frameJson(direction, frame))
    const lines = frameLines(direction, frame)
    const dumped = this.#dumpSizeMax(frame.bytes.length)
    if (dumped > 0) lines.push(...this.#dim(frameDump(frame, dumped)))
    else if (frame.content.kind === 'malformed') lines.push(...this.#dim(frameDump(frame, malformedShownMax)))
    this.#print(lines)
  }

  /** Bytes that are no frame. */
  bytes(direction: Direction, bytes: Uint8Array, what: string): void {
    if (this.settings.json) return this.#json({ direction, bytes: Buffer.from(bytes).toString('hex'), what })
    const dump = hexdump(bytes, Math.max(malformedShownMax, this.#dumpSizeMax(bytes.length))).map((line) => `    ${line}`)
    this.#print([`${direction === 'in' ? '←' : '→'} ${what}, ${bytes.length} B`, ...this.#dim(dump)])
  }

  say(lines: readonly string[]): void {
    if (this.settings.json) this.#json({ say: lines })
    else this.#print(lines)
  }

  failure(failure: CommandFailure, line: number | undefined): void {
    const { reason, code, message } = failure
    if (this.settings.json) return this.#json({ failed: reason, ...(code === undefined ? {} : { code }), message, ...(line === undefined ? {} : { line }) })
    const where = line === undefined ? '' : `line ${line}: `
    const known = code === undefined ? reason : `${code} ${errorByCode(code)?.name ?? reason}`
    this.#options.writeFailure(`${where}failed: ${known}: ${message}\n`)
  }

  /** A line that cannot be read. On a terminal a caret points at the column of the screen where it is, else `at` is told. */
  problem(message: string, { at, column = 0, line }: { at?: number | undefined; column?: number; line?: number | undefined }): void {
    const place = { ...(line === undefined ? {} : { line }), ...(at === undefined ? {} : { column: at + 1 }) }
    if (this.settings.json) return this.#json({ failed: 'line', message, ...place })
    if (this.#options.terminal) this.#options.writeFailure(at === undefined ? `${message}\n` : `${' '.repeat(column + at)}^\n${message}\n`)
    else this.#options.writeFailure(`${Object.entries(place).flat().join(' ').replace(' column', ', column')}: ${message}\n`)
  }

  /** How much of a frame of this size is shown in hex now; 0 is nothing. */
  #dumpSizeMax(size: number): number {
    if (this.settings.hex === 'on') return Number.POSITIVE_INFINITY
    return this.settings.hex === 'auto' && this.#options.terminal && size <= smallSizeMax ? size : 0
  }

  #json(value: object): void {
    this.#options.write(`${JSON.stringify(value)}\n`)
  }

  #print(lines: readonly string[]): void {
    this.#options.write(`${lines.join('\n')}\n`)
  }

  #dim(lines: readonly string[]): string[] {
    return this.#options.color ? lines.map((line) => `\u001b[2m${line}\u001b[22m`) : [...lines]
  }
}
