/** What the client package stands on, simulated: time from the timeline, connections through the network. */
import type { Ports } from '@waybill/client/testing'
import type { Random, SimBroker, Weather } from '../../dist/sim/index.js'

/** A day like any other. */
const firstMs = 1_767_225_600_000

/** `random`: the client's own. `weather`: that of its next connection. `opened`: told the number of each connection. */
export function simulatedPorts(
  { timeline, network }: Pick<SimBroker, 'timeline' | 'network'>,
  random: Random,
  weather: () => Weather,
  opened: (connection: number) => void = () => undefined,
): Ports {
  return {
    clock: {
      now: () => firstMs + timeline.now,
      setTimeout: (callback, delayMs) => timeline.in(Math.max(0, delayMs), callback),
      clearTimeout: (timer) => timeline.cancel(timer as Parameters<typeof timeline.cancel>[0]),
      random: () => random.next(),
    },
    transport: {
      open: (_target: unknown, handlers: Parameters<typeof network.connect>[0]) => {
        const { number, client } = network.connect(handlers, weather())
        opened(number)
        return client
      },
    },
  }
}
