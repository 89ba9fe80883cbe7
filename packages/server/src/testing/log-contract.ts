/**
 * What every `Log` does, whatever it keeps its blocks in: one suite for all engines. It knows an engine by its *home*, the place that
 * outlives logs: a directory, a store, somebody else's service.
 *
 * The suite waits for `wake`, never for time.
 */
import type { Log, LogBlock, LogDamage, LogOptions, LogReading, LogReplay, Position } from '../ports/log.js'

/** What the suite needs of a test: those of `tap` have it. */
export interface ContractTest {
  ok(value: unknown, ...message: [] | [string]): unknown
  equal(found: unknown, wanted: unknown, ...message: [] | [string]): unknown
  strictSame(found: unknown, wanted: unknown, ...message: [] | [string]): unknown
}

export interface LogHome {
  /** Opens the log: the same one each time. Segments should hold about 1 MiB. */
  open(options: LogOptions): Promise<Log>
  /** Who opens a log that has an owner fences it, or is refused. `unguarded`: this home does not see to it, somebody else has to. */
  readonly owners: 'fenced' | 'refused' | 'unguarded'
  /** Turns a byte of the block at `position`, in a log that is closed or has been read from nowhere. Left out: there is no way to. */
  damage?(position: Position): void
  /** The power goes: what is not synced may be gone. The log that was open is dead. Left out: there is no way to. */
  cutPower?(): void
  /** The syncs from now on fail, until they are told not to. Left out: there is no way to. */
  failSyncs?(isFailing: boolean): void
  /** Takes away what the test has made. */
  remove(): Promise<void>
}

const KiB = 1024
const MiB = 1024 * KiB

/** Runs a test with a name: `(name, run) => t.test(name, run)`. */
export type ContractRunner = (name: string, run: (t: ContractTest) => Promise<void>) => unknown

