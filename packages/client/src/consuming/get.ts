/** One call of `get()`, over as many connections as it takes: a lost one has given back what was on its way, so the next is asked again. */
import { WaybillError } from '../errors.js'
import type { Lifeline } from '../recovery/lifeline.js'
import { answerMsMax } from '../recovery/restore.js'
import type { ChannelCore } from '../session/channel-core.js'
import { onAbort } from '../signals.js'
import { GetTarget } from './get-target.js'
import type { Delivery } from './message.js'

/** Undefined: no message came within `waitMs`. When the signal is aborted nobody waits any more, and a message that comes nevertheless goes back. */
export async function getOne(
  core: ChannelCore,
  lifeline: Lifeline,
  queue: string,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<Delivery | undefined> {
  const { clock } = lifeline
  const deadline = clock.now() + waitMs
  for (;;) {
    const id = core.nextConsumerId()
    const target = new GetTarget(core, queue)
    const unwant = (): void => target.unwant()
    const unlisten = signal === undefined ? undefined : onAbort(signal, unwant)
    core.add(id, target)
    try {
      const link = lifeline.link ?? (await lifeline.online(deadline + answerMsMax))
      const left = Math.max(0, Math.ceil(deadline - clock.now()))
      try {
        await link.request('get', core.number, { consumer: id, queue, ack: 'manual', waitMs: left }, left + answerMsMax)
        return target.delivery
      } catch (error) {
        const isLost = !link.alive && error instanceof WaybillError && error.code === 'CONNECTION_LOST'
        if (!isLost || lifeline.ended !== undefined || signal?.aborted) throw error
      }
    } finally {
      core.remove(id)
      unlisten?.()
    }
  }
}

/** What `start` gives, unless the signal is aborted before: then `ABORTED`. */
export function untilAborted<T>(signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const aborted = (): WaybillError => new WaybillError('ABORTED', 'the call was aborted by its signal', { cause: signal.reason })
  if (signal.aborted) return Promise.reject(aborted())
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted())
    const unlisten = onAbort(signal, abort)
    start(signal).then(resolve, reject).finally(unlisten)
  })
}
