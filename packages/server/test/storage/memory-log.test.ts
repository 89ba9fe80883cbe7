import t from 'tap'
import { MemoryLogStore } from '../../dist/storage/memory-log.js'
import { type LogHome, logContract } from '../../dist/testing/index.js'
import { later } from '../stage/later.js'

function memoryHome(): LogHome {
  const store = new MemoryLogStore('in-memory')
  return {
    owners: 'fenced',
    open: async ({ wake }) => store.open({ wake, later, segmentSize: 1 << 20 }),
    damage: (position) => store.damage(position),
    failSyncs: (isFailing) => {
      store.failing = isFailing ? 'broken' : undefined
    },
    remove: async () => undefined,
  }
}

logContract((name, run) => t.test(name, run), 'log in memory', memoryHome)

t.test('log in memory - one that is full says so, and goes on when there is room again', async (t) => {
  const store = new MemoryLogStore('small')
  const told: string[] = []
  const log = store.open({ wake: () => told.push('wake'), later, sizeMax: 1_000, segmentSize: 400 })
  const first = log.append([Buffer.alloc(400)], 'sync')
  log.append([Buffer.alloc(400)], 'sync')
  await new Promise((resolve) => log.saveSnapshot({ through: log.progress().written, parts: [] }, resolve))
  log.append([Buffer.alloc(400)], 'sync')
  t.equal(log.progress().failed, 'full')
  log.drop(log.segmentOf(first))
  t.ok(log.recover())
  log.append([Buffer.alloc(400)], 'sync')
  t.equal(log.progress().failed, undefined)
  t.ok(log.space().used <= 1_000)
})