/** Every test gets a home of its own. `name` is that of the engine, in front of the names of the tests. */
export function logContract(runner: ContractRunner, name: string, makeHome: () => LogHome): void {
  const test = (sentence: string, run: (t: ContractTest, home: LogHome) => Promise<void>): void => {
    runner(`${name} - ${sentence}`, async (t) => {
      const home = makeHome()
      try {
        await run(t, home)
      } finally {
        await home.remove()
      }
    })
  }

  test('a new log is empty, and has a name and an epoch', async (t, home) => {
    const owner = await openLog(home)
    t.ok(owner.log.identity.length > 0)
    t.ok(owner.log.epoch > 0)
    t.equal(await owner.log.loadSnapshot(), undefined)
    const { found, replay } = await owner.replay()
    t.strictSame([found, replay.blockCount, replay.damage, replay.torn], [[], 0, [], undefined])
    t.strictSame(owner.log.segments(), [])
    t.equal(owner.log.progress().failed, undefined)
    await owner.close()
  })

  test('what was appended is there when the log is opened again: in order, the parts joined', async (t, home) => {
    const first = await openLog(home)
    const appended = [first.append('one'), first.append('tw', 'o'), first.append(''), first.append('four')]
    t.ok(rises(appended), 'positions rise')
    await first.close()
    const second = await openLog(home)
    const { found, replay } = await second.replay()
    t.strictSame(
      found.map(({ text }) => text),
      ['one', 'two', '', 'four'],
    )
    t.strictSame(
      found.map(({ position }) => position),
      appended,
    )
    t.strictSame([replay.blockCount, replay.damage], [4, []])
    t.equal(second.log.identity, first.log.identity, 'it is the same log')
    t.ok(second.log.epoch > first.log.epoch, 'its owner is another')
    t.equal(second.log.progress().written, appended[3])
    t.equal(second.log.progress().synced, appended[3])
    t.ok(second.append('five') > appended[3], 'positions go on rising')
    await second.close()
  })

  test('only what is behind a position is replayed', async (t, home) => {
    const first = await openLog(home)
    const appended = ['a', 'b', 'c', 'd'].map((text) => first.append(text))
    await first.close()
    const second = await openLog(home)
    t.strictSame(
      (await second.replay(appended[1])).found.map(({ text }) => text),
      ['c', 'd'],
    )
    t.strictSame((await second.replay(appended[3])).found, [])
    await second.close()
  })

  test('an append is written at once, and synced a moment later, which is told', async (t, home) => {
    const owner = await openLog(home)
    const position = owner.append('soon')
    t.equal(owner.log.progress().written, position)
    t.ok(owner.log.progress().synced < position, 'not within the call')
    await owner.synced(position)
    t.equal(owner.log.progress().synced, position)
    await owner.close()
  })

  test('a lazy append is synced too, though nothing follows it', async (t, home) => {
    const owner = await openLog(home)
    const position = owner.log.append([bytes('later')], 'lazy')
    t.equal(owner.log.progress().written, position)
    await owner.synced(position)
    t.equal(owner.log.progress().synced, position)
    await owner.close()
  })

  test('many appends are synced by few syncs, in order', async (t, home) => {
    const owner = await openLog(home)
    const marks: Position[] = []
    owner.onWake = () => marks.push(owner.log.progress().synced)
    let last = 0
    for (let i = 0; i < 500; i++) last = owner.append(`block ${i}`)
    await owner.synced(last)
    t.ok(marks.length < 100, `${marks.length} times something was told`)
    t.ok(marks.every((mark, i) => i === 0 || mark >= marks[i - 1]))
    await owner.close()
  })

  test('the parts belong to the caller again after the call', async (t, home) => {
    const first = await openLog(home)
    const small = bytes('small part')
    const large = Buffer.alloc(300 * KiB, 7)
    first.log.append([small, large], 'sync')
    small.fill(0)
    large.fill(0)
    await first.close()
    const second = await openLog(home)
    const [{ content }] = (await second.replay()).found
    t.equal(content.toString('utf8', 0, 10), 'small part')
    t.ok(content.subarray(10).equals(Buffer.alloc(300 * KiB, 7)))
    await second.close()
  })

  test('an append of 16 MiB is one, to replay and to read, among small ones', async (t, home) => {
    const first = await openLog(home)
    const content = pattern(16 * MiB, 3)
    first.append('before')
    const position = first.log.append([content.subarray(0, 100), content.subarray(100, 5 * MiB), content.subarray(5 * MiB)], 'sync')
    first.append('behind')
    const { block, reading } = await first.readOne(position)
    t.ok(Buffer.from(block.bytes).equals(content))
    t.ok(reading.next !== undefined, 'the reading goes on behind it')
    await first.close()
    const second = await openLog(home)
    const { found } = await second.replay()
    t.strictSame(
      found.map(({ content }) => content.length),
      [6, 16 * MiB, 6],
    )
    t.ok(found[1].content.equals(content))
    await second.close()
  })

  test('sizes around the limits of a block come back as they were', async (t, home) => {
    const first = await openLog(home)
    const sizes = [0, 1, 7, 8, 9, 4_095, 4_096, MiB - 49, MiB - 48, MiB - 47, MiB, MiB + 1, 2 * MiB - 96, 2 * MiB - 95]
    for (const size of sizes) first.log.append([pattern(size, size)], 'lazy')
    const { blocks } = await first.readAll()
    t.strictSame(
      blocks.map(({ bytes }) => bytes.length),
      sizes,
    )
    await first.close()
    const second = await openLog(home)
    const { found } = await second.replay()
    t.ok(found.every(({ content }, i) => content.equals(pattern(sizes[i], sizes[i]))))
    await second.close()
  })

  test('reading goes on where it ended, through all segments', async (t, home) => {
    const owner = await openLog(home)
    const appended = Array.from({ length: 300 }, (_, i) => owner.log.append([pattern(11 * KiB + i, i)], 'lazy'))
    t.ok(owner.log.segments().length > 1, 'there are several segments')
    const { blocks, damage } = await owner.readAll(appended[50])
    t.strictSame(
      blocks.map(({ position }) => position),
      appended.slice(50),
    )
    t.ok(blocks.every(({ bytes }, i) => Buffer.from(bytes).equals(pattern(11 * KiB + 50 + i, 50 + i))))
    t.strictSame(damage, [])
    const kept = Buffer.from(blocks[0].bytes)
    owner.append('more')
    await owner.readAll()
    t.ok(kept.equals(Buffer.from(blocks[0].bytes)), 'what has been read stays as it is')
    await owner.close()
  })

  test('a reading is told later, also when there is nothing', async (t, home) => {
    const owner = await openLog(home)
    let isTold = false
    const told = new Promise<LogReading>((resolve) =>
      owner.log.read(0, KiB, (reading) => {
        isTold = true
        resolve(reading)
      }),
    )
    t.equal(isTold, false)
    t.strictSame(await told, { blocks: [], next: undefined, damage: [] })
    await owner.close()
  })

  test('the newest snapshot is loaded, with its parts, and says through where it goes', async (t, home) => {
    const first = await openLog(home)
    first.append('one')
    await first.save(first.append('two'), [bytes('old')])
    const through = first.append('three')
    await first.save(through, [bytes('new'), pattern(3 * MiB, 1), bytes('')])
    first.append('four')
    await first.close()
    const second = await openLog(home)
    const snapshot = (await second.log.loadSnapshot())!
    t.equal(snapshot.through, through)
    t.strictSame(
      snapshot.parts.map((part) => part.length),
      [3, 3 * MiB, 0],
    )
    t.ok(Buffer.from(snapshot.parts[1]).equals(pattern(3 * MiB, 1)))
    const { found, replay } = await second.replay(snapshot.through)
    t.strictSame(
      found.map(({ text }) => text),
      ['four'],
    )
    t.strictSame(replay.damage, [])
    await second.close()
  })

  test('a snapshot of something that is not synced is saved when it is', async (t, home) => {
    const owner = await openLog(home)
    const through = owner.log.append([bytes('lazy')], 'lazy')
    await owner.save(through, [bytes('it')])
    t.ok(owner.log.progress().synced >= through)
    await owner.close()
  })

  test('segments are sealed, listed, and dropped in any order; what was in them is not there any more', async (t, home) => {
    const first = await openLog(home)
    const appended: Position[] = []
    for (let i = 0; i < 5; i++) {
      appended.push(first.log.append([pattern(400 * KiB, i)], 'sync'))
      first.log.seal()
    }
    const through = first.append('last')
    const segments = first.log.segments()
    t.strictSame(
      segments.map(({ first }) => first),
      [...appended, through],
    )
    t.ok(rises(segments.map(({ id }) => id)))
    t.strictSame(
      segments.map(({ id }) => id),
      [...appended, through].map((position) => first.log.segmentOf(position)),
    )
    t.ok(segments.slice(0, 5).every(({ size, first, last }) => size >= 400 * KiB && first === last))
    await first.save(through, [bytes('all of it')])
    for (const index of [3, 0, 1]) first.log.drop(segments[index].id)
    t.strictSame(
      first.log.segments().map(({ first }) => first),
      [appended[2], appended[4], through],
    )
    t.strictSame(
      (await first.readAll(appended[0])).blocks.map(({ position }) => position),
      [appended[2], appended[4], through],
    )
    await first.close()

    const second = await openLog(home)
    const { found, replay } = await second.replay()
    t.strictSame(
      found.map(({ position }) => position),
      [appended[2], appended[4], through],
    )
    t.strictSame(replay.damage, [], 'what was dropped is not missed')
    t.strictSame(
      second.log.segments().map(({ first }) => first),
      [appended[2], appended[4], through],
    )
    await second.close()
  })

  test('segments that are dropped and then cut off from power stay dropped', async (t, home) => {
    const { cutPower } = home
    if (cutPower === undefined) {
      t.ok(true, 'this home cannot do that')
      return
    }
    const first = await openLog(home)
    const segments = Array.from({ length: 4 }, (_, i) => {
      const position = first.log.append([pattern(600 * KiB, i)], 'sync')
      first.log.seal()
      return first.log.segmentOf(position)
    })
    const through = first.append('last')
    await first.save(through, [])
    first.log.drop(segments[1])
    const behind = first.append('behind')
    await first.synced(behind)
    cutPower.call(home)
    const second = await openLog(home)
    const { found, replay } = await second.replay(through)
    t.strictSame([found.map(({ text }) => text), replay.damage], [['behind'], []])
    await second.close()
  })

  test('space is used by what is there, and given back by a drop', async (t, home) => {
    const owner = await openLog(home)
    const before = owner.log.space()
    t.ok(before.free > 0 && before.free <= before.total)
    for (let i = 0; i < 8; i++) {
      owner.log.append([pattern(900 * KiB, i)], 'sync')
      owner.log.seal()
    }
    const through = owner.append('last')
    const full = owner.log.space()
    t.ok(full.used - before.used >= 8 * 900 * KiB)
    await owner.save(through, [])
    for (const { id, first } of owner.log.segments()) if (first !== through) owner.log.drop(id)
    await owner.synced(owner.append('and this'))
    await owner.until(() => owner.log.space().used < full.used - 5 * 900 * KiB)
    t.ok(owner.log.space().used < full.used - 5 * 900 * KiB, 'a spare or two may stay')
    await owner.close()
  })

  test('a damaged block is a named result, and the others are read', async (t, home) => {
    const { damage } = home
    if (damage === undefined) {
      t.ok(true, 'this home cannot do that')
      return
    }
    const first = await openLog(home)
    const appended = Array.from({ length: 20 }, (_, i) => first.append(`block number ${i}`))
    await first.close()
    damage.call(home, appended[7])
    const second = await openLog(home)
    const { found, replay } = await second.replay()
    t.strictSame(
      found.map(({ position }) => position),
      appended.filter((position) => position !== appended[7]),
    )
    t.equal(replay.damage.length, 1)
    t.equal(replay.damage[0].segment, second.log.segmentOf(appended[7]))
    t.ok(replay.damage[0].where.length > 0 && replay.damage[0].message.length > 0, 'a person can look it up')
    const reading = await second.readAll()
    t.strictSame(
      reading.blocks.map(({ position }) => position),
      appended.filter((position) => position !== appended[7]),
    )
    t.ok(reading.damage.length > 0)
    t.equal(reading.damage[0].segment, second.log.segmentOf(appended[7]))
    await second.close()
  })

  test('a power cut takes what was not synced and nothing else, and leaves no half of it', async (t, home) => {
    const { cutPower } = home
    if (cutPower === undefined) {
      t.ok(true, 'this home cannot do that')
      return
    }
    let known: Position[] = []
    for (let life = 0; life < 12; life++) {
      const owner = await openLog(home)
      const { found, replay } = await owner.replay()
      t.strictSame(
        found.slice(0, known.length).map(({ position }) => position),
        known,
        'what was synced is there',
      )
      t.ok(
        found.every(({ content, index }) => content.equals(pattern(content.length, index))),
        'nothing was invented',
      )
      t.strictSame(replay.damage, [], 'a cut is not damage')
      known = found.map(({ position }) => position)
      const appended: Position[] = []
      const size = life % 3 === 0 ? 2 * MiB : 3_000 * (life + 1)
      for (let i = 0; i < 6; i++) appended.push(owner.log.append([pattern(size + i, known.length + i)], 'sync'))
      await owner.synced(appended[2])
      const { synced } = owner.log.progress()
      known = [...known, ...appended.filter((position) => position <= synced)]
      cutPower.call(home)
    }
  })

  test('a failed sync ends it until it recovers, behind what was synced', async (t, home) => {
    const { failSyncs } = home
    if (failSyncs === undefined) {
      t.ok(true, 'this home cannot do that')
      return
    }
    const first = await openLog(home)
    const kept = first.append('kept')
    await first.synced(kept)
    const { epoch } = first.log
    failSyncs.call(home, true)
    first.append('lost')
    await first.until(() => first.log.progress().failed !== undefined)
    const { failed, synced, message } = first.log.progress()
    t.equal(failed, 'broken')
    t.equal(synced, kept)
    t.ok(message.length > 0)
    const { written } = first.log.progress()
    t.equal(first.append('refused'), written, 'nothing is appended')
    t.equal((await first.readOne(kept)).block.bytes.length, 4, 'what was kept can be read')

    failSyncs.call(home, false)
    t.ok(first.log.recover())
    t.ok(first.log.epoch > epoch)
    t.strictSame([first.log.progress().failed, first.log.progress().written], [undefined, kept])
    const again = first.append('again')
    t.ok(again > kept)
    await first.synced(again)
    await first.close()

    const second = await openLog(home)
    const { found, replay } = await second.replay()
    t.strictSame(
      found.map(({ text }) => text),
      ['kept', 'again'],
    )
    t.strictSame(replay.damage, [])
    await second.close()
  })

  test('there is one owner', async (t, home) => {
    if (home.owners === 'unguarded') {
      t.ok(true, 'this home does not see to it')
      return
    }
    const first = await openLog(home)
    const kept = first.append('of the first')
    await first.synced(kept)
    if (home.owners === 'refused') {
      const refused = await home.open({ wake: () => undefined }).then(
        () => undefined,
        (error: Error) => error,
      )
      t.ok(refused instanceof Error)
      await first.close()
    }
    const second = await openLog(home)
    t.ok(second.log.epoch > first.log.epoch)
    if (home.owners === 'fenced') {
      const { written } = first.log.progress()
      t.equal(first.append('of a ghost'), written, 'nothing is appended')
      t.equal(first.log.progress().failed, 'fenced')
      t.equal(first.log.recover(), false)
    }
    await second.synced(second.append('of the second'))
    await second.close()
    const third = await openLog(home)
    t.strictSame(
      (await third.replay()).found.map(({ text }) => text),
      ['of the first', 'of the second'],
    )
    await third.close()
  })

  test('closing syncs what is not synced', async (t, home) => {
    const first = await openLog(home)
    for (let i = 0; i < 50; i++) first.log.append([bytes(`lazy ${i}`)], 'lazy')
    await first.close()
    home.cutPower?.()
    const second = await openLog(home)
    t.equal((await second.replay()).replay.blockCount, 50)
    await second.close()
  })
}

