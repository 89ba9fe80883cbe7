/**
 * A log that has been opened, and what a broker goes on with from it. What was wrong with it is told, each thing by its place.
 */
import type { DurableState } from '../broker/durable.js'
import type { Log } from '../ports/log.js'
import type { Logger } from '../ports/logger.js'
import type { IdIndex } from './id-index.js'
import type { MovedIndex } from './moved-index.js'
import { recover, type RecoveryReport } from './recovery.js'

export interface OpenStore {
  readonly log: Log
  readonly state: DurableState
  readonly index: IdIndex
  readonly moved: MovedIndex
  readonly report: RecoveryReport & { readonly ms: number }
}

/** `now`: monotonic ms; `startedAt` is when opening began. Throws SnapshotProblem for what a newer version wrote, and whatever the log throws. */
export async function openStore(log: Log, tell: Logger, now: () => number, startedAt = now()): Promise<OpenStore> {
  const { report, ...recovered } = await recover(log)
  const { damage, torn } = report
  for (const { segment, where, message } of damage) tell('error', 'data-damaged', { segment, where, message })
  if (torn !== undefined) tell('warn', 'data-torn-tail', { segment: torn.segment, where: torn.where, message: torn.message })
  return { log, ...recovered, report: { ...report, ms: now() - startedAt } }
}
