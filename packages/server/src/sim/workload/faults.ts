/** What goes wrong with the network and the broker's process, a fault a function. */
import type { SimClock } from '../clock.js'
import type { SimConnection } from '../network/connection.js'
import type { Random } from '../random.js'
import type { Fault } from './profile.js'
import type { World } from './world.js'

export interface FaultScene {
  readonly world: World
  readonly clock: SimClock
  readonly random: Random
  /** A connection that is up, if there is one. */
  readonly connection: SimConnection | undefined
  /** Nobody acts for so long. */
  readonly rest: (ms: number) => void
}

/** A cable is put back after at most so long; then TCP finds that the other end has forgotten the connection. */
const cutMsMax = 150_000

export const faultOf: Readonly<Record<Fault, (scene: FaultScene) => void>> = {
  reset: ({ connection }) => connection?.reset(),
  cut: (scene) => cut(scene, 'both'),
  'cut one way': (scene) => cut(scene, scene.random.pick(['up', 'down'])),

  'slow reader'({ connection, random, world }) {
    if (connection === undefined) return
    connection.down.pause()
    world.timeline.in(random.spread(10, 100_000), () => connection.down.resume())
  },

  stall: ({ clock, random }) => clock.stall(random.spread(5, 30_000)),
  'wall jump': ({ clock, random }) => clock.jumpWall(random.pick([-1, 1]) * random.spread(1_000, 86_400_000)),
  'refuse connections': ({ world, random }) => world.network.refuse(random.spread(10, 5_000)),
  lull: ({ rest, random }) => rest(random.spread(500, 100_000)),
}

function cut({ world, random, connection }: FaultScene, direction: 'up' | 'down' | 'both'): void {
  if (connection === undefined) return
  connection.cut(direction)
  world.timeline.in(random.spread(100, cutMsMax), () => connection.reset())
}
