/** A connection: a channel of its own, the other channels, and what happens to it. */
import { checkListener } from './arguments.js'
import { EncodedBody } from './body.js'
import { ClientChannel, type Shared } from './channel.js'
import type { ChannelConsumer } from './consuming/consumer.js'
import { WaybillError } from './errors.js'
import { EncodedNames } from './publishing/names.js'
import type { Lifeline } from './recovery/lifeline.js'
import { closedError } from './recovery/refusals.js'
import { Requests } from './requests/request.js'
import type { Channel, Connection, Status } from './types.js'

export class ClientConnection extends ClientChannel implements Connection {
  readonly #shared: Shared

  /** The lifeline is connected. */
  constructor(lifeline: Lifeline) {
    const requests: Requests = new Requests({
      clock: lifeline.clock,
      declareReplyQueue: async () => (await this.declareQueue(undefined, { exclusive: true })).queue,
      consumeReplies: async (queue, handler) => {
        const consumer = (await this.consume(queue, handler as never, { ack: 'none' })) as ChannelConsumer
        return {
          ended: consumer.closed.then(({ error }) => error ?? new WaybillError('CLOSED', 'the connection was closed before the reply')),
        }
      },
    })
    const shared: Shared = { lifeline, names: new EncodedNames(), body: new EncodedBody(), requests, channels: new Set() }
    super(shared, lifeline.channels[0])
    this.#shared = shared
  }

  get status(): Status {
    return this.#shared.lifeline.status
  }

  on(event: 'status', listener: (status: Status) => void): this {
    checkListener('a connection', event, 'status', listener)
    this.#shared.lifeline.on(listener)
    return this
  }

  off(event: 'status', listener: (status: Status) => void): this {
    checkListener('a connection', event, 'status', listener)
    this.#shared.lifeline.off(listener)
    return this
  }

  async channel(): Promise<Channel> {
    this.assertOpen()
    const channel = new ClientChannel(this.#shared, await this.#shared.lifeline.openChannel())
    this.#shared.channels.add(channel)
    return channel
  }

  /** Every channel finishes, then the socket ends. */
  protected override async end(timeoutMs: number): Promise<void> {
    const { lifeline, requests, channels } = this.#shared
    const { clock } = lifeline
    const deadline = clock.now() + timeoutMs
    await Promise.all([this.finish(timeoutMs), ...[...channels].map((channel) => channel.finish(timeoutMs))])
    requests.end(closedError(new WaybillError('CLOSED', 'the connection was closed before the reply')))
    await lifeline.close(Math.max(1_000, deadline - clock.now()))
  }
}
