/**
 * A disk from a seed: the port `Disk` in memory, on virtual time.
 *
 *     process ── write ─▶ seen at once ── sync, later ─▶ kept          `cut`: the power goes, and only what is kept is sure
 *                                                                      `kill`: the process ends, and everything that was seen is
 *
 * After a power cut what was not synced may be there or not, sector by sector and in any order, whole or damaged; so may names. A disk serves one
 * process: with its end nothing of it happens any more, and the next process gets another disk with the same files.
 *
 * What goes wrong on demand: syncs that fail, writes that fail or are short, space that runs out, syncs that take long, bits that turn.
 */
import { type Disk, DiskError, type DiskErrorKind, type DiskFile } from '../ports/disk.js'
import { type CutReport, type CutWeights, Inode } from './disk/inode.js'
import { Names } from './disk/names.js'
import type { Random } from './random.js'
import type { Tally } from './tally.js'

export interface SimDiskOptions {
  readonly random: Random
  /** Something of the process that happens so many milliseconds from now, if the process still lives then. */
  readonly later: (ms: number, run: () => void) => void
  readonly tally?: Tally
  /** A sync or a write has failed, and is about to be told. */
  readonly failed?: () => void
  /** A sync begins. */
  readonly syncing?: () => void
  /** Somebody is told that there is so little room. */
  readonly room?: (free: number) => void
  /** Milliseconds of the process's time. */
  readonly now?: () => number
  /** Bytes of the whole disk. Default 1 GiB. */
  readonly capacity?: number
  /** A sync takes from `least` to `most` milliseconds. Default 0.05 to 5. */
  readonly syncMs?: { readonly least: number; readonly most: number }
  /** And a millisecond more for so many bytes that it is for. Default: any number. */
  readonly bytesPerMs?: number
}

