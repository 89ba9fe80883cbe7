/**
 * The files of a directory at one moment, each by a descriptor: what is removed, renamed or replaced afterwards can be read on. What is written into one of them is
 * seen.
 *
 *     list ─▶ open each ─▶ list again          whatever is needed and was there both times was there in between, all of it at once
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { DiskError } from '../ports/disk.js'

const triesMax = 100

export class DirectoryStill {
  readonly directory: string
  readonly #descriptors = new Map<string, number>()

  /** `isNeeded`: not one of these may be missing; any other may. Throws DiskError for what is no directory that can be read. */
  constructor(directory: string, isNeeded: (name: string) => boolean) {
    this.directory = directory
    for (let tries = 1; !this.#take(isNeeded); tries++) {
      this.close()
      if (tries === triesMax) throw new DiskError('broken', `files of ${directory} come and go faster than they can be opened`)
    }
  }

  names(): string[] {
    return [...this.#descriptors.keys()]
  }

  /** Undefined: it was not there. */
  descriptor(name: string): number | undefined {
    return this.#descriptors.get(name)
  }

  /** Bytes that the file has now. */
  sizeOf(name: string): number {
    const descriptor = this.#descriptors.get(name)
    return descriptor === undefined ? 0 : fs.fstatSync(descriptor).size
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) fs.closeSync(descriptor)
    this.#descriptors.clear()
  }

  #take(isNeeded: (name: string) => boolean): boolean {
    const names = this.#list()
    const needed = names.filter(isNeeded)
    for (const name of names) {
      const descriptor = this.#open(name)
      if (descriptor !== undefined) this.#descriptors.set(name, descriptor)
    }
    const there = new Set(this.#list())
    return needed.every((name) => this.#descriptors.has(name) && there.has(name))
  }

  #list(): string[] {
    return this.#attempt(`list ${this.directory}`, () =>
      fs
        .readdirSync(this.directory, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name),
    )
  }

  /** Undefined: it is not there any more. */
  #open(name: string): number | undefined {
    const path = join(this.directory, name)
    return this.#attempt(`open ${path}`, () => {
      try {
        return fs.openSync(path, 'r')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    })
  }

  #attempt<T>(what: string, step: () => T): T {
    try {
      return step()
    } catch (error) {
      this.close()
      const { code, message } = error as NodeJS.ErrnoException
      throw new DiskError('broken', `cannot ${what}: ${message}${code === 'EMFILE' ? '; raise the limit of open files (ulimit -n)' : ''}`)
    }
  }
}
