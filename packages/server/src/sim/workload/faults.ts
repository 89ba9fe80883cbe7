/** What goes wrong with the network and the broker's process, a fault a function. Each says when it has done something: only then it counts. */
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
  /** Nobody acts for so long. False: they do not anyway. */
  readonly rest: (ms: number) => boolean
  /** It has done something. Counted once. */
  readonly hit: () => void
}

/** A cable is put back after a while, often longer than anybody waits; then TCP finds that the other end has forgotten the connection. */
const cutMs = (random: Random): number => (random.chance(0.5) ? random.spread(100, 20_000) : random.between(60_000, 200_000))
/** As long as a reader may stop before it is given up, or longer. */
const pauseMs = (random: Random): number => (random.chance(0.7) ? random.spread(10, 20_000) : random.between(50_000, 130_000))

export const faultOf: Readonly<Record<Fault, (scene: FaultScene) => void>> = {
  reset({ connection, hit }) {
    if (connection === undefined) return
    connection.reset()
    hit()
  },
  cut: (scene) => cut(scene, 'both'),
  'cut one way': (scene) => cut(scene, scene.random.pick(['up', 'down'])),

  'slow reader'({ connection, random, world, hit }) {
    if (connection === undefined) return
    connection.down.pause(hit)
    world.timeline.in(pauseMs(random), () => connection.down.resume())
  },

  /** It takes nothing any more, and nobody else does anything until the broker must have noticed. */
  'stopped reader'({ connection, random, world, rest, hit }) {
    if (connection === undefined) return
    connection.down.pause(hit)
    connection.down.weather = { ...connection.down.weather, capacity: 1 }
    world.timeline.in(random.spread(1, 300), () => void rest(random.between(60_000, 140_000)))
    world.timeline.in(200_000, () => connection.reset())
  },

  stall({ clock, random, process, hit }) {
    if (process?.isThere === false) return
    if (clock.stall(random.spread(5, 30_000))) hit()
  },

  'wall jump'({ clock, random, hit }) {
    clock.jumpWall(random.pick([-1, 1]) * random.spread(1_000, 86_400_000))
    hit()
  },

  'refuse connections': ({ world, random, hit }) => world.network.refuse(random.spread(10, 5_000), hit),

  lull({ rest, random, hit }) {
    if (rest(random.spread(500, 100_000))) hit()
  },

  kill: (scene) => end(scene, 'kill'),
  'power cut': (scene) => end(scene, 'power cut'),
  'kill in an operation': ({ process, random, hit }) => process?.endIn(random.spread(1, 60) - 1, 'kill', hit),
  'power cut in an operation': ({ process, random, hit }) => process?.endIn(random.spread(1, 60) - 1, 'power cut', hit),
  'sync fails': ({ process, hit }) => process?.disk.failSyncs(1, hit),

  'syncs fail for a while'({ process, random, world, hit }) {
    process?.disk.failSyncs(Infinity, hit)
    world.timeline.in(random.spread(100, 10_000), () => process?.disk.failSyncs(0))
  },

  'write fails': ({ process, random, hit }) => process?.disk.failWrites('broken', random.spread(1, 3), hit),
  'short write': ({ process, random, hit }) => process?.disk.failWrites('full', random.spread(1, 3), hit),

  'full disk'({ process, random, world, hit }) {
    if (process === undefined) return
    process.fill(random.spread(1, 300_000), world.limits.diskFreeMin, hit)
    world.timeline.in(random.spread(100, 20_000), () => process.fill(Infinity))
  },

  'bit rot'({ process, random, hit }) {
    if (process?.rot(random)) hit()
  },

  'slow syncs'({ process, random, world, hit }) {
    process?.slow(random.spread(10, 2_000), hit)
    world.timeline.in(random.spread(100, 10_000), () => process?.slow(0))
  },
}

function end({ process, hit }: FaultScene, how: 'kill' | 'power cut'): void {
  if (process === undefined || !process.isThere) return
  process.end(how)
  hit()
}

function cut({ world, random, connection, hit }: FaultScene, direction: 'up' | 'down' | 'both'): void {
  if (connection === undefined) return
  if (connection.cut(direction)) hit()
  world.timeline.in(cutMs(random), () => connection.reset())
}