/** The process ends in the middle of what it does. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded'
}

interface Pending {
  readonly kind: DiskErrorKind
  count: number
  readonly hit: () => void
}

const nothing = (): void => undefined

export class SimDisk implements Disk {
  capacity: number
  syncMs: { readonly least: number; readonly most: number }
  readonly #options: SimDiskOptions
  readonly #random: Random
  readonly #names: Names
  readonly #tally: Tally | undefined
  #isDead = false
  #failingSyncs = 0
  #syncHit = nothing
  #failingWrites: Pending | undefined
  #syncCount = 0
  #syncingSince = 0
  #syncedMs = 0
  /** Operations until the process ends. */
  #operationsLeft = Infinity
  #ends: () => void = () => undefined

  constructor(options: SimDiskOptions, names = new Names()) {
    this.#options = options
    this.#random = options.random
    this.#tally = options.tally
    this.#names = names
    this.capacity = options.capacity ?? 2 ** 30
    this.syncMs = options.syncMs ?? { least: 0.05, most: 5 }
  }

  // ─── the port ───────────────────────────────────────────────────────────

  list(): string[] {
    this.#alive()
    return [...this.#names.seen.keys()].sort()
  }

  open(name: string): DiskFile {
    this.#alive()
    let inode = this.#names.seen.get(name)
    if (inode === undefined) {
      this.#operate()
      inode = new Inode()
      this.#names.change({ op: 'make', name, inode })
    }
    return new SimFile(name, inode, this)
  }

  rename(from: string, to: string): void {
    this.#operate()
    if (!this.#names.seen.has(from)) throw new DiskError('broken', `rename ${from} to ${to}: there is no such file`)
    this.#names.change({ op: 'rename', from, to })
  }

  remove(name: string): void {
    this.#operate()
    if (!this.#names.seen.has(name)) throw new DiskError('broken', `remove ${name}: there is no such file`)
    this.#names.change({ op: 'remove', name })
  }

  syncNames(done: (error: DiskError | undefined) => void): void {
    this.#operate()
    const { count } = this.#names
    this.#syncs(
      () => this.#names.synced(count),
      () => undefined,
      done,
    )
  }

  space(): { readonly free: number; readonly total: number } {
    const free = Math.max(0, this.capacity - this.usedSize)
    this.#options.room?.(free)
    return { free, total: this.capacity }
  }

  // ─── what can go wrong ──────────────────────────────────────────────────

  /** The next syncs fail; Infinity: all of them. `hit`: one has. */
  failSyncs(count: number, hit = nothing): void {
    this.#failingSyncs = count
    this.#syncHit = hit
  }

  /** The next writes fail, each having written a part. `hit`: one has. */
  failWrites(kind: DiskErrorKind, count: number, hit = nothing): void {
    this.#failingWrites = { kind, count, hit }
  }

  /** What was still to fail does not, and nobody's end is near. */
  heal(): void {
    this.#failingSyncs = 0
    this.#failingWrites = undefined
    this.#operationsLeft = Infinity
  }

  /** A bit that has been synced turns, somewhere in a file whose name is wanted. Where: file and offset; undefined: there is nothing. */
  rot(random: Random, isWanted: (name: string) => boolean = () => true): { readonly name: string; readonly offset: number } | undefined {
    const files = [...this.#names.seen].filter(([name, { keptSize }]) => keptSize > 0 && isWanted(name))
    for (let tries = 0; files.length > 0 && tries < 20; tries++) {
      const [name, inode] = random.pick(files)
      const offset = random.below(inode.keptSize)
      // Most of a prefilled file is nothing.
      if (inode.bytes[offset] === 0 && tries < 15) continue
      if (inode.rot(offset, random.below(8))) return { name, offset }
    }
    return undefined
  }

  /** Turns one bit of one byte. False: the disk does not have it for sure. */
  flip(name: string, offset: number, bit = 0): boolean {
    return this.#names.seen.get(name)?.rot(offset, bit) ?? false
  }

  /** Whether it goes on until somebody heals it. */
  get isFailing(): boolean {
    return this.#failingSyncs === Infinity || this.#failingWrites?.count === Infinity
  }

  /** Time in which something was being synced. */
  get syncingMs(): number {
    return this.#syncedMs + (this.#syncCount > 0 ? this.#now - this.#syncingSince : 0)
  }

  get usedSize(): number {
    let used = 0
    for (const { size } of this.#names.seen.values()) used += size
    return used
  }

  /** What a file holds now. */
  bytes(name: string): Buffer {
    return this.#names.seen.get(name)!.bytes
  }

  // ─── the end of the process ─────────────────────────────────────────────

  /** The process ends in the middle of the operation that comes behind so many others. Told as it does; then the operation throws ProcessEnded. */
  endIn(operations: number, ends: () => void): void {
    this.#operationsLeft = operations
    this.#ends = ends
  }

  /** Nothing of this process happens any more. */
  abandon(): void {
    this.#isDead = true
  }

  /** The same files for somebody else, as they are now. */
  copy(options: Partial<SimDiskOptions> = {}): SimDisk {
    return new SimDisk({ ...this.#options, ...options }, this.#names.copy())
  }

  /** The process is killed: the disk of the next one. */
  kill(options: Partial<SimDiskOptions> = {}): SimDisk {
    this.abandon()
    for (const inode of this.#names.all()) inode.orphan()
    return this.#next(options)
  }

  /** The power goes: the disk of the next process. */
  cut(weights: CutWeights = { old: 1, new: 1, damaged: 4 }, options: Partial<SimDiskOptions> = {}): SimDisk {
    this.abandon()
    const report: CutReport = { old: 0, new: 0, damaged: 0, reordered: 0, short: 0 }
    const lostNames = this.#names.cut(this.#random)
    for (const inode of this.#names.all()) inode.cut(this.#random, weights, report)
    this.#count('disk lost sectors', report.old)
    this.#count('disk torn sectors', report.damaged)
    this.#count('disk reordered sectors', report.reordered)
    this.#count('disk short files', report.short)
    this.#count('disk lost names', lostNames)
    return this.#next(options)
  }

  // ─── for files ──────────────────────────────────────────────────────────

  alive(): void {
    this.#alive()
  }

  write(name: string, inode: Inode, parts: readonly Uint8Array[], at: number): void {
    this.#operate(() => {
      const bytes = Buffer.concat(parts)
      inode.write(bytes.subarray(0, this.#random.below(bytes.length + 1)), at)
    })
    let offset = at
    let room = this.#roomFor(inode)
    let failure: DiskErrorKind | undefined
    if (this.#failingWrites !== undefined) {
      failure = this.#failingWrites.kind
      this.#failingWrites.hit()
      if (--this.#failingWrites.count <= 0) this.#failingWrites = undefined
      const size = parts.reduce((sum, { length }) => sum + length, 0)
      room = Math.min(room, at + this.#random.below(size + 1))
    }
    for (const part of parts) {
      const size = Math.max(0, Math.min(part.length, room - offset))
      inode.write(part.subarray(0, size), offset)
      offset += size
      if (size === part.length) continue
      this.#failWrite(name, failure)
    }
    if (failure !== undefined) this.#failWrite(name, failure)
  }

  #failWrite(name: string, failure: DiskErrorKind | undefined): never {
    this.#count(failure === undefined ? 'disk full' : `disk write failed ${failure}`)
    if (failure === undefined) this.#options.room?.(0)
    this.#options.failed?.()
    throw new DiskError(failure ?? 'full', `write ${name}: ${failure === 'broken' ? 'EIO' : 'ENOSPC'}`)
  }

  sync(inode: Inode, done: (error: DiskError | undefined) => void): void {
    this.#operate()
    const size = inode.beginSync()
    this.#syncs(
      () => inode.endSync(),
      () => inode.failSync(),
      done,
      size,
    )
  }

  later(least: number, most: number, run: () => void): void {
    const ms = least + this.#random.next() ** 4 * (most - least)
    this.#options.later(ms, () => {
      if (!this.#isDead) run()
    })
  }

  #syncs(arrive: () => void, lose: () => void, done: (error: DiskError | undefined) => void, size = 0): void {
    const fails = this.#failingSyncs > 0
    const hit = this.#syncHit
    if (fails) this.#failingSyncs--
    this.#options.syncing?.()
    const { bytesPerMs = Infinity } = this.#options
    const extraMs = size / bytesPerMs
    if (this.#syncCount++ === 0) this.#syncingSince = this.#now
    this.later(this.syncMs.least + extraMs, this.syncMs.most + extraMs, () => {
      if (--this.#syncCount === 0) this.#syncedMs += this.#now - this.#syncingSince
      if (fails) {
        lose()
        this.#count('disk sync failed')
        hit()
        this.#options.failed?.()
        done(new DiskError('broken', 'sync: EIO'))
        return
      }
      arrive()
      done(undefined)
    })
  }

  get #now(): number {
    return this.#options.now?.() ?? 0
  }

  /** The offset that a file can grow to. */
  #roomFor(inode: Inode): number {
    return inode.size + Math.max(0, this.capacity - this.usedSize)
  }

  #next(options: Partial<SimDiskOptions>): SimDisk {
    const { capacity, syncMs } = this
    return new SimDisk({ ...this.#options, capacity, syncMs, ...options }, this.#names)
  }

  /** An operation that changes something; `partly`: what is done of it if the process ends here. */
  #operate(partly: () => void = () => undefined): void {
    this.#alive()
    if (--this.#operationsLeft >= 0) return
    partly()
    this.#ends()
    throw new ProcessEnded()
  }

  #alive(): void {
    if (this.#isDead) throw new DiskError('broken', 'the process that this disk served has ended')
  }

  #count(kind: string, by = 1): void {
    if (by > 0) this.#tally?.count(kind, by)
  }
}

class SimFile implements DiskFile {
  readonly name: string
  readonly #inode: Inode
  readonly #disk: SimDisk
  #isSyncing = false
  #isClosed = false

  constructor(name: string, inode: Inode, disk: SimDisk) {
    this.name = name
    this.#inode = inode
    this.#disk = disk
  }

  get size(): number {
    return this.#inode.size
  }

  write(parts: readonly Uint8Array[], at: number): void {
    this.#usable()
    this.#disk.write(this.name, this.#inode, parts, at)
  }

  read(into: Uint8Array, at: number): number {
    this.#usable()
    this.#disk.alive()
    const { bytes } = this.#inode
    const count = Math.max(0, Math.min(into.length, bytes.length - at))
    into.set(bytes.subarray(at, at + count))
    return count
  }

  readLater(into: Uint8Array, at: number, done: (error: DiskError | undefined, count: number) => void): void {
    this.#usable()
    this.#disk.later(0.01, 2, () => {
      const { bytes } = this.#inode
      const count = Math.max(0, Math.min(into.length, bytes.length - at))
      into.set(bytes.subarray(at, at + count))
      done(undefined, count)
    })
  }

  sync(done: (error: DiskError | undefined) => void): void {
    this.#usable()
    if (this.#isSyncing) throw new Error(`${this.name}: a second sync while one is under way`)
    this.#isSyncing = true
    this.#disk.sync(this.#inode, (error) => {
      this.#isSyncing = false
      done(error)
    })
  }

  close(): void {
    this.#isClosed = true
  }

  #usable(): void {
    if (this.#isClosed) throw new Error(`${this.name} is used after it was closed`)
  }
}

export type { CutWeights } from './disk/inode.js'
