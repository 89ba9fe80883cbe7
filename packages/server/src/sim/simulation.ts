/**
 * A whole broker with its clients, network and clock, from one number.
 *
 *     busy     clients act, faults happen                        at least `stepsMin` steps
 *     calm     no new faults; everybody settles and leaves       until all have gone
 *     drained  one client takes what is left                     until nothing is      (or the broker goes away, and all with it)
 *     over     the checkers add up; the broker holds nothing for anybody
 *
 * The same number gives the same run, to the last byte. A step is one thing that happens: bytes that arrive, a turn, a timer, an action.
 */
import type { ErrorName } from '@waybill/protocol'
import { Turn, type TurnLimits, type TurnOptions } from '../turn/turn.js'
import { Checkers } from './checkers/checkers.js'
import { SimClock } from './clock.js'
import { seededEntropy } from './entropy.js'
import { expect, fail, SimulationFailure } from './failure.js'
import { FrameWords } from './frame-words.js'
import type { SimConnection } from './network/connection.js'
import type { Doorkeeper, Landing } from './network/context.js'
import { SimNetwork } from './network/network.js'
import { Random } from './random.js'
import { Tally } from './tally.js'
import { Rank, Timeline } from './timeline.js'
import { Trace } from './trace.js'
import { drawProfile, type Profile } from './workload/profile.js'
import { Vocabulary } from './workload/vocabulary.js'
import { type PeerMaker, Workload } from './workload/workload.js'
import type { World } from './workload/world.js'

export interface SimulationOptions {
  readonly seed: number
  /** Steps of the busy days, at least. Default 2,500. */
  readonly stepsMin?: number
  /** Makes clients of the client package; without it there are raw peers only. */
  readonly makePeer?: PeerMaker
  /** Instead of what the seed draws. */
  readonly profile?: Partial<Profile>
  /** Called for every line of the trace. */
  readonly print?: (line: string) => void
}

export interface SimulationReport {
  readonly seed: number
  readonly steps: number
  /** Milliseconds of virtual time. */
  readonly timeMs: number
  /** Equal for equal runs. */
  readonly hash: number
  readonly tally: Tally
  /** Undefined when all is well. */
  readonly failure: SimulationFailure | undefined
  readonly lastLines: readonly string[]
}

const KiB = 1024
const MiB = 1024 * KiB
/** More steps than this do not come to rest. */
const stepsMax = 400_000
/** Clients of a broker that goes away may settle for so long. */
const drainMs = 20_000
/** Longer than all timeouts and the longest retry together. */
const restMsMax = 600_000

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const simulation = new Simulation(options)
  let failure: SimulationFailure | undefined
  try {
    await simulation.run()
  } catch (error) {
    failure = error instanceof SimulationFailure ? error : new SimulationFailure('exception', String((error as Error).stack ?? error))
  }
  const { timeline, trace, tally } = simulation
  const { hash, lastLines } = trace
  return { seed: options.seed, steps: timeline.stepCount, timeMs: timeline.now, hash, tally, failure, lastLines }
}

class Simulation {
  readonly timeline = new Timeline()
  readonly tally = new Tally()
  readonly trace: Trace
  readonly #stepsMin: number
  readonly #isPrinted: boolean
  readonly #clock: SimClock
  readonly #turn: Turn
  readonly #checkers: Checkers
  readonly #network: SimNetwork
  readonly #workload: Workload
  readonly #profile: Profile
  #isCalm = false
  #isDrained = false
  #failure: SimulationFailure | undefined

  constructor({ seed, stepsMin = 2_500, makePeer, profile, print }: SimulationOptions) {
    const random = (purpose: string): Random => Random.of(seed, purpose)
    this.#stepsMin = stepsMin
    this.trace = new Trace(print)
    this.#isPrinted = print !== undefined
    this.#profile = { ...drawProfile(random('profile')), ...profile }
    this.#clock = new SimClock(this.timeline, random('clock'))
    const limits = limitsOf(this.#profile)
    const checkers = new Checkers({ clock: this.#clock, tally: this.tally, limits })
    this.#checkers = checkers
    this.#turn = new Turn({
      clock: this.#clock,
      entropy: seededEntropy(random('broker')),
      log: (level, event) => this.trace.add(this.timeline.now, `${level} ${event}`),
      limits,
      authenticator: this.#authenticator(random('authenticator')),
      virtualHosts: ['default'],
      version: '0',
    })
    checkers.watch(this.#turn)
    this.#network = new SimNetwork(
      {
        timeline: this.timeline,
        clock: this.#clock,
        random: random('network'),
        doorkeeper: this.#doorkeeper(),
        brokerLanding: this.#brokerLanding(),
        clientLanding: { buffer: Buffer.alloc(256 * KiB), start: 0, size: 256 * KiB },
        tally: this.tally,
        readsByData: this.#profile.readsByData,
      },
      (transport) => this.#turn.accept(transport),
    )
    let publisher = 0
    const simulation = this
    const world: World = {
      timeline: this.timeline,
      network: this.#network,
      checkers,
      tally: this.tally,
      vocabulary: new Vocabulary(random('vocabulary')),
      profile: this.#profile,
      limits,
      get isCalm() {
        return simulation.#isCalm
      },
      random,
      nextPublisher: () => ++publisher,
      delivered: (channel) => this.#workload.delivered(channel),
      fail: (failure) => {
        this.#failure ??= failure
      },
    }
    this.#workload = new Workload(world, this.#clock, makePeer)
  }

  async run(): Promise<void> {
    while (this.timeline.stepCount < this.#stepsMin) await this.#step()
    this.#isCalm = true
    this.#network.refuse(0)
    this.trace.add(this.timeline.now, 'calm')
    if (this.#profile.drains) this.#drain()
    this.#workload.calm()
    await this.#untilOver()
    if (!this.#profile.drains) {
      this.trace.add(this.timeline.now, 'drained')
      this.#workload.drain()
      await this.#untilOver()
    }
    await this.#untilIdle()
    expect(!this.#profile.drains || this.#isDrained, 'drain', () => 'the broker was told to go away, and does not say that it has')
    this.trace.add(this.timeline.now, 'over')
    this.#checkers.atRest()
    this.#checkBroker()
  }

  /** The broker is told to stop while its clients are at work. */
  #drain(): void {
    const drain = (): void => {
      this.#checkers.draining = true
      this.#turn.drain(drainMs, () => {
        this.#isDrained = true
      })
    }
    this.#clock.whenAwake(drain, Rank.arrival)
  }

  async #step(): Promise<void> {
    if (!this.timeline.step()) fail('liveness', `nothing happens any more: ${this.#workload.waitsFor}`)
    // What follows from it inside the clients: they know promises and ticks, both in a fixed order.
    await settled()
    if (this.#failure !== undefined) throw this.#failure
  }

  async #untilOver(): Promise<void> {
    const until = this.timeline.now + restMsMax
    while (!this.#workload.isOver) {
      await this.#step()
      const waits = this.timeline.stepCount > stepsMax || this.timeline.now > until
      if (waits) fail('liveness', `it does not come to rest: ${this.#workload.waitsFor}`)
    }
  }

