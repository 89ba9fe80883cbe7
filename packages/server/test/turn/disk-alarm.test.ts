/** A disk with little room, and one that is slow, from the point of view of publishers. */
import type { FrameNotation } from '@waybill/protocol/testing'
import t from 'tap'
import { DiskStage, type DiskStageOptions } from '../stage/disk-stage.js'
import { bodiesOf, type Peer } from '../stage/peer.js'

const MiB = 1024 * 1024

async function withQueue(options: DiskStageOptions): Promise<{ stage: DiskStage; peer: Peer }> {
  const stage = await DiskStage.open(options)
  const peer = stage.connect().open()
  peer.say({ type: 'DECLARE_QUEUE', channel: 1, correlation: 9, json: { queue: 'q', durable: true } })
  stage.pass(50)
  peer.heard()
  return { stage, peer }
}

function publish(peer: Peer, count: number, size: number, persistent = true): void {
  const records = Array.from({ length: count }, () => ({ routingKey: 'q', persistent, text: 'x'.repeat(size) }))
  peer.say({ type: 'PUBLISH', channel: 1, flags: ['CONFIRM'], firstSequence: peer.nextSequence(1, count), records })
}

function statusesIn(frames: readonly FrameNotation[]): unknown[] {
  return frames.flatMap(({ type, json }) => (type === 'STATUS' ? [json] : []))
}

function statuses(peer: Peer): unknown[] {
  return statusesIn(peer.heardAll())
}

/** How much may be published in all, each time the broker said so: in a CREDIT, or in a CONFIRM. */
function grantsIn(frames: readonly FrameNotation[]): unknown[] {
  return frames.flatMap(({ type, creditSize }) => (type === 'CREDIT' || type === 'CONFIRM' ? [creditSize] : []))
}

t.test(
  'disk alarm - below the minimum publishers get no credit and are told why within a second; consumers go on; it ends by itself',
  async (t) => {
    const { stage, peer } = await withQueue({ capacity: 64 * MiB, limits: { diskFreeMin: 32 * MiB } })
    publish(peer, 1, 1_000)
    stage.pass(1_100)
    const before = peer.heardAll()
    t.same(statusesIn(before), [])
    const granted = grantsIn(before).at(-1)
    stage.disk.capacity = 32 * MiB
    stage.pass(1_000)
    t.same(statuses(peer), [{ state: 'blocked', reason: 'disk' }])
    t.match(stage.logged('publishers-blocked'), [{ reason: 'disk', diskFreeMin: 32 * MiB }])
    const other = stage.connect()
    t.equal(other.hello().blocked, 'disk', 'who comes now is told in the first answer')
    t.match(other.request('OPEN', 1, {}), { creditSize: 0 })

    const { credit } = stage.turn
    const unused = credit.unusedSize
    publish(peer, 60, 1_000)
    t.ok(credit.unusedSize < unused, 'what was granted may be used, and is not renewed')
    peer.say({ type: 'CONSUME', channel: 1, correlation: 9, json: { consumer: 1, queue: 'q', prefetch: 10 } })
    stage.pass(100)
    peer.settle(1, 1, 10)
    stage.pass(100)
    const meanwhile = peer.heardAll()
    t.equal(bodiesOf(meanwhile).length, 20, 'consumers go on')
    peer.say({ type: 'WINDOW', channel: 1, consumer: 0, count: 0, size: 100_000 })
    stage.pass(5_000)
    const grants = grantsIn([...meanwhile, ...peer.heardAll()])
    t.ok(grants.length > 0, 'what was published was confirmed')
    t.same([...new Set(grants)], [granted], 'and no confirm, and no CREDIT, gave more than had been given before')

    stage.disk.capacity = 64 * MiB
    stage.pass(1_100)
    const frames = peer.heardAll()
    t.same(statusesIn(frames), [{ state: 'unblocked' }])
    t.ok(frames.some(({ type, creditSize }) => type === 'CREDIT' && Number(creditSize) > Number(granted)))
  },
)

t.test('disk alarm - more than 8 MiB on their way to the disk hold back credit until they are there, and nobody is told', async (t) => {
  const { stage, peer } = await withQueue({ segmentSize: 32 * MiB, syncMs: 5_000 })
  stage.pass(20_000)
  const size = 60_000
  let sent = 0
  for (let rounds = 0; rounds < 2_000 && stage.turn.credit.withheld === undefined; rounds++) {
    publish(peer, 1, size)
    sent += size
  }
  t.equal(stage.turn.credit.withheld, 'sync')
  t.ok(sent > 8 * MiB && sent < 24 * MiB, `${sent} bytes were sent`)
  t.same(statuses(peer), [])
  stage.pass(20_000)
  t.equal(stage.turn.credit.withheld, undefined)
  publish(peer, 1, size)
  stage.pass(20_000)
  const refused = peer.heard().flatMap(({ type, exceptions }) => (type === 'CONFIRM' ? (exceptions as unknown[]) : []))
  t.same(refused, [])
})
