/** A disk of which nothing is lost, to be copied and bent. */
import type { Disk, DiskError, DiskFile } from '../../dist/ports/disk.js'

export class PaperDisk implements Disk {
  readonly files: Map<string, Buffer>
  readonly #later: (ms: number, run: () => void) => void

  constructor(later: (ms: number, run: () => void) => void, files = new Map<string, Buffer>()) {
    this.#later = later
    this.files = files
  }

  /** The same files, apart: a write makes a new buffer. */
  copy(): PaperDisk {
    return new PaperDisk(this.#later, new Map(this.files))
  }

  /** Turns one bit. */
  flip(name: string, offset: number): void {
    const bytes = Buffer.from(this.files.get(name)!)
    bytes[offset] ^= 1 << (offset % 8)
    this.files.set(name, bytes)
  }

  list(): string[] {
    return [...this.files.keys()]
  }

  open(name: string): DiskFile {
    if (!this.files.has(name)) this.files.set(name, Buffer.alloc(0))
    return new PaperFile(this, name, this.#later)
  }

  rename(from: string, to: string): void {
    this.files.set(to, this.files.get(from)!)
    this.files.delete(from)
  }

  remove(name: string): void {
    this.files.delete(name)
  }

  syncNames(done: (error: DiskError | undefined) => void): void {
    this.#later(0, () => done(undefined))
  }

  space(): { readonly free: number; readonly total: number } {
    return { free: 2 ** 40, total: 2 ** 41 }
  }
}

class PaperFile implements DiskFile {
  readonly name: string
  readonly #disk: PaperDisk
  readonly #later: (ms: number, run: () => void) => void

  constructor(disk: PaperDisk, name: string, later: (ms: number, run: () => void) => void) {
    this.#disk = disk
    this.name = name
    this.#later = later
  }

  get #bytes(): Buffer {
    return this.#disk.files.get(this.name) ?? Buffer.alloc(0)
  }

  get size(): number {
    return this.#bytes.length
  }

  write(parts: readonly Uint8Array[], at: number): void {
    const added = Buffer.concat(parts)
    const bytes = Buffer.alloc(Math.max(this.size, at + added.length))
    this.#bytes.copy(bytes)
    added.copy(bytes, at)
    this.#disk.files.set(this.name, bytes)
  }

  read(into: Uint8Array, at: number): number {
    return this.#bytes.copy(into, 0, at, at + into.length)
  }

  readLater(into: Uint8Array, at: number, done: (error: DiskError | undefined, count: number) => void): void {
    this.#later(0, () => done(undefined, this.read(into, at)))
  }

  sync(done: (error: DiskError | undefined) => void): void {
    this.#later(0, () => done(undefined))
  }

  close(): void {}
}
