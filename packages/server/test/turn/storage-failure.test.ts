/** A disk that fails or is full, from the point of view of those who have a connection. */
import t from 'tap'
import { DiskStage, type DiskStageOptions } from '../stage/disk-stage.js'
import type { Peer } from '../stage/peer.js'

const storageFailed = 507

async function withQueue(options: DiskStageOptions = {}): Promise<{ stage: DiskStage; peer: Peer }> {
  const stage = await DiskStage.open(options)
  const peer = stage.connect().open()
  ask(peer, 'DECLARE_QUEUE', { queue: 'q', durable: true })
  stage.pass(200)
  peer.heard()
  return { stage, peer }
}

function ask(peer: Peer, type: string, json: object, correlation = 99): void {
  peer.say({ type, channel: 1, correlation, json })
}

interface Told {
  readonly taken: number[]
  readonly refused: number[]
  readonly levels: string[]
  readonly bodies: string[]
  readonly answers: unknown[]
}

/** What has come, by what it says of each message. */
function heard(peer: Peer): Told {
  const told: Told = { taken: [], refused: [], levels: [], bodies: [], answers: [] }
  for (const frame of peer.heard()) {
    if (frame.type === 'DELIVER')
      for (const { body } of frame.records as { body: string }[]) told.bodies.push(Buffer.from(body, 'hex').toString())
    if (frame.type === 'RESULT' || frame.type === 'ERROR') told.answers.push((frame.json as { name?: string }).name ?? 'done')
    if (frame.type !== 'CONFIRM') continue
    for (const { firstSequence, count, level } of frame.runs as { firstSequence: number; count: number; level: string }[]) {
      for (let i = 0; i < count; i++) told.taken.push(firstSequence + i)
      told.levels.push(level)
    }
    for (const { sequence, code } of frame.exceptions as { sequence: number; code: number }[]) {
      t.equal(code, storageFailed)
      told.refused.push(sequence)
    }
  }
  return told
}

function publish(peer: Peer, texts: readonly string[], { persistent = true, level }: { persistent?: boolean; level?: string } = {}): void {
  const records = texts.map((text) => ({ routingKey: 'q', persistent, text }))
  peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], level, firstSequence: peer.nextSequence(1, texts.length), records })
}

t.test(
  'storage failure - what was not synced is refused and leaves the queue, and publishing goes on when a snapshot has made up for it',
  async (t) => {
    const { stage, peer } = await withQueue()
    publish(peer, ['a'])
    stage.pass(20)
    t.same(heard(peer), { taken: [1], refused: [], levels: ['synced'], bodies: [], answers: [] })

    stage.disk.failSyncs(1)
    publish(peer, ['b', 'c'])
    t.same(heard(peer).taken, [], 'a confirm waits for the disk')
    stage.pass(20)
    t.same(heard(peer).refused, [2, 3])
    t.equal(stage.turn.broker.virtualHosts.get('default')!.queue('q')!.readyCount, 1)
    t.equal(stage.logged('storage-failed').length, 1)
    t.equal(stage.logged('storage-recovered').length, 1)

    publish(peer, ['d'])
    stage.pass(20)
    t.same(heard(peer).taken, [4])
    const next = await stage.next()
    const other = next.connect().open()
    ask(other, 'CONSUME', { consumer: 1, queue: 'q' })
    next.pass(100)
    t.same(heard(other).bodies, ['a', 'd'], 'and after a restart there is what was confirmed')
    t.same(next.logged('data-damaged'), [])
  },
)

