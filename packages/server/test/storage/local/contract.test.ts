import { mkdtempSync, openSync, readSync, rmSync, writeSync, closeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type DataLock, lockData } from '../../../dist/host/data-lock.js'
import { NodeDisk } from '../../../dist/host/node-disk.js'
import { nodeEntropy } from '../../../dist/host/node-entropy.js'
import { SimDisk } from '../../../dist/sim/disk.js'
import { Random } from '../../../dist/sim/random.js'
import { openLocalLog } from '../../../dist/storage/local/index.js'
import { segmentName } from '../../../dist/storage/local/names.js'
import { offsetOf, segmentIdOf } from '../../../dist/storage/local/segment.js'
import { type LogHome, logContract } from '../../../dist/testing/index.js'
import { later } from '../../stage/later.js'

const MiB = 1 << 20
const common = { clock: { wall: () => Date.now() }, entropy: nodeEntropy, later, segmentSize: MiB }

/** A directory of this machine, with its lock. */
function directoryHome(): LogHome {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-log-'))
  let lock: DataLock | undefined
  return {
    owners: 'refused',
    async open({ wake }) {
      const taken = await lockData(directory)
      lock = taken
      const log = await openLocalLog(new NodeDisk(directory), { ...common, wake })
      const close = log.close.bind(log)
      log.close = (done) => close(() => void taken.release().then(done))
      return log
    },
    damage(position) {
      const descriptor = openSync(join(directory, segmentName(segmentIdOf(position))), 'r+')
      const byte = Buffer.alloc(1)
      readSync(descriptor, byte, 0, 1, offsetOf(position) + 50)
      byte[0] ^= 4
      writeSync(descriptor, byte, 0, 1, offsetOf(position) + 50)
      closeSync(descriptor)
    },
    async remove() {
      await lock?.release()
      rmSync(directory, { recursive: true })
    },
  }
}

/** The simulated disk, in real time. */
function simulatedHome(): LogHome {
  let disk = new SimDisk({ random: new Random(7), later, syncMs: { least: 0, most: 2 } })
  return {
    owners: 'unguarded',
    open: ({ wake }) => openLocalLog(disk, { ...common, wake }),
    damage: (position) => void disk.flip(segmentName(segmentIdOf(position)), offsetOf(position) + 50),
    cutPower() {
      disk = disk.cut()
    },
    failSyncs: (isFailing) => disk.failSyncs(isFailing ? Infinity : 0),
    remove: async () => undefined,
  }
}

logContract((name, run) => t.test(name, run), 'log in a directory', directoryHome)
logContract((name, run) => t.test(name, run), 'log on a simulated disk', simulatedHome)
