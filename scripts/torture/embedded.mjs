/** A broker in this process on any disk: all of the server but the files, the sockets and the lock. */
import { fullAccess } from '../../packages/server/dist/session/access.js'
import { completeConfig } from '../../packages/server/dist/config/config.js'
import { embed } from '../../packages/server/dist/host/memory-transport.js'
import { nodeClock } from '../../packages/server/dist/host/node-clock.js'
import { nodeEntropy } from '../../packages/server/dist/host/node-entropy.js'
import { nodeLater } from '../../packages/server/dist/host/node-later.js'
import { nodeMachine } from '../../packages/server/dist/host/node-machine.js'
import { openLocalLog } from '../../packages/server/dist/storage/local/index.js'
import { openStore } from '../../packages/server/dist/storage/open-store.js'
import { Turn } from '../../packages/server/dist/turn/turn.js'

const { limits } = completeConfig({ limits: { memorySize: 64 * 2 ** 20, diskFreeMin: 0 } }, nodeMachine)

/** Opens what the disk has. `tell(level, event, fields)` hears what is said of it. Rejects with whatever opening rejects with. */
export async function openBroker(disk, tell, { segmentSize = 128 * 1024, spareCount = 1, snapshotEvery = 96 * 1024 } = {}) {
  const clock = nodeClock()
  let turn
  const log = await openLocalLog(disk, {
    clock,
    entropy: nodeEntropy,
    later: nodeLater,
    wake: () => turn !== undefined && clock.soon(turn.run),
    segmentSize,
    spareCount,
  })
  const store = await openStore(log, tell, clock.now)
  turn = new Turn({
    clock,
    entropy: nodeEntropy,
    log: tell,
    limits,
    authenticator: { check: (_who, done) => done(fullAccess) },
    virtualHosts: ['default'],
    version: '0',
    store,
    snapshotEvery,
  })
  clock.soon(turn.run)
  return {
    store,
    connect: () => embed((transport) => turn.accept(transport)),
    /** It is no more; whoever was connected hears of it. */
    kill() {
      disk.endLife()
      turn.stop()
    },
  }
}