t.test('storage failure - while the disk has failed, transient messages, consumers and settlements go on', async (t) => {
  const { stage, peer } = await withQueue()
  publish(peer, ['a', 'b'])
  stage.pass(20)
  heard(peer)
  stage.disk.failSyncs(Infinity)
  stage.disk.failWrites('broken', Infinity)
  publish(peer, ['c'])
  stage.pass(100)
  t.same(heard(peer).refused, [3])

  publish(peer, ['d'])
  publish(peer, ['e'], { persistent: false })
  publish(peer, ['f'], { level: 'received' })
  ask(peer, 'CONSUME', { consumer: 1, queue: 'q', ack: 'manual' })
  stage.pass(20)
  const { refused, taken, bodies } = heard(peer)
  t.same(refused, [4], 'who asks for as much as there is wants more than there is now')
  t.same(taken, [5, 6])
  t.same(bodies, ['a', 'b', 'e', 'f'])
  peer.say({ type: 'SETTLE', channel: 1, correlation: 7, entries: [{ firstTag: 1, count: 1, outcome: 'ack', delayMs: null }] })
  stage.pass(20)
  t.same(heard(peer).answers, ['storageFailed'], 'that it is gone is not safe')
  t.equal(stage.turn.broker.virtualHosts.get('default')!.queue('q')!.liveCount, 3)

  stage.disk.heal()
  stage.pass(2_000)
  t.equal(stage.logged('storage-recovered').length, 1)
  const next = await stage.next()
  const other = next.connect().open()
  ask(other, 'CONSUME', { consumer: 1, queue: 'q' })
  next.pass(100)
  t.same(heard(other).bodies, ['b'], 'the snapshot has what was done meanwhile')
})

t.test(
  'storage failure - what was delivered before it failed stays with its consumer, and is kept when the disk works again',
  async (t) => {
    const { stage, peer } = await withQueue()
    ask(peer, 'CONSUME', { consumer: 1, queue: 'q', ack: 'manual' })
    stage.pass(20)
    heard(peer)
    stage.disk.failSyncs(1)
    publish(peer, ['a'])
    stage.pass(20)
    const { refused, bodies } = heard(peer)
    t.same(refused, [1])
    t.same(bodies, ['a'])
    stage.pass(1_000)
    t.equal(stage.turn.broker.virtualHosts.get('default')!.queue('q')!.unsettledCount, 1)
    const next = await stage.next()
    const other = next.connect().open()
    ask(other, 'CONSUME', { consumer: 1, queue: 'q' })
    next.pass(100)
    t.same(heard(other).bodies, ['a'])
    t.same(next.logged('data-damaged'), [])
  },
)

t.test('storage failure - a message that was confirmed as received and not synced is kept when the disk works again', async (t) => {
  const { stage, peer } = await withQueue({ syncMs: 50 })
  stage.disk.failSyncs(1)
  publish(peer, ['a'], { level: 'received' })
  t.same(heard(peer).taken, [1])
  stage.pass(1_000)
  t.equal(stage.logged('storage-recovered').length, 1)
  const next = await stage.next()
  const other = next.connect().open()
  ask(other, 'CONSUME', { consumer: 1, queue: 'q' })
  next.pass(100)
  t.same(heard(other).bodies, ['a'])
})

t.test(
  'storage failure - names that were declared meanwhile are answered with an error, and are there when they are declared again',
  async (t) => {
    const { stage, peer } = await withQueue()
    stage.disk.failSyncs(Infinity)
    stage.disk.failWrites('broken', Infinity)
    ask(peer, 'DECLARE_QUEUE', { queue: 'r', durable: true }, 5)
    stage.pass(100)
    t.same(heard(peer).answers, ['storageFailed'])
    ask(peer, 'DECLARE_QUEUE', { queue: 's', durable: true }, 6)
    stage.pass(100)
    t.same(heard(peer).answers, ['storageFailed'])
    stage.disk.heal()
    stage.pass(2_000)
    ask(peer, 'DECLARE_QUEUE', { queue: 's', durable: true }, 7)
    stage.pass(100)
    t.same(heard(peer).answers, ['done'])
    const next = await stage.next()
    t.same([...next.turn.broker.queues()].map(({ name }) => name).sort(), ['q', 'r', 's'])
  },
)

t.test('storage failure - nobody is told that something is written which is not', async (t) => {
  const { stage, peer } = await withQueue()
  publish(peer, ['a'], { level: 'written' })
  t.same(heard(peer).levels, ['written'], 'it does not wait for a sync')
  stage.disk.failWrites('broken', 1)
  publish(peer, ['b'], { level: 'written' })
  const { taken, refused } = heard(peer)
  t.same(taken, [])
  t.same(refused, [2])
  stage.pass(2_000)
  publish(peer, ['c'], { level: 'written' })
  t.same(heard(peer).taken, [3])
})

