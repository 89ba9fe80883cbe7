/**
 * A disk in memory that writes down everything that is done to it, so that it can be said afterwards what a real one may have had at any moment.
 *
 *     make │ write │ sync begins │ write │ sync ends │ rename │ …          events, numbered
 *
 * It is the port `Disk` of the server. A sync takes a while; what was written while it was under way is not synced by it. `endLife` is the end of the
 * process: nothing that it has begun ends any more.
 */
import { DiskError } from '../../packages/server/dist/ports/disk.js'

let lastFile = 0

export class RecordedDisk {
  /** By name: what is seen now. */
  files
  events
  #life = 0
  #delay

  /** `files`: a map of names to bytes, as a state has them; they are not copied. `delay`: milliseconds that the next sync takes; 0: a turn of the loop. */
  constructor({ files = new Map(), events = [], delay = () => 0 } = {}) {
    this.files = new Map([...files].map(([name, bytes]) => [name, new Content(bytes)]))
    this.events = events
    this.#delay = delay
  }

  endLife() {
    this.#life++
  }

  list() {
    return [...this.files.keys()].sort()
  }

  open(name) {
    let content = this.files.get(name)
    if (content === undefined) {
      content = new Content()
      this.files.set(name, content)
      this.events.push({ kind: 'make', name, file: content.id })
    }
    return new RecordedFile(name, content, this, this.#life)
  }

  rename(from, to) {
    const content = this.files.get(from)
    if (content === undefined) throw new DiskError('broken', `there is no ${from}`)
    this.files.delete(from)
    this.files.set(to, content)
    this.events.push({ kind: 'rename', name: from, to })
  }

  remove(name) {
    if (!this.files.delete(name)) throw new DiskError('broken', `there is no ${name}`)
    this.events.push({ kind: 'remove', name })
  }

  syncNames(done) {
    this.later({ kind: 'namesBegun' }, 'namesEnded', this.#life, done)
  }

  space() {
    return { free: 2 ** 40, total: 2 ** 40 }
  }

  /** Writes down that something has begun, and, if the process lives so long, that it has ended. */
  later(event, endKind, life, done) {
    const begun = this.events.push(event) - 1
    const end = () => {
      if (life !== this.#life) return
      this.events.push({ kind: endKind, begun })
      done(undefined)
    }
    const ms = this.#delay()
    if (ms === 0) setImmediate(end)
    else setTimeout(end, ms)
  }

  isAlive(life) {
    return life === this.#life
  }
}

/** What a file holds, under whatever name. */
class Content {
  id = ++lastFile
  bytes
  size

  constructor(bytes = Buffer.alloc(0)) {
    this.bytes = bytes
    this.size = bytes.length
  }

  write(bytes, at) {
    const end = at + bytes.length
    if (end > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.bytes.length * 2, 4096))
      this.bytes.copy(larger, 0, 0, this.size)
      this.bytes = larger
    }
    bytes.copy(this.bytes, at)
    if (end > this.size) this.size = end
  }

  read(into, at) {
    const count = Math.max(0, Math.min(into.length, this.size - at))
    into.set(this.bytes.subarray(at, at + count))
    return count
  }
}

class RecordedFile {
  name
  #content
  #disk
  #life

  constructor(name, content, disk, life) {
    this.name = name
    this.#content = content
    this.#disk = disk
    this.#life = life
  }

  get size() {
    return this.#content.size
  }

  write(parts, at) {
    if (!this.#disk.isAlive(this.#life)) throw new DiskError('broken', 'the process has ended')
    const bytes = Buffer.concat(parts)
    this.#content.write(bytes, at)
    this.#disk.events.push({ kind: 'write', file: this.#content.id, at, bytes })
  }

  read(into, at) {
    return this.#content.read(into, at)
  }

  readLater(into, at, done) {
    setImmediate(() => {
      if (this.#disk.isAlive(this.#life)) done(undefined, this.#content.read(into, at))
    })
  }

  sync(done) {
    this.#disk.later({ kind: 'syncBegun', file: this.#content.id }, 'syncEnded', this.#life, done)
  }

  close() {}
}
