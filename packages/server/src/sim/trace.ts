/** Everything that happens, as a hash that is the same for the same seed, and as the last lines for who looks for a fault. */
import { crc32 } from 'node:zlib'

const keptCount = 60

export class Trace {
  #hash = 0
  #lines: string[] = []
  readonly #print: ((line: string) => void) | undefined

  constructor(print?: (line: string) => void) {
    this.#print = print
  }

  add(time: number, what: string, bytes?: Uint8Array): void {
    const line = `${time.toFixed(3).padStart(12)} ${what}${bytes === undefined ? '' : ` ${bytes.length} B`}`
    this.#hash = crc32(line, this.#hash)
    if (bytes !== undefined) this.#hash = crc32(bytes, this.#hash)
    this.#lines.push(line)
    if (this.#lines.length > 2 * keptCount) this.#lines = this.#lines.slice(-keptCount)
    this.#print?.(line)
  }

  /** What is said for the reader alone, and does not count. */
  say(line: string): void {
    this.#print?.(line)
  }

  get hash(): number {
    return this.#hash
  }

  get lastLines(): readonly string[] {
    return this.#lines.slice(-keptCount)
  }
}
