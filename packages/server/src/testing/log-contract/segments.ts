/** Segments: sealed, listed, and dropped, so that their space comes back. */
import type { Position } from '../../ports/log.js'
import { bytes, KiB, pattern, rises } from './content.js'
import type { HomeTest } from './home.js'
import { openLog } from './owner.js'

export function segmentsContract(test: HomeTest): void {
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
}