t.test('storage failure - a channel that closes is answered, whatever became of what it waited for', async (t) => {
  const { stage, peer } = await withQueue({ syncMs: 50 })
  stage.disk.failSyncs(1)
  publish(peer, ['a'])
  peer.say({ type: 'CLOSE', channel: 1, correlation: 8, json: {} })
  stage.pass(100)
  const { refused, answers } = heard(peer)
  t.same(refused, [1])
  t.same(answers, ['done'])
})

t.test('storage failure - a full disk refuses what is to be kept, and publishing goes on within 2 s of space coming back', async (t) => {
  const { stage, peer } = await withQueue({ capacity: 400 * 1024 })
  const body = 'x'.repeat(8_000)
  let takenCount = 0
  for (let i = 0; i < 60; i++) {
    publish(peer, [body])
    stage.pass(20)
    takenCount += heard(peer).taken.length
  }
  t.ok(takenCount > 10 && takenCount < 60, `${takenCount} were taken`)
  t.match(stage.logged('storage-failed')[0], { reason: 'full' })
  stage.disk.capacity = 2 ** 30
  stage.pass(2_000)
  publish(peer, [body])
  stage.pass(20)
  t.equal(heard(peer).taken.length, 1)
  const next = await stage.next()
  t.equal(next.turn.broker.virtualHosts.get('default')!.queue('q')!.readyCount, takenCount + 1)
  t.same(next.logged('data-damaged'), [])
})

t.test('storage failure - a broker whose disk has failed can be closed, and nothing is done with the disk any more', async (t) => {
  const { stage, peer } = await withQueue()
  publish(peer, ['a'])
  stage.pass(20)
  stage.disk.failSyncs(Infinity)
  stage.disk.failWrites('broken', Infinity)
  publish(peer, ['b'])
  stage.pass(100)
  let isClosed = false
  stage.turn.closeStore(() => {
    isClosed = true
  })
  stage.pass(5_000)
  t.ok(isClosed)
  const next = await stage.next()
  const other = next.connect().open()
  ask(other, 'CONSUME', { consumer: 1, queue: 'q' })
  next.pass(100)
  t.same(heard(other).bodies.slice(0, 1), ['a'])
  t.same(next.logged('data-damaged'), [])
})

t.test('storage failure - what ends while an older snapshot is still being saved is told once', async (t) => {
  const { stage, peer } = await withQueue({ syncMs: 50 })
  publish(peer, ['a', 'b'])
  stage.pass(200)
  ask(peer, 'CONSUME', { consumer: 1, queue: 'q', ack: 'manual' })
  stage.turn.snapshots!.ask(() => undefined)
  stage.pass(20)
  stage.disk.failSyncs(1)
  publish(peer, ['c'])
  stage.pass(55)
  t.equal(stage.logged('storage-failed').length, 1)
  t.equal(stage.logged('snapshot-saved').length, 0, 'the snapshot is on its way still')
  peer.say({ type: 'SETTLE', channel: 1, correlation: 0, entries: [{ firstTag: 1, count: 1, outcome: 'ack', delayMs: null }] })
  while (stage.logged('storage-recovered').length === 0) stage.pass(5)
  stage.pass(5)
  const next = await stage.next()
  t.same(next.logged('data-damaged'), [], 'the new snapshot does not have it, and nothing behind it says that it is gone')
  const other = next.connect().open()
  ask(other, 'CONSUME', { consumer: 1, queue: 'q' })
  next.pass(500)
  t.same(heard(other).bodies, ['b', 'c'])
})

t.test(
  'storage failure - an id that was given out when the disk works again is not given out once more, though the power was cut at once',
  async (t) => {
    const { stage, peer } = await withQueue({ syncMs: 50 })
    stage.disk.failSyncs(1)
    publish(peer, ['a'])
    while (stage.logged('storage-recovered').length === 0) stage.pass(5)
    publish(peer, ['b'], { persistent: false })
    t.same(heard(peer).taken, [2])
    const { nextMessageId } = stage.turn.broker
    const next = await stage.next({ end: 'power cut' })
    t.ok(next.turn.broker.nextMessageId >= nextMessageId)
  },
)
