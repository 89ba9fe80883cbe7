// What a failed disk has of what was lost: once the log has gone on in another place, nobody takes it for the log, and no snapshot is saved before that is sure.
import t from 'tap'
import { SimDisk } from '../../../dist/sim/disk.js'
import { Random } from '../../../dist/sim/random.js'
import { type LocalLogOptions, openLocalLog } from '../../../dist/storage/local/index.js'
import type { Log } from '../../../dist/ports/log.js'
import { PaperTime } from './paper-time.js'

const time = new PaperTime()
const options: LocalLogOptions = {
  clock: { wall: () => 0 },
  entropy: { name: () => 'thisnewlog' },
  later: time.later,
  wake: () => undefined,
  segmentSize: 16 * 1024,
  spareCount: 0,
}

/** A log of the blocks 1 and 2: 1 is synced, 2 is written and lost. */
async function failed(seed = 1): Promise<{ readonly disk: SimDisk; readonly log: Log }> {
  const disk = new SimDisk({ random: new Random(seed), later: time.later, syncMs: { least: 1, most: 1 } })
  const log = await time.wait(openLocalLog(disk, options))
  log.append([Buffer.alloc(100, 1)], 'sync')
  time.pass(10)
  log.append([Buffer.alloc(100, 2)], 'lazy')
  disk.failWrites('broken', 1)
  log.append([Buffer.alloc(100, 3)], 'sync')
  return { disk, log }
}

function saved(log: Log): Promise<Error | undefined> {
  return time.wait(new Promise((resolve) => log.saveSnapshot({ through: log.progress().written, parts: [Buffer.alloc(10)] }, resolve)))
}

/** What the next process finds behind its snapshot, if there is one. */
async function found(disk: SimDisk): Promise<{ readonly hasSnapshot: boolean; readonly blocks: readonly number[] }> {
  const log = await time.wait(openLocalLog(disk, options))
  const snapshot = await log.loadSnapshot()
  const blocks: number[] = []
  await log.replay(snapshot?.through ?? 0, (_, bytes) => void blocks.push(bytes[0]))
  return { hasSnapshot: snapshot !== undefined, blocks }
}

t.test('failing - a snapshot is not saved when the place where the log goes on fails at once', async (t) => {
  const { disk, log } = await failed()
  disk.failSyncs(1)
  t.equal(log.recover(), true)
  t.match(await saved(log), { kind: 'broken' })
})

t.test('failing - behind the snapshot that makes up for what was lost, nothing of it is read', async (t) => {
  let snapshotCount = 0
  for (let seed = 1; seed <= 60; seed++) {
    const { disk, log } = await failed(seed)
    if (seed % 2 === 0) disk.failSyncs(1)
    t.equal(log.recover(), true)
    await saved(log)
    const { hasSnapshot, blocks } = await found(disk.cut({ old: 1, new: 1, damaged: 0 }))
    if (hasSnapshot) snapshotCount++
    if (hasSnapshot && blocks.length > 0) t.fail(`seed ${seed}: behind the snapshot there are ${blocks.join(', ')}`)
  }
  t.ok(snapshotCount >= 30, `${snapshotCount} snapshots`)
})
