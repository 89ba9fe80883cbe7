/**
 * Everything has a limit, each with its reason. Those that a peer can meet have the default of the specification [P-9.1]; all of
 * them can be configured between `min` and `max`, and are checked against one another by `limitProblems`.
 */
import { limits as spec } from '@waybill/protocol'

const KiB = 1_024
const MiB = 1_024 * KiB

/** What a frame holds besides the records of its largest message. */
const frameRoomSize = 64 * KiB

export interface LimitRow {
  /** Undefined: computed, see `limitsWith`. */
  readonly default: number | undefined
  readonly min: number
  readonly max: number
  readonly why: string
}

function row(value: number | undefined, min: number, max: number, why: string): LimitRow {
  return { default: value, min, max, why }
}

export const limitTable = {
  memorySize: row(
    undefined,
    16 * MiB,
    2 ** 48,
    'bytes of messages and of credit that publishers have not used; a quarter of the memory there is, as much again is the process itself',
  ),
  diskFreeMin: row(
    undefined,
    0,
    2 ** 48,
    'bytes that stay free on the disk of the data: below it publishers wait, before the disk is full for everybody; 1 GB or 5 % of the disk, whichever is more',
  ),
  connectionCount: row(spec.connectionCountMax.value, 1, 1_000_000, spec.connectionCountMax.reason),
  unauthenticatedCount: row(spec.unauthenticatedCountMax.value, 1, 1_000_000, spec.unauthenticatedCountMax.reason),
  unauthenticatedPerAddressCount: row(
    spec.unauthenticatedPerAddressCountMax.value,
    1,
    1_000_000,
    spec.unauthenticatedPerAddressCountMax.reason,
  ),
  channelCount: row(spec.channelCountMax.value, 1, 65_535, spec.channelCountMax.reason),
  consumerCount: row(spec.consumerCountMax.value, 1, 1_000_000, spec.consumerCountMax.reason),
  queueConsumerCount: row(spec.queueConsumerCountMax.value, 1, 1_000_000, spec.queueConsumerCountMax.reason),
  exchangeCount: row(spec.exchangeCountMax.value, 1, 10_000_000, spec.exchangeCountMax.reason),
  queueCount: row(spec.queueCountMax.value, 1, 10_000_000, spec.queueCountMax.reason),
  bindingCount: row(spec.bindingCountMax.value, 1, 100_000_000, spec.bindingCountMax.reason),
  messageSizeMax: row(spec.messageSizeMax.value, KiB, 512 * MiB, spec.messageSizeMax.reason),
  frameSizeMax: row(undefined, spec.openingFrameSizeMax.value, 512 * MiB + frameRoomSize, spec.frameSizeMax.reason),
  outboxSizeMax: row(spec.outboxSizeMax.value, 64 * KiB, 1_024 * MiB, spec.outboxSizeMax.reason),
  outboxStallMs: row(spec.outboxStallMs.value, 1_000, 3_600_000, spec.outboxStallMs.reason),
  handshakeMs: row(spec.handshakeMs.value, 100, 60_000, spec.handshakeMs.reason),
  frameMs: row(spec.frameMs.value, 100, 600_000, spec.frameMs.reason),
  heartbeatMs: row(spec.heartbeatMs.value, 0, spec.heartbeatMsMax.value, `${spec.heartbeatMs.reason}; 0: none`),
  drainMs: row(
    25_000,
    0,
    3_600_000,
    'what is being worked on when the broker is told to stop; less than the 30 s after which many supervisors kill',
  ),
} as const satisfies Record<string, LimitRow>

export type LimitName = keyof typeof limitTable
export type Limits = { readonly [K in LimitName]: number }

/** 5 % of the disk, and no less than 1 GB. */
export function diskReserve(diskSize: number): number {
  return Math.max(1_000_000_000, Math.floor(diskSize / 20))
}

/**
 * The limits that are given, and the defaults of the others. `memorySize` is what `memoryBudget` says, `diskSize` that of the disk with the data, 0 if there is
 * none; a frame holds the largest message.
 */
export function limitsWith(given: Partial<Limits>, memorySize: number, diskSize = 0): Limits {
  const limits = { ...given } as { [K in LimitName]: number }
  for (const name of Object.keys(limitTable) as LimitName[]) limits[name] ??= limitTable[name].default ?? 0
  limits.memorySize = given.memorySize ?? memorySize
  limits.diskFreeMin = given.diskFreeMin ?? diskReserve(diskSize)
  limits.frameSizeMax = given.frameSizeMax ?? limits.messageSizeMax + frameRoomSize
  return limits
}

/**
 * The limits of a broker that goes on with messages of up to `keptSize` bytes, which may be more than it takes now: it is to deliver them, so its frames are as
 * large as they need.
 */
export function limitsFor(keptSize: number, limits: Limits): Limits {
  return { ...limits, frameSizeMax: Math.max(limits.frameSizeMax, keptSize + frameRoomSize) }
}

export interface LimitProblem {
  readonly name: LimitName
  /** What it must be instead, and why. */
  readonly message: string
}

/** Limits that contradict one another. The one named is that which is easier to mend. */
export function limitProblems(limits: Limits): LimitProblem[] {
  const problems: LimitProblem[] = []
  const expect = (isGood: boolean, name: LimitName, message: string) => {
    if (!isGood) problems.push({ name, message })
  }
  const { memorySize, messageSizeMax, frameSizeMax, heartbeatMs, unauthenticatedCount, unauthenticatedPerAddressCount, connectionCount } =
    limits
  expect(
    messageSizeMax + frameRoomSize <= frameSizeMax,
    'frameSizeMax',
    `must be at least ${messageSizeMax + frameRoomSize}, to hold a message of messageSizeMax (${messageSizeMax}); leave it out`,
  )
  expect(
    messageSizeMax * 2 <= memorySize,
    'messageSizeMax',
    `must be at most half of memorySize (${memorySize}), so that one message does not hold up all others; at most ${Math.floor(memorySize / 2)}`,
  )
  expect(
    unauthenticatedCount <= connectionCount,
    'unauthenticatedCount',
    `must be at most connectionCount (${connectionCount}), as it counts some of those`,
  )
  expect(
    unauthenticatedPerAddressCount <= unauthenticatedCount,
    'unauthenticatedPerAddressCount',
    `must be at most unauthenticatedCount (${unauthenticatedCount}), as it counts some of those`,
  )
  expect(
    heartbeatMs === 0 || heartbeatMs >= spec.heartbeatMsMin.value,
    'heartbeatMs',
    `must be 0 or at least ${spec.heartbeatMsMin.value}: ${spec.heartbeatMsMin.reason}`,
  )
  return problems
}
