/** What goes wrong with the network and the broker's process, a fault a function. */
import type { BrokerProcess } from '../broker-process.js'
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
  /** If the broker has a disk. */
  readonly process: BrokerProcess | undefined
  /** Nobody acts for so long. */
  readonly rest: (ms: number) => void
}

/** A cable is put back after a while, often longer than anybody waits; then TCP finds that the other end has forgotten the connection. */
const cutMs = (random: Random): number => (random.chance(0.5) ? random.spread(100, 20_000) : random.between(60_000, 200_000))
/** As long as a reader may stop before it is given up, or longer. */
const pauseMs = (random: Random): number => (random.chance(0.7) ? random.spread(10, 20_000) : random.between(50_000, 130_000))

export const faultOf: Readonly<Record<Fault, (scene: FaultScene) => void>> = {
  reset: ({ connection }) => connection?.reset(),
  cut: (scene) => cut(scene, 'both'),
  'cut one way': (scene) => cut(scene, scene.random.pick(['up', 'down'])),

  'slow reader'({ connection, random, world }) {
    if (connection === undefined) return
    connection.down.pause()
    world.timeline.in(pauseMs(random), () => connection.down.resume())
  },

  /** It takes nothing any more, and nobody else does anything until the broker must have noticed. */
  'stopped reader'({ connection, random, world, rest }) {
    if (connection === undefined) return
    connection.down.pause()
    connection.down.weather = { ...connection.down.weather, capacity: 1 }
    world.timeline.in(random.spread(1, 300), () => rest(random.between(60_000, 140_000)))
    world.timeline.in(200_000, () => connection.reset())
  },

  stall: ({ clock, random }) => clock.stall(random.spread(5, 30_000)),
  'wall jump': ({ clock, random }) => clock.jumpWall(random.pick([-1, 1]) * random.spread(1_000, 86_400_000)),
  'refuse connections': ({ world, random }) => world.network.refuse(random.spread(10, 5_000)),
  lull: ({ rest, random }) => rest(random.spread(500, 100_000)),

  kill: ({ process }) => process?.end('kill'),
  'power cut': ({ process }) => process?.end('power cut'),
  'kill in an operation': ({ process, random }) => process?.endIn(random.spread(1, 60) - 1, 'kill'),
  'power cut in an operation': ({ process, random }) => process?.endIn(random.spread(1, 60) - 1, 'power cut'),
  'sync fails': ({ process }) => process?.disk.failSyncs(1),

  'syncs fail for a while'({ process, random, world }) {
    process?.disk.failSyncs(Infinity)
    world.timeline.in(random.spread(100, 10_000), () => process?.disk.failSyncs(0))
  },

  'write fails': ({ process, random }) => process?.disk.failWrites('broken', random.spread(1, 3)),
  'short write': ({ process, random }) => process?.disk.failWrites('full', random.spread(1, 3)),

  'full disk'({ process, random, world }) {
    if (process === undefined) return
    process.fill(random.spread(1, 300_000))
    world.timeline.in(random.spread(100, 20_000), () => process.fill(Infinity))
  },

  'bit rot': ({ process, random }) => process?.rot(random),

  'slow syncs'({ process, random, world }) {
    process?.slow(random.spread(10, 2_000))
    world.timeline.in(random.spread(100, 10_000), () => process?.slow(0))
  },
}

function cut({ world, random, connection }: FaultScene, direction: 'up' | 'down' | 'both'): void {
  if (connection === undefined) return
  connection.cut(direction)
  world.timeline.in(cutMs(random), () => connection.reset())
}
