/** One owner at a time: another is refused, or fences the one before. */
import type { HomeTest } from './home.js'
import { openLog } from './owner.js'

export function fencingContract(test: HomeTest): void {
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
}
