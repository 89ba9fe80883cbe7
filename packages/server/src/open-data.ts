/**
 * The data directory of a broker in a Node process: taken, opened, recovered, told.
 *
 *     directory ─▶ owned by this process alone ─▶ disk ─▶ log ─▶ store
 */
import { checkFiles } from './data-files.js'
import { type DataLock, DataOwnedError, lockData } from './host/data-lock.js'
import { NodeDisk } from './host/node-disk.js'
import { nodeEntropy } from './host/node-entropy.js'
import { nodeLater } from './host/node-later.js'
import type { Clock } from './ports/clock.js'
import { DiskError } from './ports/disk.js'
import type { Logger } from './ports/logger.js'
import { openLocalLog } from './storage/local/index.js'
import { type OpenStore, openStore } from './storage/open-store.js'

/** What a broker began with. */
export interface BrokerData {
  /** As it was configured. */
  readonly directory: string
  /** The name of the log, with which every message id begins. */
  readonly log: string
  readonly queueCount: number
  /** One in three queues counts three times. */
  readonly messageCount: number
  /** Places that could not be read, each told in the log. */
  readonly damageCount: number
  /** How long it took to open. */
  readonly ms: number
}

export interface OpenData {
  readonly store: OpenStore
  readonly found: BrokerData
  /** Called when the log has something to say: a turn should run. */
  wake: () => void
  /** Another process may have the directory. After the log has been closed. */
  release(): Promise<void>
}

/** Makes the directory if it is not there. `segmentSize`: 64 MiB; tests have less patience. Rejects as `createBroker` does. */
export async function openData(directory: string, clock: Clock, tell: Logger, segmentSize?: number): Promise<OpenData> {
  const startedAt = clock.now()
  const disk = new NodeDisk(directory)
  const lock = await take(directory)
  disk.hasReaders = () => lock.hasReaders
  try {
    const open = { wake: () => {} }
    const missing = checkFiles(directory)
    if (missing !== undefined) tell('warn', 'data-missing', { directory, message: missing })
    const world = { clock, entropy: nodeEntropy, later: nodeLater, wake: () => open.wake() }
    const log = await openLocalLog(disk, segmentSize === undefined ? world : { ...world, segmentSize })
    const store = await openStore(log, tell, () => clock.now(), startedAt)
    const { queueCount, messageCount, damage, ms } = store.report
    const found = { directory, log: log.identity, queueCount, messageCount, damageCount: damage.length, ms }
    tell('info', 'data-opened', { ...found })
    return Object.assign(open, { store, found, release: () => lock.release() })
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Another owner is told as such; that there cannot be one is a fault of the disk. */
async function take(directory: string): Promise<DataLock> {
  try {
    return await lockData(directory)
  } catch (error) {
    if (error instanceof DataOwnedError) throw error
    throw new DiskError('broken', `cannot take the directory ${directory}: ${(error as Error).message}`)
  }
}