interface Found {
  readonly position: Position
  readonly index: number
  readonly content: Buffer
  readonly text: string
}

/** A log, and ways to wait for it. */
class Owner {
  log!: Log
  onWake: () => void = () => undefined
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  readonly wake = (): void => {
    this.onWake()
    const met = this.#waiting.filter(({ isMet }) => isMet())
    this.#waiting = this.#waiting.filter((each) => !met.includes(each))
    for (const { resolve } of met) resolve()
  }

  append(...texts: string[]): Position {
    return this.log.append(texts.map(bytes), 'sync')
  }

  /** Until the log has told of something that makes it so. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  synced(position: Position): Promise<void> {
    return this.until(() => this.log.progress().synced >= position)
  }

  async replay(from: Position = 0): Promise<{ readonly found: Found[]; readonly replay: LogReplay }> {
    const found: Found[] = []
    const replay = await this.log.replay(from, (position, bytes) => {
      const content = Buffer.from(bytes)
      const text = content.length > 100 ? `${content.length} bytes` : content.toString()
      found.push({ position, index: found.length, content, text })
    })
    return { found, replay }
  }

  read(from: Position, size: number): Promise<LogReading> {
    return new Promise((resolve) => this.log.read(from, size, resolve))
  }

  async readOne(from: Position): Promise<{ readonly block: LogBlock; readonly reading: LogReading }> {
    const reading = await this.read(from, 1)
    return { block: reading.blocks[0], reading }
  }

  async readAll(from: Position = 0): Promise<{ readonly blocks: LogBlock[]; readonly damage: LogDamage[] }> {
    const blocks: LogBlock[] = []
    const damage: LogDamage[] = []
    for (let at: Position | undefined = from; at !== undefined; ) {
      const reading: LogReading = await this.read(at, 100 * KiB)
      blocks.push(...reading.blocks)
      damage.push(...reading.damage)
      at = reading.next
    }
    return { blocks, damage }
  }

  save(through: Position, parts: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) =>
      this.log.saveSnapshot({ through, parts }, (error) => (error === undefined ? resolve() : reject(error))),
    )
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.log.close(resolve))
  }
}

async function openLog(home: LogHome): Promise<Owner> {
  const owner = new Owner()
  owner.log = await home.open({ wake: owner.wake })
  return owner
}

function bytes(text: string): Buffer {
  return Buffer.from(text)
}

/** Bytes that say which ones they are, and where. */
function pattern(size: number, seed: number): Buffer {
  const content = Buffer.alloc(size, `${seed}, `)
  for (let at = 0; at + 4 <= size; at += KiB) content.writeUInt32LE(at + seed, at)
  return content
}

function rises(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number > numbers[i - 1])
}
