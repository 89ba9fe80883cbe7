/** What recovery makes of blocks that nobody should have written, or whose neighbours are lost. */
import t from 'tap'
import { recover } from '../../dist/storage/recovery.js'
import { encodeSnapshot } from '../../dist/storage/snapshot.js'
import { PaperLog } from '../stage/paper-log.js'
import { drop, entry, gone, queue, recordSizeMin, route, run, topology } from './blocks.js'

async function recovered(...blocks: Uint8Array[][]) {
  const log = new PaperLog()
  for (const entries of blocks) log.append(entries, 'sync')
  const { state, report } = await recover(log)
  const counts = Object.fromEntries(
    state.hosts.flatMap(({ queues }) => queues.map(({ name, runs }) => [name, runs.reduce((sum, { count }) => sum + count, 0)])),
  )
  return { state, report, counts, said: report.damage.map(({ where, message }) => `${where}: ${message}`) }
}

const two = [recordSizeMin, recordSizeMin]

t.test('recovery - what a block says before an entry that cannot be read holds, and so do the blocks behind it', async (t) => {
  const { counts, said } = await recovered(
    [queue(1), route(1), run(1, two)],
    [route(1), run(3, two), entry(77, Buffer.alloc(3)), gone(1, 1, 1)],
    [route(1), run(5, two), gone(1, 2, 2)],
  )
  t.same(counts, { q1: 5 })
  t.strictSame(said.length, 1)
  t.match(said[0], /block 2: .*kind 77/)
})

t.test('recovery - records that do not fill their entry are left out, the others of the block are not', async (t) => {
  const bad = run(3, two)
  bad.writeUInt32BE(2, 24)
  const { counts, said } = await recovered([queue(1), route(1), run(1, two), bad, run(5, two)])
  t.same(counts, { q1: 4 })
  t.match(said, [/messages 3 to 4 do not fill/])
})

t.test('recovery - messages of a queue that nothing names are left out and told once; its number is not used again', async (t) => {
  const { counts, said, state } = await recovered([queue(1), route(1, 9), run(1, two)], [route(9), run(3, two)], [gone(9, 1, 1)])
  t.same(counts, { q1: 2 })
  t.match(said, [/queue number 9/])
  t.equal(said.length, 1)
  t.equal(state.nextQueueId, 10)
})

t.test('recovery - a queue that was deleted while messages were on their way is no damage', async (t) => {
  const { counts, said } = await recovered(
    [queue(1), queue(2)],
    [topology({ op: 'deleteQueue', id: 2 }), route(1, 2), run(1, two), gone(2, 1, 1)],
    [route(2), run(1, two, { moved: true })],
  )
  t.same(counts, { q1: 2 })
  t.same(said, [])
})

t.test('recovery - an end of messages that never came is told, and ends nothing else', async (t) => {
  const { counts, said } = await recovered([queue(1), route(1), run(1, two), gone(1, 5, 6)])
  t.same(counts, { q1: 2 })
  t.match(said, [/queue number 1 did not have 2 messages of 32 bytes from id 5 to 6/])
})

t.test('recovery - a change of names from a newer version is told, and the other changes hold', async (t) => {
  const { state, said } = await recovered([queue(1), topology({ op: 'rename' } as never)], [queue(2)])
  t.same(
    state.hosts[0]!.queues.map(({ name }) => name),
    ['q1', 'q2'],
  )
  t.match(said, [/no change "rename"/])
})

t.test('recovery - after damage message ids jump ahead: that they were reserved may have been lost', async (t) => {
  const { state } = await recovered([queue(1), route(1), run(1, two), entry(77, Buffer.alloc(0))])
  t.ok(state.nextMessageId >= 2 ** 24)
})

t.test('recovery - a segment that the snapshot knew is missed, unless it was dropped', async (t) => {
  const log = new PaperLog()
  for (let i = 0; i < 40; i++) log.append(i === 39 ? [drop(1)] : [queue(i + 1)], 'sync')
  const { state, index, moved } = await recover(log)
  log.snapshot = { through: 33, parts: encodeSnapshot({ state, segments: [1, 2, 3], index, moved }) }
  log.drop(1)
  t.same((await recover(log)).report.damage, [])
  log.drop(2)
  t.match((await recover(log)).report.damage, [{ segment: 2, where: 'segment 2', message: /missing/ }])
})

t.test('recovery - messages that were written again are found where they lie now, and count once', async (t) => {
  const log = new PaperLog()
  log.append([queue(1), route(1), run(1, [...two, ...two])], 'sync')
  log.append([route(1), run(4, [recordSizeMin], { moved: true }), run(2, two, { moved: true })], 'sync')
  const { state, moved } = await recover(log)
  t.match(state.hosts[0]!.queues[0]!.runs, [{ count: 4 }])
  t.same([...moved.marks()], [{ first: 2, last: 4, position: 2 }])
})
