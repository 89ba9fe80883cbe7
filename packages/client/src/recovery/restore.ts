/**
 * Everything that was there, declared again on a new connection, in an order that works:
 *
 *     channels → exchanges → queues → bindings → consumers with their windows            publishing goes on when this has returned
 *
 * What the broker refuses is reported and the rest goes on; these functions reject only when the connection is lost on the way.
 */
import { type ChannelConsumer, refusedEnd } from '../consuming/consumer.js'
import { asWaybillError, WaybillError } from '../errors.js'
import type { ChannelCore } from '../session/channel-core.js'
import type { Link } from '../session/link.js'
import type { RestoreFailure } from '../types.js'
import type { Topology } from './topology.js'

/** How long the broker may take for an answer. */
export const answerMsMax = 30_000

export interface Restored {
  readonly restored: { readonly queues: number; readonly bindings: number; readonly consumers: number }
  readonly failed: readonly RestoreFailure[]
}

/** `drop` ends a channel that the broker does not open again. Consumers of queues that are locked are left for later. */
export async function restoreAll(
  link: Link,
  topology: Topology,
  cores: readonly ChannelCore[],
  drop: (core: ChannelCore, error: WaybillError) => void,
): Promise<Restored> {
  const opened = await Promise.allSettled(cores.map((core) => core.open(link, answerMsMax)))
  assertAlive(link)
  for (const [i, outcome] of opened.entries()) {
    if (outcome.status === 'fulfilled') continue
    // The first channel is the connection's own: without it there is nothing to restore on.
    if (cores[i].number === 1) throw outcome.reason
    drop(cores[i], asWaybillError(outcome.reason, 'CHANNEL_FAILED'))
  }
  const ask = (name: Parameters<Parameters<Topology['restore']>[0]>[0], body: object) => link.request(name, 1, body, answerMsMax)
  const { queues, bindings, failed } = await topology.restore(ask, () => (link.alive ? undefined : lostError(link)))
  const locked = new Set(lockedQueues(failed))
  const consumers = await restoreConsumers(link, cores, failed, (consumer) => !locked.has(consumer.queue))
  assertAlive(link)
  return { restored: { queues, bindings, consumers }, failed }
}

/** A channel that the broker closed, opened again on the same connection with its consumers. */
export async function restoreChannel(link: Link, core: ChannelCore): Promise<Restored> {
  const failed: RestoreFailure[] = []
  await core.open(link, answerMsMax)
  const consumers = await restoreConsumers(link, [core], failed, () => true)
  return { restored: { queues: 0, bindings: 0, consumers }, failed }
}

/** One queue with what belongs to it. Rejects when the queue itself is refused; undefined when it is no longer wanted. */
export async function restoreQueue(
  link: Link,
  topology: Topology,
  cores: readonly ChannelCore[],
  queue: string,
): Promise<Restored | undefined> {
  const { declared, bindings } = topology.ofQueue(queue)
  if (declared === undefined) return undefined
  await link.request('declareQueue', 1, declared, answerMsMax)
  const failed: RestoreFailure[] = []
  for (const binding of bindings) {
    try {
      await link.request('bindQueue', 1, binding, answerMsMax)
    } catch (error) {
      failed.push({ what: 'binding', name: `${binding.exchange} → ${queue}`, error: asWaybillError(error, 'RESTORE_FAILED') })
    }
  }
  const bound = bindings.length - failed.length
  const consumers = await restoreConsumers(link, cores, failed, (consumer) => consumer.queue === queue)
  return { restored: { queues: 1, bindings: bound, consumers }, failed }
}

/** Queues that the broker still holds for somebody, perhaps for our former self. */
export function lockedQueues(failed: readonly RestoreFailure[]): string[] {
  return failed.filter(({ what, error }) => what === 'queue' && error.code === 'RESOURCE_LOCKED').map(({ name }) => name)
}

async function restoreConsumers(
  link: Link,
  cores: readonly ChannelCore[],
  failed: RestoreFailure[],
  isWanted: (consumer: ChannelConsumer) => boolean,
): Promise<number> {
  const one = async (core: ChannelCore, consumer: ChannelConsumer): Promise<boolean> => {
    try {
      await link.request('consume', core.number, consumer.request(), answerMsMax)
      return true
    } catch (error) {
      if (!link.alive) return false
      failed.push({ what: 'consumer', name: consumer.queue, error: asWaybillError(error, 'REFUSED') })
      consumer.ended(refusedEnd(error))
      return false
    }
  }
  const all = cores.flatMap((core) =>
    core.consumers.filter((each) => each.established && each.isOpen && isWanted(each)).map((each) => one(core, each)),
  )
  return (await Promise.all(all)).filter((isRestored) => isRestored).length
}

function assertAlive(link: Link): void {
  if (!link.alive) throw lostError(link)
}

function lostError(link: Link): WaybillError {
  return new WaybillError('CONNECTION_LOST', `${link.host}: lost while restoring`, { retryable: true })
}
