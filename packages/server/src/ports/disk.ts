/**
 * The files of one directory, as the journal sees them: flat, named, written at offsets. Made of Node's `fs` by the host, of a seed
 * and memory by the simulation, which may lose, tear and reorder whatever was not synced.
 *
 * What is written is where a reader of this process sees it; what is *synced* is where it survives a power cut. Names (files made,
 * renamed, removed) are synced apart from what is in files.
 */
export interface Disk {
  /** Names of all files. */
  list(): string[]
  /** Opens a file for reading and writing; makes it if it is not there. Throws DiskError. */
  open(name: string): DiskFile
  rename(from: string, to: string): void
  remove(name: string): void
  /** Syncs the names. `done` is told once, later, never within the call. */
  syncNames(done: (error: DiskError | undefined) => void): void
  /** Whether another process reads the files: one that is not needed any more is removed then, and not written over. Left out: nobody does. */
  hasReaders?(): boolean
  /** Bytes that may still be written by this process, and those of the whole disk. */
  space(): { readonly free: number; readonly total: number }
}

export interface DiskFile {
  readonly name: string
  /** Bytes from the start to the last one ever written. */
  readonly size: number
  /** Writes all parts, one behind another, from offset `at`; afterwards every reader of this process sees them. Throws DiskError: then any part of it may have been written. */
  write(parts: readonly Uint8Array[], at: number): void
  /** Reads into all of `into`, from offset `at`; how many bytes there were. Throws DiskError. */
  read(into: Uint8Array, at: number): number
  /** The same, later; `done` is never called within the call. */
  readLater(into: Uint8Array, at: number, done: (error: DiskError | undefined, count: number) => void): void
  /** Syncs what has been written before the call. At most one sync of a file may be under way. After an error the file must not be used again. */
  sync(done: (error: DiskError | undefined) => void): void
  /** What is under way ends by itself. Closing twice is closing once. */
  close(): void
}

/** `full`: there is no space; `broken`: anything else. */
export type DiskErrorKind = 'full' | 'broken'

export class DiskError extends Error {
  readonly code = 'DATA_DISK'
  readonly kind: DiskErrorKind

  constructor(kind: DiskErrorKind, message: string) {
    super(message)
    this.name = 'DiskError'
    this.kind = kind
  }
}
