/** Snapshots: the newest one with its parts, of nothing that is not synced. */
import { bytes, MiB, pattern } from './content.js'
import type { HomeTest } from './home.js'
import { openLog } from './owner.js'

export function snapshotsContract(test: HomeTest): void {
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
}