  /** All timers of the broker run out. */
  async #untilIdle(): Promise<void> {
    const until = this.timeline.now + restMsMax
    while (this.timeline.next <= until) await this.#step()
  }

  /** Nobody is connected and no queue holds anything: the broker holds no memory for anybody. */
  #checkBroker(): void {
    const { sessions, broker, credit } = this.#turn
    expect(sessions.size === 0, 'leak', () => `${sessions.size} sessions are left, states ${[...sessions].map(({ state }) => state).join(', ')}`)
    expect(credit.unusedSize === 0, 'leak', () => `${credit.unusedSize} bytes of credit belong to nobody`)
    const slabsUsed = this.#profile.drains ? 0 : broker.slabs.usedSize
    expect(slabsUsed <= 4 * MiB, 'leak', () => `${slabsUsed} bytes of slabs are used by nothing`)
    this.#checkers.invariants()
  }

  /** Takes its time, as the hashing of passwords does. */
  #authenticator(random: Random): TurnOptions['authenticator'] {
    return {
      check: ({ user, virtualHost, remote }, done) => {
        const refused = user === 'nobody'
        const refusal: ErrorName | undefined = refused || virtualHost !== 'default' ? 'authenticationFailed' : undefined
        const answer = (): void => {
          this.#checkers.authenticated(Number(remote.split(':')[1]) - 50_000, refusal)
          done(refused ? 'user or password is wrong' : everything)
        }
        this.timeline.in(random.spread(1, 100), () => this.#clock.whenAwake(answer, 0))
      },
    }
  }

  #doorkeeper(): Doorkeeper {
    const { trace, timeline } = this
    const checkers = this.#checkers
    const words = this.#isPrinted ? new FrameWords() : undefined
    const note = (connection: SimConnection, what: string, bytes?: Buffer): void => {
      trace.add(timeline.now, `${connection.number} ${what}`, bytes)
      if (words === undefined || bytes === undefined) return
      for (const line of words.of(`${connection.number} ${what}`, bytes)) trace.say(`             ${connection.number} ${what} ${line}`)
    }
    return {
      arrived(connection, bytes) {
        note(connection, '─▶', bytes)
        checkers.arrived(connection, bytes)
      },
      written(connection, bytes) {
        note(connection, '◀─', bytes)
        checkers.written(connection, bytes)
      },
      ended(connection) {
        note(connection, 'ended by the broker')
        checkers.ended(connection)
      },
      destroyed(connection) {
        note(connection, 'destroyed by the broker')
        checkers.destroyed(connection)
      },
      closed(connection) {
        note(connection, 'closed')
        checkers.closed(connection)
      },
    }
  }

  /** Where the broker reads, as its listener does. */
  #brokerLanding(): Landing {
    if (this.#profile.readsByData) return { buffer: Buffer.alloc(64 * KiB), start: 0, size: 64 * KiB }
    const { buffer, from, to } = this.#turn.landing()
    return { buffer, start: from, size: Math.min(to - from, 64 * KiB) }
  }
}

const everything = { user: 'somebody', refusal: () => undefined, monitorRefusal: () => undefined }

function limitsOf({ memorySize, outboxSizeMax, heartbeatMs }: Profile): TurnLimits {
  return {
    connectionCount: 1_000,
    unauthenticatedCount: 1_000,
    unauthenticatedPerAddressCount: 1_000,
    memorySize,
    queueCount: 1_000,
    exchangeCount: 1_000,
    bindingCount: 10_000,
    queueConsumerCount: 1_000,
    frameSizeMax: MiB + 64 * KiB,
    messageSizeMax: MiB,
    channelCount: 800,
    consumerCount: 100,
    outboxSizeMax,
    outboxStallMs: 60_000,
    handshakeMs: 5_000,
    frameMs: 30_000,
    heartbeatMs,
  }
}

/** Until promises and ticks have nothing more to do: three rounds are enough for what a client does in one go. */
async function settled(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => process.nextTick(resolve))
}
