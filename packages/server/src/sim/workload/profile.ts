/**
 * What kind of day it is: how many clients, how large their messages, what they do often and what never, what goes wrong. Drawn from
 * the seed, so that some seeds are all of one thing: combinations that an average day would never show.
 */
import type { DataOptions } from '../broker-process.js'
import type { Random } from '../random.js'

export const actions = [
  'publish',
  'publish bulk',
  'consume',
  'cancel',
  'window',
  'settle',
  'get',
  'declare queue',
  'check queue',
  'purge queue',
  'delete queue',
  'declare exchange',
  'check exchange',
  'delete exchange',
  'bind queue',
  'unbind queue',
  'bind exchange',
  'unbind exchange',
  'list',
  'open channel',
  'close channel',
  'close connection',
  'vanish',
  'misdeed',
] as const
export type Action = (typeof actions)[number]

export const faults = [
  'reset',
  'cut',
  'cut one way',
  'slow reader',
  'stopped reader',
  'stall',
  'wall jump',
  'refuse connections',
  'lull',
] as const

/** What goes wrong with the disk, and with the process that uses it. */
export const diskFaults = [
  'kill',
  'power cut',
  'kill in an operation',
  'power cut in an operation',
  'sync fails',
  'syncs fail for a while',
  'write fails',
  'short write',
  'full disk',
  'slow syncs',
  'bit rot',
] as const
export type DiskFault = (typeof diskFaults)[number]
export type Fault = (typeof faults)[number] | DiskFault

const usualWeights: Readonly<Record<Action, number>> = {
  publish: 30,
  'publish bulk': 2,
  consume: 6,
  cancel: 2,
  window: 3,
  settle: 20,
  get: 4,
  'declare queue': 5,
  'check queue': 2,
  'purge queue': 0.7,
  'delete queue': 0.7,
  'declare exchange': 4,
  'check exchange': 1,
  'delete exchange': 0.7,
  'bind queue': 6,
  'unbind queue': 1,
  'bind exchange': 2,
  'unbind exchange': 0.7,
  list: 1.5,
  'open channel': 1.5,
  'close channel': 0.7,
  'close connection': 0.2,
  vanish: 0.2,
  misdeed: 1,
}

export interface Profile {
  readonly rawCount: number
  readonly clientCount: number
  readonly weights: Readonly<Record<Action, number>>
  readonly faultWeights: Readonly<Record<Fault, number>>
  /** Between two faults. */
  readonly faultEveryMs: number
  /** Between two actions of a client. */
  readonly thinkMs: number
  readonly bodySizeMax: number
  readonly memorySize: number
  readonly outboxSizeMax: number
  readonly heartbeatMs: number
  /** The broker cannot say where bytes land. */
  readonly readsByData: boolean
  /** Whether a `get` may want its message at once, which makes the broker deliver in the middle of other requests. */
  readonly getsAtOnce: boolean
  /** The broker ends by draining, not by losing its clients. */
  readonly drains: boolean
  /** Undefined: nothing is kept. */
  readonly data: DataOptions | undefined
}

export function drawProfile(random: Random): Profile {
  const weights = { ...usualWeights }
  for (const action of actions)
    if (random.chance(0.12) && action !== 'publish' && action !== 'settle') weights[action] *= random.pick([0, 0, 0.3, 4])
  const faultWeights = {} as Record<Fault, number>
  for (const fault of faults) faultWeights[fault] = random.chance(0.6) ? random.spread(1, 8) : 0
  const isKeeping = random.chance(0.9)
  for (const fault of diskFaults) faultWeights[fault] = isKeeping && random.chance(0.6) ? random.spread(1, 8) : 0
  // Once a bit has turned a part of what is known is not sure any more: that is for days of their own.
  if (random.chance(0.5)) faultWeights['bit rot'] = 0
  const data = isKeeping ? drawData(random, faultWeights['bit rot'] > 0) : undefined
  if (data === undefined) faultWeights.reset++
  else faultWeights.kill++
  return {
    rawCount: random.between(1, 4),
    clientCount: random.chance(0.8) ? random.between(1, 3) : 0,
    weights,
    faultWeights,
    faultEveryMs: random.spread(30, 3_000),
    thinkMs: random.spread(1, 40),
    bodySizeMax: random.pick([40, 400, 4_000, 30_000, 300_000]),
    memorySize: random.pick([6, 8, 12, 24, 64]) << 20,
    outboxSizeMax: random.pick([64 << 10, 512 << 10, 8 << 20]),
    heartbeatMs: random.pick([5_000, 20_000, 60_000]),
    readsByData: random.chance(0.15),
    getsAtOnce: random.chance(0.5),
    drains: random.chance(0.3),
    data,
  }
}

/** So small that segments are ended, dropped and used again, and snapshots made, within a day. `isRotten`: what is harmed shall be read, too. */
function drawData(random: Random, isRotten: boolean): DataOptions {
  return {
    segmentSize: random.pick([4, 8, 16, 64, 256]) << 10,
    snapshotEvery: random.pick([8, 32, 128, 512]) << 10,
    spareCount: random.pick([0, 1, 2, 2]),
    syncMs: { least: 0.05, most: random.pick([0.2, 5, 20, 50, 500]) },
    bytesPerMs: random.pick([20, 200, 2_000, 100_000]),
    coldShare: random.pick(isRotten ? [0.1, 0.5] : [0, 0.02, 0.1, 0.5]),
  }
}
