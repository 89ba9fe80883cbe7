import assert from 'node:assert'
import t from 'tap'
import type { DurableState, KeptRun } from '../../dist/broker/durable.js'
import { IdIndex } from '../../dist/storage/id-index.js'
import { MovedIndex } from '../../dist/storage/moved-index.js'
import { recover } from '../../dist/storage/recovery.js'
import { encodeSnapshot, readSnapshot, SnapshotProblem } from '../../dist/storage/snapshot.js'
import { PaperLog } from '../stage/paper-log.js'

function emptyState(): DurableState {
  return { hosts: [], nextQueueId: 1, nextMessageId: 1 }
}

function encoded(state: DurableState, index = new IdIndex(), moved = new MovedIndex()): Uint8Array[] {
  return encodeSnapshot({ state, segments: [1], index, moved })
}

async function recovered(parts: readonly Uint8Array[]) {
  const log = new PaperLog()
  log.append([Buffer.from([6, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 9])], 'sync')
  log.snapshot = { through: 1, parts }
  return recover(log)
}

t.test('snapshot - what is read is what was written, in as many parts as it takes', async (t) => {
  const runs: KeptRun[] = Array.from({ length: 12_000 }, (_, i) => ({
    count: 1_024,
    size: 2 ** 31 + i,
    ranges: Float64Array.from({ length: 2 + 2 * (i % 12) }, (_, k) => 2 ** 40 + i * 2_000 + k),
  }))
  const state: DurableState = {
    hosts: [
      {
        name: 'default',
        exchanges: [{ name: 'x', type: 'headers', autoDelete: false, internal: true, alternate: 'y' }],
        queues: [
          { id: 3, name: 'größer', autoDelete: true, expiresMs: 5_000, runs },
          { id: 4, name: 'empty', autoDelete: false, runs: [] },
        ],
        bindings: [{ source: 'x', target: { queue: 'größer' }, key: 'a.b', headers: { kind: { i64: '9007199254740993' } }, match: 'any' }],
      },
    ],
    nextQueueId: 5,
    nextMessageId: 2 ** 45,
  }
  const index = new IdIndex()
  const moved = new MovedIndex()
  for (let i = 0; i < 80_000; i++) index.mark(i * 500, 1)
  moved.add(7, 9, 1)
  const parts = encoded(state, index, moved)
  t.ok(parts.length > 5 && parts.every(({ length }) => length <= 1_024 * 1_024))
  const found = await recovered(parts)
  assert.deepEqual(found.state, state)
  assert.deepEqual([...found.index.marks()], [...index.marks()])
  assert.deepEqual([...found.moved.marks()], [...moved.marks()])
})

t.test('snapshot - of nothing says that there is nothing', async (t) => {
  t.same((await recovered(encoded(emptyState()))).state, emptyState())
})

t.test('snapshot - what a newer version wrote is refused, with the fix', async (t) => {
  const sink = { head: () => {}, name: () => {}, run: () => {}, id: () => {}, moved: () => {} }
  const [head] = encoded(emptyState()) as [Uint8Array]
  for (const [at, value, message] of [
    [0, 99, /kind 99.*a newer one/],
    [1, 2, /format 2.*a newer one/],
  ] as const) {
    const newer = Uint8Array.from(head)
    newer[at] = value
    t.throws(() => readSnapshot([newer], sink), { name: 'SnapshotProblem', code: 'DATA_FORMAT', message })
    await t.rejects(recovered([head, newer]), SnapshotProblem)
  }
  t.throws(() => readSnapshot([], sink), SnapshotProblem, 'nothing is no snapshot')
  t.throws(() => readSnapshot([head.subarray(0, 5)], sink), SnapshotProblem)
})
