/**
 * A simulated broker without a workload: a test says who comes, what they do, and how the network is. What the checkers find wrong is thrown by the next
 * step, and no test waits for ever: a world takes so many steps and no more.
 */
import type { Connection, ConnectOptions } from '@waybill/client'
import { connectWith } from '@waybill/client/testing'
import {
  drawProfile,
  fairWeather,
  Random,
  RawPeer,
  type RawChannel,
  SimBroker,
  type SimBrokerOptions,
  type SimulationFailure,
  Vocabulary,
  type Weather,
  type World,
} from '../../dist/sim/index.js'
import { simulatedPorts } from './client-ports.js'

const stepsMax = 100_000

export class SmallWorld {
  readonly broker: SimBroker
  readonly #world: World
  #failure: SimulationFailure | undefined

  constructor(options: Partial<SimBrokerOptions> = {}) {
    const fail = (failure: SimulationFailure): void => {
      this.#failure ??= failure
    }
    this.broker = new SimBroker({ seed: 1, fail, ...options })
    const { timeline, network, checkers, tally, limits } = this.broker
    let publisher = 0
    this.#world = {
      timeline,
      network,
      checkers,
      tally,
      limits,
      vocabulary: new Vocabulary(new Random(1)),
      profile: { ...drawProfile(new Random(1)), heartbeatMs: 60_000 },
      isCalm: true,
      random: (purpose) => this.broker.random(purpose),
      nextPublisher: () => ++publisher,
      fail,
      delivered: () => undefined,
    }
  }

  /** A client with an open channel. */
  client(weather: Weather = fairWeather()): { readonly peer: RawPeer; readonly channel: RawChannel } {
    const peer = new RawPeer(this.#world, new Random(1))
    peer.connect(weather)
    this.until(() => peer.isOpen)
    const channel = peer.openChannel()
    this.until(() => channel.isOpen)
    return { peer, channel }
  }

  /** The answer to a request, when it has come. */
  ask({ peer, channel }: { readonly peer: RawPeer; readonly channel: RawChannel }, type: number, body: object): object {
    let answer: object | undefined
    peer.request(type, channel.id, body, ({ result, error }) => {
      answer = result ?? error
    })
    this.until(() => answer !== undefined)
    return answer!
  }

  /** A client of the client package. Each of its connections gets the weather of then. */
  async connect(options: ConnectOptions, weather: () => Weather = fairWeather): Promise<Connection> {
    const ports = simulatedPorts(this.broker, new Random(3), weather)
    return this.kept(connectWith(ports, 'waybill://simulated', { name: 'simulated', log: () => undefined, ...options }))
  }

  /** What a promise comes to, while everything else goes on. */
  async kept<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    promise.then(settle, settle)
    while (!isSettled) await this.step()
    return promise
  }

  /** Lets everything happen that is due within so long, and what follows inside of clients. */
  async goOn(ms: number): Promise<void> {
    const { timeline } = this.broker
    const end = timeline.now + ms
    timeline.at(end, () => undefined)
    await ticks()
    while (timeline.next <= end) await this.step()
  }

  /** A broker that keeps is there, and may be called on. */
  async up(): Promise<void> {
    while (!this.broker.isUp) await this.step()
  }

  /** The broker's process ends; another one goes on with what the disk has. */
  async restart(how: 'kill' | 'power cut'): Promise<void> {
    this.broker.process!.end(how)
    await this.up()
  }

  async step(): Promise<void> {
    await ticks()
    this.#step()
    await ticks()
    this.#complain()
  }

  until(isSo: () => boolean): void {
    while (!isSo()) this.#step()
  }

  /** Lets everything happen that is due within so long. */
  pass(ms: number): void {
    const { timeline } = this.broker
    const end = timeline.now + ms
    timeline.at(end, () => undefined)
    while (timeline.next <= end) this.#step()
  }

  #step(): void {
    const { timeline } = this.broker
    this.#complain()
    if (timeline.stepCount >= stepsMax)
      throw new Error(`what is waited for has not come in ${stepsMax} steps, ${Math.round(timeline.now)} ms`)
    if (!this.broker.step()) throw new Error('nothing happens any more')
    this.#complain()
  }

  #complain(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

/** A path to the client that holds so little that writes stay pending. */
export function narrow(capacity = 2_000): Weather {
  const { up, down } = fairWeather()
  return { up, down: { ...down, capacity } }
}

/** A path on which everything takes so long, each way. */
export function distant(latencyMs: number): Weather {
  const { up, down } = fairWeather()
  return { up: { ...up, latencyMs }, down: { ...down, latencyMs } }
}

/** What follows from a step inside of clients. */
async function ticks(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => process.nextTick(resolve))
}
