/** The beginning of a consumer: it can take deliveries before the broker is asked for them, and nothing is delivered to one that has left meanwhile. */
import type { ConsumeRequest } from '@waybill/protocol'
import { asWaybillError, WaybillError } from '../errors.js'
import type { ChannelCore } from '../session/channel-core.js'
import type { ConsumeOptions } from '../types.js'
import { ChannelConsumer } from './consumer.js'
import type { Handler } from './handlers.js'

/**
 * `ask` sends CONSUME. Rejects when that is refused, when the signal was aborted before, and when the consumer was closed before it had
 * begun; of a stream (`selfSettled`) that is no failure, but its end.
 */
export async function startConsumer(
  core: ChannelCore,
  ask: (body: ConsumeRequest) => Promise<unknown>,
  queue: string,
  handler: Handler,
  options: ConsumeOptions,
  selfSettled: boolean,
): Promise<ChannelConsumer> {
  if (options.signal?.aborted) throw new WaybillError('ABORTED', 'the signal was aborted before', { cause: options.signal.reason })
  const consumer = new ChannelConsumer(core, core.nextConsumerId(), queue, handler, options, selfSettled)
  core.add(consumer.id, consumer)
  try {
    await ask(consumer.request())
  } catch (error) {
    const failure = asWaybillError(error, 'CONSUME_FAILED')
    const isLeft = selfSettled && consumer.isLeaving
    consumer.ended(isLeft ? { reason: 'closed' } : { reason: 'refused', error: failure })
    // The broker may make it all the same; then it must not deliver to nobody, again and again.
    if (failure.code === 'TIMEOUT') core.disown(consumer)
    if (isLeft) return consumer
    throw failure
  }
  consumer.established = true
  if (consumer.isLeaving) {
    // It was closed while the broker made it, and has not been cancelled.
    core.disown(consumer)
    // A handler may have closed it: then it has begun, and ended.
    if (!selfSettled && !consumer.hasBegun) throw new WaybillError('CLOSED', `the consumer of '${queue}' was closed before it had begun`)
  }
  return consumer
}
