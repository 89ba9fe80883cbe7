import t from 'tap'
import { recover } from '../../dist/storage/recovery.js'
import { DurableStage } from '../stage/durable-stage.js'
import { PaperLog } from '../stage/paper-log.js'
import type { Peer } from '../stage/peer.js'

function publish(peer: Peer, count: number): void {
  const records = Array.from({ length: count }, () => ({ routingKey: 'q', persistent: true, text: 'x'.repeat(84) }))
  peer.say({ type: 'PUBLISH', channel: 1, flags: [], firstSequence: peer.nextSequence(1, count), records })
}

async function begun(options = {}): Promise<{ stage: DurableStage; peer: Peer }> {
  const stage = await DurableStage.open(new PaperLog(), options)
  const peer = stage.connect().open()
  peer.request('DECLARE_QUEUE', 1, { queue: 'q', durable: true })
  stage.settle()
  return { stage, peer }
}

t.test('snapshots - one is made when the log behind the last one has grown, and no sooner', async (t) => {
  const { stage, peer } = await begun({ snapshotEvery: 10_000 })
  const { paper } = stage
  publish(peer, 50)
  stage.settle()
  t.equal(paper.snapshot, undefined)
  publish(peer, 60)
  stage.settle()
  const first = paper.snapshot
  t.equal(first?.through, paper.blocks.length, 'it says everything until then')
  publish(peer, 50)
  stage.settle()
  t.equal(paper.snapshot, first)
  publish(peer, 60)
  stage.settle()
  t.equal(paper.snapshot?.through, paper.blocks.length)
  t.equal(stage.logged('snapshot-saved').length, 2)
})

t.test('snapshots - so much of the log that had to be replayed counts too', async (t) => {
  const { stage, peer } = await begun()
  publish(peer, 110)
  stage.settle()
  const next = await stage.next({ snapshotEvery: 10_000 })
  next.connect().open()
  next.settle()
  t.ok(next.paper.snapshot, 'the next restart does not replay it again')
})

t.test('snapshots - one is saved when what it says is synced', async (t) => {
  const { stage, peer } = await begun()
  stage.paper.syncsAtOnce = false
  publish(peer, 1)
  stage.turn.snapshots!.ask(() => undefined)
  stage.settle()
  t.equal(stage.paper.snapshot, undefined)
  stage.paper.sync()
  stage.settle()
  t.equal(stage.paper.snapshot?.through, stage.paper.blocks.length)
})

t.test('snapshots - one of what never was synced is thrown away', async (t) => {
  const { stage, peer } = await begun()
  stage.paper.syncsAtOnce = false
  publish(peer, 1)
  const told: (Error | undefined)[] = []
  stage.turn.snapshots!.ask((error) => told.push(error))
  stage.settle()
  stage.paper.epoch++
  stage.paper.sync()
  stage.settle()
  t.equal(stage.paper.snapshot, undefined)
  t.match(told, [{ message: /another place/ }])
  t.match(stage.logged('snapshot-failed'), [{ level: 'warn' }])
  stage.turn.snapshots!.ask((error) => told.push(error))
  stage.settle()
  t.equal(told[1], undefined)
  t.ok(stage.paper.snapshot)
})

t.test('snapshots - who asks while one is on its way gets the next', async (t) => {
  const { stage, peer } = await begun()
  const order: string[] = []
  stage.turn.snapshots!.ask(() => order.push(`first ${stage.paper.snapshot!.through}`))
  stage.clock.settle()
  const through = stage.paper.blocks.length
  publish(peer, 1)
  stage.turn.snapshots!.ask(() => order.push(`second ${stage.paper.snapshot!.through}`))
  stage.clock.settle()
  t.same(order, [], 'the disk has not answered')
  stage.settle()
  t.same(order, [`first ${through}`, `second ${stage.paper.blocks.length}`])
})

t.test('snapshots - an end in order leaves nothing to replay', async (t) => {
  const { stage, peer } = await begun()
  publish(peer, 7)
  let isOver = false
  stage.turn.closeStore(() => (isOver = true))
  stage.settle()
  t.ok(isOver)
  t.ok(stage.paper.isClosed)
  const { state, report } = await recover(PaperLog.upTo(stage.paper, stage.paper.blocks.length, stage.paper.snapshot))
  t.equal(report.blockCount, 0)
  t.match(state.hosts[0]!.queues, [{ name: 'q', runs: [{ count: 7 }] }])
})
