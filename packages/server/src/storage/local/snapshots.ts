/**
 * Snapshots of what a log's blocks lead to, each in a file of its own, and each twice: bytes that rot in one copy are read from the other.
 *
 *     snapshot-00000007.a.wbs    │ head │ part │ part … │ end │        parts framed with size and checksum, see part.ts
 *     snapshot-00000007.b.wbs    the same
 *
 * A copy is written under another name, synced, read again and checked, and only then gets its own; older ones go when both copies of the newer are
 * there to stay. Whatever fails leaves the older one.
 */
import type { Disk, DiskError, DiskFile } from '../../ports/disk.js'
import { newSuffix, snapshotCopies, snapshotName, snapshotOfName } from './names.js'
import { frameParts, readParts } from './part.js'
import { readPatiently } from './patient-read.js'

/** Written and checked so many bytes at a time, so that nobody waits long. */
const stepSize = 1 << 20

export interface StoredSnapshot {
  readonly number: number
  readonly parts: readonly Uint8Array[]
}

export interface SnapshotDamage {
  readonly name: string
  readonly message: string
}

export interface SnapshotSearch {
  readonly newest: StoredSnapshot | undefined
  readonly damage: readonly SnapshotDamage[]
}

/**
 * The newest snapshot of which one copy is whole; and all copies that were looked at and are not, or are not there. Throws DataFormatError when a newer
 * version has written one.
 */
export function findSnapshot(disk: Disk): SnapshotSearch {
  const damage: SnapshotDamage[] = []
  const there = new Set(disk.list())
  const numbers = [...new Set([...there].map(snapshotOfName).filter((number) => number !== undefined))].sort((a, b) => b - a)
  for (const number of numbers) {
    let newest: StoredSnapshot | undefined
    for (const copy of snapshotCopies) {
      const name = snapshotName(number, copy)
      if (!there.has(name)) continue
      const parts = readCopy(disk, name)
      if (typeof parts === 'string') damage.push({ name, message: parts })
      else newest ??= { number, parts }
    }
    if (newest !== undefined) return { newest, damage }
  }
  return { newest: undefined, damage }
}

/** The parts, or what is wrong. Throws DataFormatError when a newer version has written one. */
export function readCopy(disk: Disk, name: string): readonly Uint8Array[] | string {
  const file = disk.open(name)
  try {
    const bytes = new Uint8Array(file.size)
    const count = readPatiently(file, bytes, 0)
    return readParts(bytes.subarray(0, count), name)
  } finally {
    file.close()
  }
}

type Done = (error: DiskError | Error | undefined) => void

export interface SnapshotWriterOptions {
  readonly disk: Disk
  readonly later: (ms: number, run: () => void) => void
}

/** Saves one snapshot at a time. */
export class SnapshotWriter {
  readonly #disk: Disk
  readonly #later: (ms: number, run: () => void) => void
  #isStopped = false
  /** Bytes of all copies that are there. */
  size = 0

  constructor({ disk, later }: SnapshotWriterOptions) {
    this.#disk = disk
    this.#later = later
    for (const name of disk.list()) if (snapshotOfName(name) !== undefined) this.size += sizeOf(disk, name)
  }

  /** Nothing is written any more, and nobody is told. */
  stop(): void {
    this.#isStopped = true
  }

  /** The parts must not change until `done`. It is not called within the call. */
  save(number: number, parts: readonly Uint8Array[], done: Done): void {
    const framed = frameParts(parts)
    this.#copy(number, framed, 0, done)
  }

  #copy(number: number, framed: readonly Uint8Array[], index: number, done: Done): void {
    if (index === snapshotCopies.length) {
      this.#promote(number, done)
      return
    }
    const name = snapshotName(number, snapshotCopies[index]) + newSuffix
    this.#write(name, framed, (error) => {
      if (error === undefined) this.#copy(number, framed, index + 1, done)
      else {
        for (const copy of snapshotCopies) this.#forget(snapshotName(number, copy) + newSuffix)
        done(error)
      }
    })
  }

  #write(name: string, framed: readonly Uint8Array[], done: Done): void {
    this.#attempt(done, () => {
      this.#forget(name)
      const file = this.#disk.open(name)
      const finish: Done = (error) => {
        file.close()
        done(error)
      }
      this.#writeFrom(file, framed, 0, 0, finish)
    })
  }

  #writeFrom(file: DiskFile, framed: readonly Uint8Array[], first: number, at: number, done: Done): void {
    this.#later(0, () => {
      if (this.#isStopped) {
        file.close()
        return
      }
      this.#attempt(done, () => {
        let size = 0
        let next = first
        while (next < framed.length && size < stepSize) size += framed[next++].length
        file.write(framed.slice(first, next), at)
        if (next < framed.length) return this.#writeFrom(file, framed, next, at + size, done)
        file.sync((error) => {
          if (this.#isStopped) {
            file.close()
            return
          }
          if (error !== undefined) done(error)
          else this.#check(file, framed, 0, 0, done)
        })
      })
    })
  }

  /** Compares what a reader gets with what was written. */
  #check(file: DiskFile, framed: readonly Uint8Array[], first: number, at: number, done: Done): void {
    this.#later(0, () => {
      if (this.#isStopped) {
        file.close()
        return
      }
      this.#attempt(done, () => {
        let offset = at
        let next = first
        while (next < framed.length && offset - at < stepSize) {
          const written = framed[next++]
          const read = Buffer.allocUnsafe(written.length)
          if (file.read(read, offset) !== written.length || !read.equals(written)) {
            done(new Error(`${file.name} does not read as it was written, at ${offset}`))
            return
          }
          offset += written.length
        }
        if (next < framed.length) this.#check(file, framed, next, offset, done)
        else done(undefined)
      })
    })
  }

  /** Both copies get their names; then the older ones go. */
  #promote(number: number, done: Done): void {
    this.#attempt(done, () => {
      for (const copy of snapshotCopies) {
        const name = snapshotName(number, copy)
        this.#disk.rename(name + newSuffix, name)
        this.size += sizeOf(this.#disk, name)
      }
      this.#disk.syncNames((error) => {
        if (this.#isStopped) return
        if (error === undefined) this.#removeBefore(number)
        done(error)
      })
    })
  }

  #removeBefore(number: number): void {
    for (const name of this.#disk.list()) {
      const other = snapshotOfName(name)
      if (other === undefined || other >= number) continue
      const size = sizeOf(this.#disk, name)
      if (this.#forget(name)) this.size -= size
    }
  }

  /** What cannot be removed is left over, and is removed another time. */
  #forget(name: string): boolean {
    try {
      if (this.#disk.list().includes(name)) this.#disk.remove(name)
      return true
    } catch {
      return false
    }
  }

  #attempt(done: Done, step: () => void): void {
    try {
      step()
    } catch (error) {
      done(error as Error)
    }
  }
}

function sizeOf(disk: Disk, name: string): number {
  const file = disk.open(name)
  const { size } = file
  file.close()
  return size
}
