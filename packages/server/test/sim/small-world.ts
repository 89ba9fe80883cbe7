/** A simulated broker without a workload: a test says who comes, what they do, and how the network is. */
import {
  drawProfile,
  fairWeather,
  Random,
  RawPeer,
  type RawChannel,
  SimBroker,
  type SimBrokerOptions,
  Vocabulary,
  type Weather,
  type World,
} from '../../dist/sim/index.js'

export class SmallWorld {
  readonly broker: SimBroker
  readonly #world: World

  constructor(options: Partial<SimBrokerOptions> = {}) {
    this.broker = new SimBroker({ seed: 1, ...options })
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
      fail: (failure) => {
        throw failure
      },
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

  until(isSo: () => boolean): void {
    while (!isSo()) if (!this.broker.timeline.step()) throw new Error('nothing happens any more')
  }

  /** Lets everything happen that is due within so long. */
  pass(ms: number): void {
    const { timeline } = this.broker
    const end = timeline.now + ms
    while (timeline.next <= end) timeline.step()
  }
}

/** A path to the client that holds so little that writes stay pending. */
export function narrow(capacity = 2_000): Weather {
  const { up, down } = fairWeather()
  return { up, down: { ...down, capacity } }
}
