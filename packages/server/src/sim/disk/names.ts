/**
 * The names of a directory, twice: as the process sees them, and as the disk has them, with the changes between, in order.
 *
 * When the power goes, changes that were not synced are there up to some point; now and then some are there and others are not.
 */
import type { Random } from '../random.js'
import type { Inode } from './inode.js'

export type NameChange =
  | { readonly op: 'make'; readonly name: string; readonly inode: Inode }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'remove'; readonly name: string }

export class Names {
  readonly seen = new Map<string, Inode>()
  readonly #kept = new Map<string, Inode>()
  readonly #pending: NameChange[] = []
  #syncedCount = 0

  /** Changes so far. */
  get count(): number {
    return this.#syncedCount + this.#pending.length
  }

  change(change: NameChange): void {
    apply(this.seen, change)
    this.#pending.push(change)
  }

  /** The first so many of all changes are kept. */
  synced(count: number): void {
    for (; this.#syncedCount < count; this.#syncedCount++) apply(this.#kept, this.#pending.shift()!)
  }

  /** Every file that has a name or had one when its names were last synced. */
  all(): ReadonlySet<Inode> {
    return new Set([...this.seen.values(), ...this.#kept.values()])
  }

  copy(): Names {
    const copies = new Map([...this.all()].map((inode) => [inode, inode.copy()]))
    const same = new Names()
    for (const [name, inode] of this.seen) same.seen.set(name, copies.get(inode)!)
    for (const [name, inode] of this.#kept) same.#kept.set(name, copies.get(inode)!)
    return same
  }

  /** The power goes. How many changes are lost. */
  cut(random: Random): number {
    const changes = this.#pending.splice(0)
    this.#syncedCount += changes.length
    const isInOrder = random.chance(0.7)
    const through = random.between(0, changes.length)
    let lost = 0
    for (const [i, change] of changes.entries()) {
      if (isInOrder ? i < through : random.chance(0.5)) apply(this.#kept, change)
      else lost++
    }
    this.seen.clear()
    for (const [name, inode] of this.#kept) this.seen.set(name, inode)
    return lost
  }
}

/** A change of what is not there changes nothing. */
function apply(names: Map<string, Inode>, change: NameChange): void {
  switch (change.op) {
    case 'make':
      names.set(change.name, change.inode)
      return
    case 'remove':
      names.delete(change.name)
      return
    case 'rename': {
      const inode = names.get(change.from)
      if (inode === undefined) return
      names.delete(change.from)
      names.set(change.to, inode)
    }
  }
}
