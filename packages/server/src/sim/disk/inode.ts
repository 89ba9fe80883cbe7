/**
 * What is in one file, twice: as every reader of the process sees it, and as the disk has it.
 *
 *     seen     │ synced │ synced │ new    │ new    │ ···             a sector is 512 bytes
 *     kept     │ synced │ synced │ old    │        │
 *     state                        dirty    dirty
 *
 * A sector reaches the disk whole or not at all; one that was being written when the power went may hold anything where old and new differ. Where
 * they are the same it holds just that: bytes that were synced are never harmed by newer ones behind them in their sector.
 */
import type { Random } from '../random.js'

export const sectorSize = 512

const State = { dirty: 1, syncing: 2, lost: 4 } as const

/** What a power cut does to sectors that were not synced: so many stay old, so many become new, the rest is damaged. */
export interface CutWeights {
  readonly old: number
  readonly new: number
  readonly damaged: number
}

export interface CutReport {
  old: number
  new: number
  damaged: number
  /** A sector came through though one written before it in the file did not. */
  reordered: number
  /** The file ends before it did. */
  short: number
}

export class Inode {
  size = 0
  keptSize = 0
  #seen = Buffer.alloc(0)
  #kept = Buffer.alloc(0)
  #states = new Uint8Array(0)
  /** Sectors as they were when their sync began, if they have been written again since. */
  readonly #held = new Map<number, Buffer>()
  #syncingSize = 0
  /** Sectors below have nothing to sync; sectors from the end on neither. */
  #dirtyFrom = Infinity
  #dirtyTo = 0

  get bytes(): Buffer {
    return this.#seen.subarray(0, this.size)
  }

  /** As it is seen, and all of it synced. */
  copy(): Inode {
    const same = new Inode()
    same.write(this.bytes, 0)
    same.beginSync()
    same.endSync()
    return same
  }

  write(bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return
    const end = at + bytes.length
    this.#reserve(end)
    const from = Math.floor(at / sectorSize)
    const to = Math.ceil(end / sectorSize)
    for (let sector = from; sector < to; sector++) {
      const state = this.#states[sector]!
      if ((state & (State.syncing | State.dirty)) === State.syncing) this.#held.set(sector, Buffer.from(sectorOf(this.#seen, sector)))
      this.#states[sector] = (state | State.dirty) & ~State.lost
    }
    this.#seen.set(bytes, at)
    this.size = Math.max(this.size, end)
    this.#dirtyFrom = Math.min(this.#dirtyFrom, from)
    this.#dirtyTo = Math.max(this.#dirtyTo, to)
  }

