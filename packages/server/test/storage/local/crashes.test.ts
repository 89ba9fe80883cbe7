/**
 * Lives of a log on a disk that lies as much as it may: random appends, snapshots, drops, failing syncs, full disks; each life ends by a kill or a power cut, or
 * in the middle of opening. After each, what was synced has to be there, in order and whole; behind it what was appended may be there up to
 * somewhere; nothing else may, and nothing is called damaged.
 */
import assert from 'node:assert'
import t from 'tap'
import type { Log } from '../../../dist/ports/log.js'
import { SimDisk } from '../../../dist/sim/disk.js'
import { Random as DiskRandom } from '../../../dist/sim/random.js'
import { openLocalLog } from '../../../dist/storage/local/index.js'
import { forSeeds, type Random } from '../../seeds.js'
import { PaperTime } from './paper-time.js'

const KiB = 1024
const seedCount = 120
const livesPerSeed = 8
/** Of all lives: failures that the log has told, and ends by a power cut. Were they fewer, the test would say less than its name. */
const failedLeast = 200
const cutLeast = 500

class Lives {
  readonly #random: Random
  readonly #time = new PaperTime()
  #disk: SimDisk
  #next = 1
  /** What the log may hold: a list that must be there, and what may follow it up to somewhere. Several are possible after a failure. */
  #possible: { readonly sure: readonly number[]; readonly open: number[] }[] = [{ sure: [], open: [] }]
  #log!: Log
  /** Of this life: what was appended, in order, with its position. */
  #appended: { readonly id: number; readonly position: number }[] = []
  #identity: string | undefined
  #epoch = 0
  failedCount = 0
  cutCount = 0

