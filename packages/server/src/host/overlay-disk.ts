/**
 * A directory that is only read: what is written lies over it in memory, and is gone with the process. So a log can be opened, and cut, and mended, by who
 * only wants to look.
 */
import fs from 'node:fs'
import { type Disk, DiskError, type DiskFile } from '../ports/disk.js'
import type { DirectoryStill } from './directory-still.js'

const pageSize = 64 * 1024

export class OverlayDisk implements Disk {
  readonly #below: DirectoryStill
  readonly #files = new Map<string, OverlayFile>()
  /** Of files below that stand there under another name, or not at all, for who looks from above. */
  readonly #removed = new Set<string>()

  /** The still has to stay open. */
  constructor(below: DirectoryStill) {
    this.#below = below
  }

  /** The file stays as it is now, whoever writes to it. */
  freeze(name: string): void {
    this.open(name).freeze()
  }

  list(): string[] {
    const below = this.#below.names().filter((name) => !this.#removed.has(name))
    return [...new Set([...below, ...this.#files.keys()])]
  }

  open(name: string): OverlayFile {
    const known = this.#files.get(name)
    if (known !== undefined) return known
    const descriptor = this.#removed.has(name) ? undefined : this.#below.descriptor(name)
    const file = new OverlayFile(name, descriptor)
    this.#files.set(name, file)
    return file
  }

  rename(from: string, to: string): void {
    const file = this.open(from)
    this.remove(from)
    this.#files.set(to, file)
  }

  remove(name: string): void {
    this.#files.delete(name)
    this.#removed.add(name)
  }

  syncNames(done: (error: DiskError | undefined) => void): void {
    setImmediate(done, undefined)
  }

  /** As much as anybody wants: it is not the disk that fills up. */
  space(): { readonly free: number; readonly total: number } {
    return { free: Number.MAX_SAFE_INTEGER, total: Number.MAX_SAFE_INTEGER }
  }
}

class OverlayFile implements DiskFile {
  readonly name: string
  size: number
  readonly #descriptor: number | undefined
  /** Pages that have been written to, by their number. */
  readonly #pages = new Map<number, Buffer>()

  /** Without a descriptor it is a new one. */
  constructor(name: string, descriptor: number | undefined) {
    this.name = name
    this.#descriptor = descriptor
    this.size = descriptor === undefined ? 0 : fs.fstatSync(descriptor).size
  }

  /** From its end to its start: nothing is seen that stands behind something which was not there yet. */
  freeze(): void {
    for (let page = Math.ceil(this.size / pageSize) - 1; page >= 0; page--) this.#page(page)
  }

  write(parts: readonly Uint8Array[], at: number): void {
    let offset = at
    for (const part of parts) {
      for (let done = 0; done < part.length; ) {
        const within = offset % pageSize
        const count = Math.min(part.length - done, pageSize - within)
        this.#page(Math.floor(offset / pageSize)).set(part.subarray(done, done + count), within)
        done += count
        offset += count
      }
    }
    if (offset > at) this.size = Math.max(this.size, offset)
  }

  read(into: Uint8Array, at: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - at))
    into.fill(0, 0, count)
    this.#readBelow(into.subarray(0, count), at)
    for (let offset = at; offset < at + count; offset = (Math.floor(offset / pageSize) + 1) * pageSize) {
      const page = this.#pages.get(Math.floor(offset / pageSize))
      const within = offset % pageSize
      if (page !== undefined) into.set(page.subarray(within, Math.min(pageSize, within + at + count - offset)), offset - at)
    }
    return count
  }

  readLater(into: Uint8Array, at: number, done: (error: DiskError | undefined, count: number) => void): void {
    setImmediate(() => {
      let count = 0
      try {
        count = this.read(into, at)
      } catch (error) {
        done(error as DiskError, 0)
        return
      }
      done(undefined, count)
    })
  }

  sync(done: (error: DiskError | undefined) => void): void {
    setImmediate(done, undefined)
  }

  /** It stays: what was written to it is nowhere else. */
  close(): void {}

  #page(number: number): Buffer {
    let page = this.#pages.get(number)
    if (page === undefined) {
      page = Buffer.alloc(pageSize)
      this.#readBelow(page, number * pageSize)
      this.#pages.set(number, page)
    }
    return page
  }

  #readBelow(into: Uint8Array, at: number): void {
    const descriptor = this.#descriptor
    if (descriptor === undefined) return
    attempt(`read ${this.name}`, () => {
      for (let count = 0; count < into.length; ) {
        const more = fs.readSync(descriptor, into, count, into.length - count, at + count)
        if (more === 0) return
        count += more
      }
    })
  }
}

function attempt<T>(what: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw new DiskError('broken', `cannot ${what}: ${(error as Error).message}`)
  }
}
