/**
 * One sync at a time, of everything that has been written until it begins: the names first, then each file in the order in which it was written to. So what is
 * told as synced is whole, whichever files it lies in.
 *
 *     written   A A A B B │ B B C          begin: names, A, B ······ done          and again: B, C
 */
import type { Disk, DiskError } from '../../ports/disk.js'
import type { Segment } from './segment.js'

export class GroupSync {
  readonly #disk: Disk
  #dirty: Segment[] = []
  /** Files have been made or renamed. */
  areNamesDirty = false
  #underWay: object | undefined

  constructor(disk: Disk) {
    this.#disk = disk
  }

  get isUnderWay(): boolean {
    return this.#underWay !== undefined
  }

  /** Something has been written to this segment. */
  wrote(segment: Segment): void {
    if (segment.isDirty) return
    segment.isDirty = true
    this.#dirty.push(segment)
  }

  /** None may be under way. `done` is told once, unless it is forgotten. */
  begin(done: (error: DiskError | undefined) => void): void {
    const files = this.#dirty
    this.#dirty = []
    for (const segment of files) segment.isDirty = false
    let areNamesDirty = this.areNamesDirty
    this.areNamesDirty = false
    const own = {}
    this.#underWay = own
    let index = 0
    const step = (error: DiskError | undefined): void => {
      if (this.#underWay !== own) return
      if (error === undefined && areNamesDirty) {
        areNamesDirty = false
        this.#disk.syncNames(step)
      } else if (error === undefined && index < files.length) {
        this.#syncFile(files[index++], step)
      } else {
        this.#underWay = undefined
        done(error)
      }
    }
    step(undefined)
  }

  /** What is under way is nobody's concern any more, and what is not synced is not there. */
  forget(): void {
    this.#underWay = undefined
    for (const segment of this.#dirty) segment.isDirty = false
    this.#dirty = []
  }

  #syncFile(segment: Segment, done: (error: DiskError | undefined) => void): void {
    try {
      segment.file.sync(done)
    } catch (error) {
      done(error as DiskError)
    }
  }
}
