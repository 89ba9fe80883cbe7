/**
 * The simulated network: clients connect, each connection has weather of its own, drawn from the seed.
 *
 * What can happen to a connection: pieces of any size down to one byte, latency, a narrow path, small kernel buffers, a reader that
 * stops for a while, a reset, a cut in one direction or both.
 */
import type { Transport, TransportHandler } from '../../ports/transport.js'
import type { Random } from '../random.js'
import type { ClientHandlers } from './client-end.js'
import { SimConnection, type Weather } from './connection.js'
import type { NetworkContext } from './context.js'
import { type PipeWeather, pieceSizeMax } from './pipe.js'

export type { Weather } from './connection.js'

export type Accept = (transport: Transport, connection: SimConnection) => TransportHandler

export class SimNetwork {
  readonly #context: NetworkContext
  readonly #accept: Accept
  readonly #connections = new Set<SimConnection>()
  #nextNumber = 1
  /** No connection is accepted before then. */
  #refusingUntil = 0
  #refused: () => void = () => undefined
  /** There is no broker. */
  isDown = false

  constructor(context: NetworkContext, accept: Accept) {
    this.#context = context
    this.#accept = accept
  }

  /** Those that are not over at both ends. */
  get connections(): readonly SimConnection[] {
    for (const connection of this.#connections) if (connection.isOver) this.#connections.delete(connection)
    return [...this.#connections]
  }

  connect(handlers: ClientHandlers, weather: Weather): SimConnection {
    const { timeline, clock } = this.#context
    const connection = new SimConnection(this.#nextNumber++, this.#context, weather, handlers)
    this.#connections.add(connection)
    timeline.in(weather.up.latencyMs + weather.down.latencyMs, () => {
      const isRefused = timeline.now < this.#refusingUntil
      if (isRefused && !this.isDown) this.#refused()
      if (this.isDown || isRefused) connection.client.close(new Error('connect ECONNREFUSED'))
      else clock.whenAwake(() => connection.establish((transport) => this.#accept(transport, connection)), 0)
    })
    return connection
  }

  /** New connections are refused for so long. `refused`: one was. */
  refuse(ms: number, refused: () => void = () => undefined): void {
    this.#refusingUntil = this.#context.timeline.now + ms
    this.#refused = refused
  }

  /** The broker's process has ended. */
  crash(isPowerCut: boolean): void {
    this.isDown = true
    for (const connection of this.#connections) connection.crash(isPowerCut)
  }

  checkPending(): void {
    for (const connection of this.#connections) connection.checkPending()
  }
}

/** Everything at once, and at once: for tests of other things. */
export function fairWeather(): Weather {
  const way: PipeWeather = { capacity: 1 << 20, latencyMs: 0.05, sizePerMs: 1 << 20, pieceSize: () => pieceSizeMax }
  return { up: way, down: way }
}

/** How the network is today: most paths are good, a few are bad in one way or another. */
export function randomWeather(random: Random): Weather {
  return { up: randomWay(random), down: randomWay(random) }
}

/** From crumbs to everything. When much is waiting a piece may be large all the same, so that a megabyte does not take a million of them. */
const pieceSizes = [
  (random: Random) => (waiting: number) =>
    random.chance(400 / (400 + waiting)) ? random.between(1, 3) : random.spread(100, waiting + 100),
  (random: Random) => (waiting: number) =>
    random.chance(4_000 / (4_000 + waiting)) ? random.spread(1, 100) : random.spread(100, waiting + 100),
  (random: Random) => () => random.spread(1, 4_000),
  (random: Random) => () => random.spread(20, pieceSizeMax),
  () => () => pieceSizeMax,
]

function randomWay(random: Random): PipeWeather {
  return {
    capacity: random.chance(0.3) ? random.spread(1_000, 20_000) : random.spread(16_000, 1_000_000),
    latencyMs: random.chance(0.2) ? random.next() * 80 : 0.05 + random.next(),
    sizePerMs: random.chance(0.1) ? random.spread(20, 2_000) : random.spread(20_000, 2_000_000),
    pieceSize: pieceSizes[random.weighted({ 0: 6, 1: 12, 2: 25, 3: 30, 4: 27 })! as unknown as number]!(random),
  }
}
