/**
 * A log that is damaged, cut off from power, or cannot sync: each a named result, with what was synced kept. What a home has no way to do
 * is not asked of it.
 */
import type { Position } from '../../ports/log.js'
import { MiB, pattern } from './content.js'
import type { HomeTest } from './home.js'
import { openLog } from './owner.js'

export function failingContract(test: HomeTest): void {
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
}
