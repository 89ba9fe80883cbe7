/**
 * Files that will be segments: their space has been written once, so that a sync has only the bytes to bring to the disk and nothing to note about
 * the file. That halves the time of a small sync.
 *
 *     dropped segment ──▶ spare ──▶ segment          recycled: old blocks stand in it, which their numbers give away
 *     nothing ──▶ zeros, a step at a time ──▶ spare  prefilled, when the log will soon need one
 *
 * A log works without: a segment then grows as it is written. So whatever fails here only means that there is no spare.
 */
import type { Disk, DiskFile } from '../../ports/disk.js'
import { blockHeaderSize } from './block.js'
import { spareName, spareOfName } from './names.js'

const stepSize = 1 << 20
/** A spare is synced as it is filled, so that the syncs of the log do not wait long for the disk. */
const stepsPerSync = 4

export interface SpareOptions {
  readonly disk: Disk
  readonly later: (ms: number, run: () => void) => void
  readonly segmentSize: number
  /** So many are kept. */
  readonly countMax: number
}

export class Spares {
  readonly #disk: Disk
  readonly #later: (ms: number, run: () => void) => void
  readonly #segmentSize: number
  readonly #countMax: number
  readonly #ready: string[] = []
  #nextNumber = 1
  #isMaking = false
  /** One has been recycled while another is being made: that one is given up at its next step. */
  #isNeedless = false
  /** There is too little space: nobody looks again before the next segment. */
  #isRefused = false
  #isStopped = false
  #zeros: Uint8Array | undefined
  /** Bytes of all of them. */
  size = 0

  constructor({ disk, later, segmentSize, countMax }: SpareOptions) {
    this.#disk = disk
    this.#later = later
    this.#segmentSize = segmentSize
    this.#countMax = countMax
  }

  get isWanted(): boolean {
    return this.#ready.length < this.#countMax && !this.#isMaking
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Those from before; what is not as large as a segment goes. */
  find(): void {
    for (const name of this.#disk.list()) {
      const number = spareOfName(name)
      if (number === undefined) continue
      this.#nextNumber = Math.max(this.#nextNumber, number + 1)
      const file = this.#disk.open(name)
      const { size } = file
      file.close()
      if (size === this.#segmentSize && this.isWanted) this.#add(name, size)
      else this.#disk.remove(name)
    }
  }

  /** A spare becomes the file with this name. False: there is none. Throws DiskError. */
  take(name: string): boolean {
    this.#isRefused = false
    const spare = this.#ready.shift()
    if (spare === undefined) return false
    this.size -= this.#segmentSize
    this.#disk.rename(spare, name)
    return true
  }

  /**
   * Takes the file of a segment that is not needed any more, or removes it; always so while somebody else reads the files. Throws DiskError. Better this one
   * than one that is being made: removing it and writing as many zeros would each take longer.
   */
  recycle(name: string, size: number): void {
    const missingSize = this.#segmentSize - size
    const isFit = missingSize >= 0 && missingSize <= Math.min(2 * stepSize, this.#segmentSize >> 2)
    if (!isFit || this.#ready.length >= this.#countMax || this.#disk.hasReaders?.() === true) {
      this.#disk.remove(name)
      return
    }
    this.#isNeedless = this.#isMaking
    const spare = spareName(this.#nextNumber++)
    this.#disk.rename(name, spare)
    const file = this.#disk.open(spare)
    try {
      file.write([new Uint8Array(blockHeaderSize)], 0)
      if (missingSize > 0) file.write([new Uint8Array(missingSize)], size)
    } finally {
      file.close()
    }
    this.#add(spare, this.#segmentSize)
  }

  /** Makes one out of nothing, in the background, if one is wanted and there is much space. */
  make(): void {
    if (!this.isWanted || this.#isRefused) return
    if (this.#free() < 4 * this.#segmentSize) {
      this.#isRefused = true
      return
    }
    this.#isMaking = true
    const name = spareName(this.#nextNumber++)
    this.#later(0, () => this.#begin(name))
  }

  #free(): number {
    try {
      return this.#disk.space().free
    } catch {
      return 0
    }
  }

  #begin(name: string): void {
    if (this.#isStopped) return
    if (this.#isNeedless) {
      this.#end()
      return
    }
    let file: DiskFile
    try {
      file = this.#disk.open(name)
    } catch {
      this.#end()
      return
    }
    this.#zeros = new Uint8Array(Math.min(stepSize, this.#segmentSize))
    this.#fill(name, file, 0)
  }

  #fill(name: string, file: DiskFile, at: number): void {
    if (this.#isNeedless) {
      this.#giveUp(name, file)
      return
    }
    const size = Math.min(this.#zeros!.length, this.#segmentSize - at)
    try {
      file.write([this.#zeros!.subarray(0, size)], at)
    } catch {
      this.#giveUp(name, file)
      return
    }
    this.size += size
    const end = at + size
    const isFull = end === this.#segmentSize
    if (!isFull && (end / stepSize) % stepsPerSync !== 0) {
      this.#later(1, () => {
        if (this.#isStopped) file.close()
        else this.#fill(name, file, end)
      })
      return
    }
    file.sync((error) => {
      if (this.#isStopped) file.close()
      else if (error !== undefined || this.#isNeedless) this.#giveUp(name, file)
      else if (isFull) this.#finish(name, file)
      else this.#fill(name, file, end)
    })
  }

  #finish(name: string, file: DiskFile): void {
    file.close()
    this.#end()
    this.#ready.push(name)
  }

  #end(): void {
    this.#zeros = undefined
    this.#isMaking = false
    this.#isNeedless = false
  }

  #giveUp(name: string, file: DiskFile): void {
    this.size -= file.size
    file.close()
    this.#end()
    try {
      this.#disk.remove(name)
    } catch {
      // It stays until the next start.
    }
  }

  #add(name: string, size: number): void {
    this.#ready.push(name)
    this.size += size
  }
}
