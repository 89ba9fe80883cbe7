/**
 * The files of one directory, by Node's `fs`. Writes are synchronous, a copy into the page cache, which is faster than a way through the thread pool; syncs and
 * the reads of a running broker go through the pool.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { type Disk, DiskError, type DiskFile } from '../ports/disk.js'
import { makeDirectory } from './make-directory.js'

/** A system call takes no more parts at once (IOV_MAX). */
const partCountMax = 1024
const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export class NodeDisk implements Disk {
  readonly directory: string
  hasReaders: () => boolean = () => false

  /** Makes the directory, for this user alone, if it is not there. Throws DiskError. */
  constructor(directory: string) {
    this.directory = directory
    attempt(`make the directory ${directory}`, () => makeDirectory(directory))
  }

  list(): string[] {
    return attempt(`list ${this.directory}`, () =>
      fs
        .readdirSync(this.directory, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name),
    )
  }

  open(name: string): NodeDiskFile {
    const path = join(this.directory, name)
    return attempt(`open ${path}`, () => new NodeDiskFile(name, path, fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)))
  }

  rename(from: string, to: string): void {
    attempt(`rename ${from} to ${to} in ${this.directory}`, () => fs.renameSync(join(this.directory, from), join(this.directory, to)))
  }

  remove(name: string): void {
    const path = join(this.directory, name)
    attempt(`remove ${path}`, () => fs.rmSync(path, { force: true }))
  }

  syncNames(done: (error: DiskError | undefined) => void): void {
    fs.open(this.directory, 'r', (error, descriptor) => {
      if (error !== null) return done(asDiskError(`open ${this.directory}`, error))
      fs.fsync(descriptor, (problem) => {
        fs.close(descriptor, () => undefined)
        done(problem === null ? undefined : asDiskError(`sync ${this.directory}`, problem))
      })
    })
  }

  space(): { readonly free: number; readonly total: number } {
    return attempt(`look at the space of ${this.directory}`, () => {
      const { bavail, blocks, bsize } = fs.statfsSync(this.directory)
      return { free: bavail * bsize, total: blocks * bsize }
    })
  }
}

class NodeDiskFile implements DiskFile {
  readonly name: string
  readonly #path: string
  readonly #descriptor: number
  #size: number
  /** System calls that are under way: the descriptor is closed behind them. */
  #underWay = 0
  #isClosing = false

  constructor(name: string, path: string, descriptor: number) {
    this.name = name
    this.#path = path
    this.#descriptor = descriptor
    this.#size = fs.fstatSync(descriptor).size
  }

  get size(): number {
    return this.#size
  }

  write(parts: readonly Uint8Array[], at: number): void {
    let total = 0
    for (let i = 0; i < parts.length; i++) total += parts[i].length
    try {
      const written = parts.length <= partCountMax ? fs.writevSync(this.#descriptor, parts as Uint8Array[], at) : 0
      if (written < total) this.#writeRest(parts, at, written)
    } catch (error) {
      throw asDiskError(`write to ${this.#path}`, error)
    } finally {
      if (at + total > this.#size) this.#size = fs.fstatSync(this.#descriptor).size
    }
  }

  /** What a call has left over, and what is too much for one. */
  #writeRest(parts: readonly Uint8Array[], at: number, written: number): void {
    let offset = at + written
    let skipped = written
    let first = 0
    while (first < parts.length) {
      if (skipped >= parts[first].length) {
        skipped -= parts[first++].length
        continue
      }
      const some = parts.slice(first, first + partCountMax)
      some[0] = some[0].subarray(skipped)
      const count = fs.writevSync(this.#descriptor, some, offset)
      if (count === 0) throw new Error('nothing was written')
      offset += count
      skipped += count
    }
  }

  read(into: Uint8Array, at: number): number {
    try {
      let count = 0
      while (count < into.length) {
        const more = fs.readSync(this.#descriptor, into, count, into.length - count, at + count)
        if (more === 0) break
        count += more
      }
      return count
    } catch (error) {
      throw asDiskError(`read ${this.#path}`, error)
    }
  }

  readLater(into: Uint8Array, at: number, done: (error: DiskError | undefined, count: number) => void): void {
    this.#underWay++
    let count = 0
    const more = (): void => {
      fs.read(this.#descriptor, into, count, into.length - count, at + count, (error, read) => {
        count += error === null ? read : 0
        if (error === null && read > 0 && count < into.length) return more()
        this.#ended()
        done(error === null ? undefined : asDiskError(`read ${this.#path}`, error), count)
      })
    }
    more()
  }

  sync(done: (error: DiskError | undefined) => void): void {
    this.#underWay++
    fs.fdatasync(this.#descriptor, (error) => {
      this.#ended()
      done(error === null ? undefined : asDiskError(`sync ${this.#path}`, error))
    })
  }

  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.#underWay === 0) fs.closeSync(this.#descriptor)
  }

  #ended(): void {
    this.#underWay--
    if (this.#isClosing && this.#underWay === 0) fs.closeSync(this.#descriptor)
  }
}

function attempt<T>(what: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw asDiskError(what, error)
  }
}

function asDiskError(what: string, error: unknown): DiskError {
  const { code, message } = error as NodeJS.ErrnoException
  return new DiskError(code !== undefined && fullCodes.has(code) ? 'full' : 'broken', `cannot ${what}: ${message}`)
}
