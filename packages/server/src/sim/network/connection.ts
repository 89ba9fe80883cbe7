/**
 * A connection of the simulated network: a pipe each way and an end on each side.
 *
 *     ClientEnd ── up ──▶ BrokerEnd ─▶ handler.ingest
 *               ◀─ down ──
 *
 * Its ends behave as sockets of Node do: who has read the other's end and has ended is closed. The client's ends when it reads an end;
 * the broker's leaves that to its session.
 */
import type { Transport, TransportHandler } from '../../ports/transport.js'
import { BrokerEnd } from './broker-end.js'
import { ClientEnd, type ClientHandlers } from './client-end.js'
import type { NetworkContext, Wire } from './context.js'
import { Pipe, type PipeWeather } from './pipe.js'

export interface Weather {
  readonly up: PipeWeather
  readonly down: PipeWeather
}

export class SimConnection implements Wire {
  readonly number: number
  readonly up: Pipe
  readonly down: Pipe
  readonly broker: BrokerEnd
  readonly client: ClientEnd
  /** Whether the broker has accepted it. */
  established = false
  establishedAt = 0
  readonly #context: NetworkContext

  constructor(number: number, context: NetworkContext, weather: Weather, handlers: ClientHandlers) {
    this.number = number
    this.#context = context
    const { timeline, clock } = context
    this.up = new Pipe(timeline, weather.up, {
      read: (piece) => this.broker.read(piece),
      ended: () => this.broker.readEnd(),
      whenAwake: (run) => clock.whenAwake(run, 0),
      sizeMax: () => this.broker.readSizeMax,
    })
    this.down = new Pipe(timeline, weather.down, {
      read: (piece) => this.client.read(piece),
      ended: () => this.client.readEnd(),
      whenAwake: (run) => run(),
      sizeMax: () => context.clientLanding.size,
    })
    this.broker = new BrokerEnd(this, context)
    this.client = new ClientEnd(this, context, handlers)
  }

  /** The broker takes it, unless the client has given it up meanwhile. */
  establish(accept: (transport: Transport) => TransportHandler): void {
    if (this.client.isClosed) return
    this.established = true
    this.establishedAt = this.#context.timeline.now
    this.broker.accepted(accept(this.broker))
    this.client.established()
  }

  get isOver(): boolean {
    return this.client.isClosed && (!this.established || this.broker.isClosed)
  }

  /** At both ends. */
  get isUp(): boolean {
    return this.established && !this.client.isClosed && !this.broker.isClosed
  }

  /** What is on its way is lost, and both ends are told, each in its time. */
  reset(): void {
    this.up.close()
    this.down.close()
    const { timeline, clock, random } = this.#context
    if (this.established) timeline.in(random.next() * 5, () => clock.whenAwake(() => this.broker.close('read ECONNRESET'), 0))
    timeline.in(random.next() * 5, () => this.client.close(new Error('read ECONNRESET')))
  }

  /** The broker's process has ended. Its kernel says so, unless the power has gone: then the client hears of it when the machine is back. */
  crash(isPowerCut: boolean): void {
    const { timeline, random } = this.#context
    const refuse = (error: string): void => this.client.close(new Error(error))
    if (!this.established) timeline.in(random.next() * 5, () => refuse('connect ECONNREFUSED'))
    else if (!this.broker.isClosed) {
      this.broker.orphan()
      const unread = this.up.size > 0
      this.up.close()
      if (!isPowerCut && !unread) this.down.end()
      else {
        this.down.close()
        timeline.in(isPowerCut ? random.spread(1, 5_000) : random.next() * 5, () => refuse('read ECONNRESET'))
      }
    }
  }

  /** Nothing comes through any more, and nobody is told: a cable has been pulled. False: nothing has anyway. */
  cut(direction: 'up' | 'down' | 'both'): boolean {
    const isUpCut = direction !== 'down' && this.up.cut()
    const isDownCut = direction !== 'up' && this.down.cut()
    return isUpCut || isDownCut
  }

  /** What the kernel has is still sent, or, if the broker has left bytes unread, nothing is. */
  abandonedByBroker(): void {
    const unread = this.up.size > 0
    this.up.close()
    if (unread) this.reset()
    else this.down.end()
  }

  abandonedByClient(): void {
    const unread = this.down.size > 0
    this.down.close()
    if (!this.established) return
    if (unread) this.reset()
    else this.up.end()
  }

  /** Everything that is being written is as it was when it was written. */
  checkPending(): void {
    this.broker.checkPending()
    this.client.checkPending()
  }
}
