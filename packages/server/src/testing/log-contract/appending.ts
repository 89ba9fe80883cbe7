/** What is appended: when it is written, when it is synced, and whether it is there for the next owner. */
import type { Position } from '../../ports/log.js'
import { bytes, KiB, rises } from './content.js'
import type { HomeTest } from './home.js'
import { openLog } from './owner.js'

const goCount = 25
const appendsPerGo = 40

/** The loop goes round once. */
const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export function appendingContract(test: HomeTest): void {
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

  test('many appends in one go and another are synced by few syncs, in order', async (t, home) => {
    const owner = await openLog(home)
    const marks: Position[] = [owner.log.progress().synced]
    // A sync shows itself in what is synced, whether or not somebody is woken for it: whoever looks each time the loop goes round misses none.
    const look = (): void => {
      const { synced } = owner.log.progress()
      if (synced !== marks.at(-1)) marks.push(synced)
    }
    owner.onWake = look
    let last = 0
    for (let go = 0; go < goCount; go++) {
      for (let i = 0; i < appendsPerGo; i++) last = owner.append(`block ${i} of ${go}`)
      look()
      await round()
    }
    while (owner.log.progress().synced < last) {
      look()
      await round()
    }
    look()
    t.ok(rises(marks), 'what is synced only rises')
    const syncCount = marks.length - 1
    t.ok(syncCount <= 2 * goCount, `${syncCount} syncs for ${goCount * appendsPerGo} appends`)
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
