/**
 * What a disk may have after a power cut behind event `at` of a recording. What was synced it has; of everything else any part may be missing.
 *
 *     all       the process was killed: everything is there          none      only what was synced
 *     one less  all but one write                                    some      any of the writes: reordered
 *     torn      pieces of 512 bytes or 4 KiB of each write are there or not; what is not may be rubbish, where nothing but zeros was before
 *
 * A piece is there as a whole or not at all; so one that holds something synced holds it for ever, whatever is written beside it. Names that are made,
 * renamed and removed arrive in order, up to any of them.
 */
import { randomFillSync } from 'node:crypto'

export const stateKinds = ['all', 'none', 'one less', 'some', 'torn 512', 'torn 4096', 'rubbish 512']
const rubbish = randomFillSync(Buffer.alloc(4096))

/** Goes through a recording; `events` is not changed. */
export class CrashStates {
  #events
  /** Bytes that a file had in the end. */
  #sizes = new Map()
  /** By number of the event at which a sync began: the one at which it ended. */
  #ends = new Map()

  constructor(events) {
    this.#events = events
    for (const [index, { kind, begun, file, at, bytes }] of events.entries()) {
      if (kind === 'write') this.#sizes.set(file, Math.max(this.#sizes.get(file) ?? 0, at + bytes.length))
      if (kind === 'syncEnded' || kind === 'namesEnded') this.#ends.set(begun, index)
    }
  }

  get count() {
    return this.#events.length
  }

  /** Whether names change at this event, or are synced. */
  isName(at) {
    return ['make', 'rename', 'remove', 'namesBegun', 'namesEnded'].includes(this.#events[at].kind)
  }

  /** The files, by name, when the first `count` events have happened and then the power went. */
  build(count, kind, random) {
    const { synced, namesSynced } = this.#syncedBefore(count)
    const contents = new Map()
    const pending = []
    const names = []
    for (let index = 0; index < count; index++) {
      const event = this.#events[index]
      if (event.kind === 'write') {
        const content = this.#contentOf(contents, event.file)
        if (index < (synced.get(event.file) ?? 0)) content.write(event.bytes, event.at)
        else pending.push(event)
      } else if (event.kind === 'make' || event.kind === 'rename' || event.kind === 'remove') names.push({ ...event, index })
    }
    this.#lose(contents, pending, kind, random)
    const unsynced = names.filter(({ index }) => index >= namesSynced).length
    const arrived = kind === 'all' ? unsynced : kind === 'none' ? 0 : random.whole(0, unsynced)
    return this.#filesOf(names.slice(0, names.length - unsynced + arrived), contents)
  }

  /** Up to which event each file is synced, and the names. */
  #syncedBefore(count) {
    const synced = new Map()
    let namesSynced = 0
    for (let index = 0; index < count; index++) {
      const { kind, file } = this.#events[index]
      if ((this.#ends.get(index) ?? Infinity) >= count) continue
      if (kind === 'syncBegun') synced.set(file, index)
      else if (kind === 'namesBegun') namesSynced = index
    }
    return { synced, namesSynced }
  }

  #lose(contents, pending, kind, random) {
    if (kind === 'none') return
    const left = kind === 'one less' && pending.length > 0 ? random.pick(pending) : undefined
    const likelihood = random.pick([0.2, 0.5, 0.9])
    const wanted = pending.filter((event) => event !== left && (kind !== 'some' || random.chance(likelihood)))
    const [word, size] = kind.split(' ')
    for (const { file, at, bytes } of wanted) {
      const content = this.#contentOf(contents, file)
      if (word === 'torn' || word === 'rubbish') content.writeTorn(bytes, at, Number(size), random, likelihood, word === 'rubbish')
      else content.write(bytes, at)
    }
  }

  #contentOf(contents, file) {
    let content = contents.get(file)
    if (content === undefined) {
      content = new State(this.#sizes.get(file) ?? 0)
      contents.set(file, content)
    }
    return content
  }

  #filesOf(names, contents) {
    const files = new Map()
    for (const { kind, name, to, file } of names) {
      if (kind === 'make') files.set(name, file)
      else if (kind === 'remove') files.delete(name)
      else {
        files.set(to, files.get(name))
        files.delete(name)
      }
    }
    const bytesOf = (file) => {
      const { bytes, size } = this.#contentOf(contents, file)
      return bytes.subarray(0, size)
    }
    return new Map([...files].map(([name, file]) => [name, bytesOf(file)]))
  }
}

/** Bytes that are there, and how far; never more than there is room for. */
class State {
  bytes
  size = 0

  constructor(room) {
    this.bytes = Buffer.alloc(room)
  }

  write(bytes, at) {
    bytes.copy(this.bytes, at)
    this.size = Math.max(this.size, at + bytes.length)
  }

  writeTorn(bytes, at, pieceSize, random, likelihood, isRubbish) {
    const end = at + bytes.length
    for (let from = at; from < end; ) {
      const to = Math.min(end, (Math.floor(from / pieceSize) + 1) * pieceSize)
      if (random.chance(likelihood)) this.write(bytes.subarray(from - at, to - at), from)
      else if (isRubbish && random.chance(0.5) && this.#isBlank(from, to, pieceSize)) this.write(rubbish.subarray(0, to - from), from)
      from = to
    }
  }

  /** Whether the piece that these bytes are in has been nothing but zeros. */
  #isBlank(from, to, pieceSize) {
    const start = Math.floor(from / pieceSize) * pieceSize
    return this.bytes.subarray(start, Math.min(this.size, Math.max(to, start + pieceSize))).every((byte) => byte === 0)
  }
}