  /** What has been written until now is on its way to the disk. How many bytes that are. */
  beginSync(): number {
    let count = 0
    for (let sector = this.#dirtyFrom; sector < this.#dirtyTo; sector++) {
      if ((this.#states[sector]! & State.dirty) === 0) continue
      this.#states[sector] = State.syncing
      count++
    }
    this.#syncingSize = this.size
    return count * sectorSize
  }

  /** It has arrived. */
  endSync(): void {
    this.#eachSyncing((sector) => {
      const held = this.#held.get(sector)
      const source = held ?? sectorOf(this.#seen, sector)
      source.copy(this.#kept, sector * sectorSize)
      this.#states[sector]! &= ~State.syncing
    })
    this.keptSize = Math.max(this.keptSize, this.#syncingSize)
    this.#settle()
  }

  /** It has not, and nobody will try again: the sectors count as written, whether the disk has them or not. */
  failSync(): void {
    this.#eachSyncing((sector) => {
      const isDirty = (this.#states[sector]! & State.dirty) !== 0
      this.#states[sector] = isDirty ? State.dirty : State.lost
    })
    this.#settle()
  }

  /** The process has ended: what it wrote is still seen, but for what a failed sync has lost. */
  orphan(): void {
    this.#eachSyncing((sector) => {
      this.#states[sector] = State.dirty
    })
    this.#held.clear()
    for (let sector = 0; sector < this.#states.length; sector++) {
      if (this.#states[sector] !== State.lost) continue
      this.#states[sector] = 0
      sectorOf(this.#kept, sector).copy(this.#seen, sector * sectorSize)
    }
    this.#findDirty()
  }

  /** The power goes: what the disk has afterwards. */
  cut(random: Random, { old, new: fresh, damaged }: CutWeights, report: CutReport): void {
    let lastKept = 0
    let hasLost = false
    const all = old + fresh + damaged
    for (let sector = 0; sector < this.#states.length; sector++) {
      const state = this.#states[sector]!
      if (state === 0) continue
      const start = sector * sectorSize
      if (start >= this.size) break
      const draw = random.next() * all
      if (draw < old) {
        report.old++
        hasLost = true
        continue
      }
      lastKept = Math.min(this.size, start + sectorSize)
      const before = Buffer.from(sectorOf(this.#kept, sector))
      const held = this.#held.get(sector)
      const after = held !== undefined && random.chance(0.5) ? held : sectorOf(this.#seen, sector)
      after.copy(this.#kept, start)
      if (draw < old + fresh) {
        report.new++
        if (hasLost) report.reordered++
      } else {
        spoil(random, sectorOf(this.#kept, sector), before)
        report.damaged++
      }
    }
    const most = Math.max(this.keptSize, this.size)
    // How long a file is lies elsewhere than what is in it: either may have arrived without the other.
    const arrived = random.chance(0.3) ? random.between(0, lastKept) : lastKept
    const size = random.chance(0.1) ? most : Math.max(this.keptSize, arrived)
    if (size < most) report.short++
    this.#kept.copy(this.#seen)
    this.size = this.keptSize = size
    this.#seen.fill(0, size)
    this.#kept.fill(0, size)
    this.#states.fill(0)
    this.#held.clear()
    this.#settle()
  }

  /** One bit of what the disk has turns. Only where nothing is on its way. False: there it cannot. */
  rot(offset: number, bit: number): boolean {
    if (offset >= this.keptSize || this.#states[Math.floor(offset / sectorSize)] !== 0) return false
    this.#kept[offset]! ^= 1 << bit
    this.#seen[offset]! ^= 1 << bit
    return true
  }

  #eachSyncing(each: (sector: number) => void): void {
    for (let sector = this.#dirtyFrom; sector < this.#dirtyTo; sector++) {
      if ((this.#states[sector]! & State.syncing) !== 0) each(sector)
    }
  }

  #settle(): void {
    this.#held.clear()
    this.#findDirty()
  }

  #findDirty(): void {
    const from = this.#dirtyFrom
    const to = this.#dirtyTo
    this.#dirtyFrom = Infinity
    this.#dirtyTo = 0
    for (let sector = from; sector < to; sector++) {
      if ((this.#states[sector]! & (State.dirty | State.syncing)) === 0) continue
      if (this.#dirtyFrom === Infinity) this.#dirtyFrom = sector
      this.#dirtyTo = sector + 1
    }
  }

  #reserve(size: number): void {
    if (size <= this.#seen.length) return
    const capacity = Math.max(size, Math.min(this.#seen.length * 2, this.#seen.length + (1 << 20)))
    const whole = Math.ceil(capacity / sectorSize) * sectorSize
    const seen = Buffer.alloc(whole)
    const kept = Buffer.alloc(whole)
    const states = new Uint8Array(whole / sectorSize)
    this.#seen.copy(seen)
    this.#kept.copy(kept)
    states.set(this.#states)
    this.#seen = seen
    this.#kept = kept
    this.#states = states
  }
}

function sectorOf(bytes: Buffer, sector: number): Buffer {
  return bytes.subarray(sector * sectorSize, (sector + 1) * sectorSize)
}

/** Anything, from the first byte that differs from what was there to the last. */
function spoil(random: Random, sector: Buffer, before: Buffer): void {
  let first = 0
  while (first < sector.length && sector[first] === before[first]) first++
  let last = sector.length - 1
  while (last > first && sector[last] === before[last]) last--
  if (first === sector.length) return
  // A part that is old, a part that is new, or nonsense.
  const kind = random.below(3)
  if (kind === 0) before.copy(sector, first, first, random.between(first, last + 1))
  else if (kind === 1) {
    const from = random.between(first, last)
    before.copy(sector, from, from, last + 1)
  } else for (let i = first; i <= last; i++) sector[i] = random.below(256)
}