  constructor(random: Random, seed: number) {
    this.#random = random
    this.#disk = new SimDisk({
      random: DiskRandom.of(seed, 'disk'),
      later: this.#time.later,
      capacity: 16 << 20,
      syncMs: { least: 0.1, most: 8 },
    })
  }

  async live(): Promise<void> {
    if (!(await this.#open())) return
    const steps = this.#random.below(60)
    for (let i = 0; i < steps; i++) await this.#step()
    this.#noteSynced()
    this.#end()
  }

  async #open(): Promise<boolean> {
    const opening = openLocalLog(this.#disk, {
      clock: { wall: () => this.#time.now },
      entropy: { name: (size) => 'abcdefghij'.slice(0, size) },
      later: this.#time.later,
      wake: () => undefined,
      segmentSize: 64 * KiB,
    })
    opening.catch(() => undefined)
    if (this.#random.chance(0.1)) {
      this.#time.pass(this.#random.below(6))
      this.#end()
      return false
    }
    this.#log = await this.#time.wait(opening)
    assert(this.#identity === undefined || this.#log.identity === this.#identity, 'the name stays')
    this.#identity = this.#log.identity
    assert(this.#log.epoch > this.#epoch, 'the epoch rises')
    this.#epoch = this.#log.epoch
    await this.#check()
    return true
  }

  /** What is found has to be possible. */
  async #check(): Promise<void> {
    const log = this.#log
    const snapshot = await log.loadSnapshot()
    const found: number[] = snapshot === undefined ? [] : JSON.parse(Buffer.from(snapshot.parts[0]).toString())
    const positions = new Map<number, number>()
    const replay = await log.replay(snapshot?.through ?? 0, (position, bytes) => {
      const id = Buffer.from(bytes).readUInt32BE()
      assert(Buffer.from(bytes).equals(contentOf(id)), `block ${id} is what was appended`)
      positions.set(id, position)
      found.push(id)
    })
    assert.deepEqual(replay.damage, [], 'a crash is not damage')
    const fitting = this.#possible.filter(({ sure, open }) => {
      const whole = [...sure, ...open]
      return found.length >= sure.length && found.length <= whole.length && found.every((id, i) => id === whole[i])
    })
    assert(
      fitting.length > 0,
      `found ${tail(found)}, possible ${this.#possible.map(({ sure, open }) => `${tail(sure)} + ${open}`).join(' or ')}`,
    )
    this.#appended = []
    this.#possible = [{ sure: found, open: [] }]
    assert(log.progress().failed === undefined)
  }

  async #step(): Promise<void> {
    const random = this.#random
    const log = this.#log
    if (log.progress().failed !== undefined) return this.#recover()
    const kind = random.below(20)
    if (kind < 11) this.#append(random.chance(0.7) ? 'sync' : 'lazy')
    else if (kind < 14) this.#time.pass(random.below(30))
    else if (kind < 15) this.#time.pass(random.below(400))
    else if (kind < 16) await this.#save()
    else if (kind < 17) this.#drop()
    else if (kind < 18) log.seal()
    else if (kind < 19) {
      const fault = random.below(6)
      if (fault === 0) this.#disk.failSyncs(1)
      else if (fault === 1) this.#disk.failWrites(random.chance(0.5) ? 'full' : 'broken', 1)
    } else await this.#read()
    this.#noteSynced()
  }

  #append(need: 'sync' | 'lazy'): void {
    const id = this.#next++
    const content = contentOf(id)
    const before = this.#log.progress().written
    const half = this.#random.below(content.length)
    const position = this.#log.append([content.subarray(0, half), content.subarray(half)], need)
    // A write that failed may have reached the disk; so may one that did not.
    for (const { open } of this.#possible.slice(-1)) open.push(id)
    if (position !== before) this.#appended.push({ id, position })
  }

  /** What is synced is sure, and only what this life wrote is possible. */
  #noteSynced(): void {
    const { synced } = this.#log.progress()
    const { sure, open } = this.#possible.at(-1)!
    let count = 0
    while (count < this.#appended.length && this.#appended[count].position <= synced) count++
    if (count === 0) return
    const done = this.#appended.splice(0, count)
    assert.deepEqual(
      open.slice(0, count),
      done.map(({ id }) => id),
    )
    this.#possible = [{ sure: [...sure, ...open.slice(0, count)], open: open.slice(count) }]
  }

  #recover(): void {
    this.failedCount++
    this.#noteSynced()
    this.#time.pass(this.#random.below(3))
    if (!this.#log.recover()) return
    const { sure } = this.#possible.at(-1)!
    this.#possible = [...this.#possible, { sure, open: [] }]
    this.#appended = []
  }

  async #save(): Promise<void> {
    const { written } = this.#log.progress()
    if (written === 0) return
    const { sure, open } = this.#possible.at(-1)!
    const content = [...sure, ...open]
    let result: Error | 'saved' | undefined
    this.#log.saveSnapshot({ through: written, parts: [Buffer.from(JSON.stringify(content))] }, (error) => {
      result = error ?? 'saved'
    })
    await this.#time.until(() => result !== undefined)
    if (result === 'saved') this.#snapshotThrough = written
  }

  #snapshotThrough = 0

  #drop(): void {
    const segments = this.#log.segments().filter(({ last }) => last <= this.#snapshotThrough)
    if (segments.length < 2 || this.#log.segments().length === segments.length) return
    this.#log.drop(this.#random.pick(segments).id)
  }

  async #read(): Promise<void> {
    const segments = this.#log.segments()
    if (segments.length === 0) return
    let isTold = false
    this.#log.read(this.#random.pick(segments).first, 10 * KiB, ({ blocks, damage }) => {
      assert.deepEqual(damage, [])
      for (const { bytes } of blocks) assert(Buffer.from(bytes).equals(contentOf(Buffer.from(bytes).readUInt32BE())))
      isTold = true
    })
    await this.#time.until(() => isTold)
  }

  #end(): void {
    this.#time.forget()
    this.#disk.failSyncs(0)
    if (this.#random.chance(0.3)) {
      this.#disk = this.#disk.kill()
    } else {
      this.cutCount++
      this.#disk = this.#disk.cut()
    }
  }
}

/** Bytes that follow from a number: few, or many. */
function contentOf(id: number): Buffer {
  const hash = Math.imul(id, 0x9e3779b1) >>> 0
  const size = hash % 40 === 0 ? 1_100 * KiB + (hash % 1_000) : hash % 7 === 0 ? 20 * KiB : 4 + (hash % 3_000)
  const content = Buffer.alloc(size, `${id} `)
  content.writeUInt32BE(id)
  return content
}

function tail(numbers: readonly number[]): string {
  return `… ${numbers.slice(-8)}`
}

t.test('local log - whatever a disk does to what was not synced, the log goes on with what was, and tells nothing else', async (t) => {
  let failedCount = 0
  let cutCount = 0
  await forSeeds(t, seedCount, async (random, seed) => {
    const lives = new Lives(random, seed)
    for (let life = 0; life < livesPerSeed; life++) await lives.live()
    failedCount += lives.failedCount
    cutCount += lives.cutCount
  })
  t.comment(`${failedCount} failures, ${cutCount} power cuts`)
  if (process.env.WAYBILL_SEED !== undefined) return
  t.ok(failedCount >= failedLeast, `${failedCount} failures`)
  t.ok(cutCount >= cutLeast, `${cutCount} power cuts`)
})
