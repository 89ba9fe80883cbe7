import assert from 'node:assert'
import t from 'tap'
import type { LogSnapshot } from '../../dist/ports/log.js'
import { recover } from '../../dist/storage/recovery.js'
import { encodeSnapshot } from '../../dist/storage/snapshot.js'
import { forSeeds } from '../seeds.js'
import { PaperLog } from '../stage/paper-log.js'
import { DurableLife } from './durable-life.js'
import { NaiveStore } from './naive-store.js'

/** A snapshot of what is so now, saved or not. */
function snapshotOf({ log, stage, state }: DurableLife): LogSnapshot {
  const { index } = stage.turn.journal!
  const segments = log.segments().map(({ id }) => id)
  return { through: log.progress().written, parts: encodeSnapshot({ state, segments, index, moved: stage.turn.snapshots!.moved }) }
}

t.test('recovery - wherever the log ends, it says what was appended until then; a snapshot on the way changes nothing', async (t) => {
  await forSeeds(t, 30, async (random) => {
    let log = new PaperLog()
    for (let life = 0; life < 3; life++) {
      const living = await DurableLife.begin(log, random)
      const snapshots: LogSnapshot[] = []
      for (let i = 0; i < 120; i++) {
        living.act()
        if (random.chance(0.04)) snapshots.push(snapshotOf(living))
      }
      living.stage.turn.invariants()
      const first = log.snapshot
      const naive = new NaiveStore()
      for (let end = 0; end <= log.blocks.length; end++) {
        if (end > 0) naive.take(log.blocks[end - 1]!)
        if (!random.chance(0.1) && end < log.blocks.length) continue
        const snapshot = random.pick([undefined, first, ...snapshots])
        const { state, report } = await recover(PaperLog.upTo(log, end, snapshot))
        assert.deepEqual(report.damage, [])
        assert.deepEqual(naive.plainStateOf(state), naive.state)
        assert(state.nextMessageId > naive.idMax, 'no message is named twice')
        assert(state.nextQueueId >= naive.nextQueueId, 'nor a queue')
      }
      assert.deepEqual(naive.plainStateOf(living.state), naive.state, 'the log says what the broker has')
      assert.deepEqual(living.stage.logged('data-damaged'), [])
      if (life === 2) {
        const last = await DurableLife.begin(PaperLog.after(log), random)
        const counts = Object.entries(naive.state.queues).map(([name, { ids }]) => [name, ids.length] as const)
        assert.deepEqual(last.drain(counts.map(([name]) => name)), Object.fromEntries(counts), 'all that is left can be had')
        assert.deepEqual(last.stage.logged('data-damaged'), [])
      }
      log = random.chance(0.5) ? PaperLog.after(log) : PaperLog.upTo(log, log.blocks.length - random.below(20), random.pick(snapshots))
    }
  })
})
