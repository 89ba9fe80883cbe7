/**
 * A whole broker with its clients, network and clock, from one number.
 *
 *     busy     clients act, faults happen                        at least `stepsMin` steps, and three faults; late in it the process ends once more
 *     calm     no new faults; everybody settles and leaves       until all have gone
 *     drained  one client takes what is left                     until nothing is      (or the broker goes away, and all with it)
 *     over     the checkers add up; the broker holds nothing for anybody
 *
 * The same number gives the same run, to the last byte. A step is one thing that happens: bytes that arrive, a turn, a timer, an action.
 */
import { expect, fail, SimulationFailure } from './failure.js'
import { Random } from './random.js'
import { SimBroker } from './sim-broker.js'
import type { Tally } from './tally.js'
import { Rank } from './timeline.js'
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
  /** Faults that have done something. */
  readonly faultCount: number
  readonly tally: Tally
  /** Undefined when all is well. */
  readonly failure: SimulationFailure | undefined
  readonly lastLines: readonly string[]
}

const faultsMin = 3
/** Between two that are drawn because too few have done something. */
const faultSteps = 20
/** Below it the disk counts as full. */
const diskFreeMin = 100_000
/** More steps than this do not come to rest. */
const stepsMax = 400_000
/** Clients of a broker that goes away may settle for so long. */
const drainMs = 20_000
/** Longer than all timeouts and the longest retry together. */
const restMsMax = 600_000
/** Longer than any timer of a broker without clients; what it looks at from time to time it does for ever. */
const idleMs = 150_000
/** Slabs that a broker without messages holds: two to write to, one to read into, one to fill. */
const slabsSizeMax = 4 << 20

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const simulation = new Simulation(options)
  let failure: SimulationFailure | undefined
  try {
    await simulation.run()
  } catch (error) {
    failure = error instanceof SimulationFailure ? error : new SimulationFailure('exception', String((error as Error).stack ?? error))
  }
  const { timeline, trace, tally } = simulation.broker
  const { hash, lastLines } = trace
  return {
    seed: options.seed,
    steps: timeline.stepCount,
    timeMs: timeline.now,
    hash,
    faultCount: simulation.faultCount,
    tally,
    failure,
    lastLines,
  }
}

class Simulation {
  readonly broker: SimBroker
  readonly #stepsMin: number
  readonly #profile: Profile
  readonly #workload: Workload
  #isCalm = false
  #isDrained = false
  #failure: SimulationFailure | undefined

  constructor({ seed, stepsMin = 2_500, makePeer, profile, print }: SimulationOptions) {
    this.#stepsMin = stepsMin
    this.#profile = { ...drawProfile(Random.of(seed, 'profile')), ...profile }
    const { memorySize, outboxSizeMax, heartbeatMs, readsByData, data } = this.#profile
    const fail = (failure: SimulationFailure): void => {
      this.#failure ??= failure
    }
    this.broker = new SimBroker({ seed, limits: { memorySize, outboxSizeMax, heartbeatMs, diskFreeMin }, readsByData, data, print, fail })
    this.#workload = new Workload(this.#world(), this.broker.clock, this.broker.process, makePeer)
  }

  get faultCount(): number {
    return this.#workload.faultCount
  }

  async run(): Promise<void> {
    const { broker } = this
    const lastEnd = this.#lastEnd()
    let nextFault = 0
    while (broker.timeline.stepCount < this.#stepsMin || this.faultCount < faultsMin) {
      await this.#step()
      lastEnd()
      // However quiet the day is, so much goes wrong by then. What is drawn may need a while to do something.
      const { stepCount } = broker.timeline
      const due = Math.floor((stepCount / this.#stepsMin) * (faultsMin + 1))
      if (this.faultCount >= Math.min(due, faultsMin) || stepCount < nextFault) continue
      this.#workload.fault()
      nextFault = stepCount + faultSteps
    }
    this.#isCalm = true
    this.#say('calm')
    broker.network.refuse(0)
    broker.process?.heal()
    while (!broker.isUp) await this.#step()
    if (this.#profile.drains) this.#drain()
    this.#workload.calm()
    await this.#untilOver()
    if (!this.#profile.drains) {
      this.#say('drained')
      this.#workload.drain()
      await this.#untilOver()
    }
    await this.#untilIdle()
    this.#say('over')
    expect(!this.#profile.drains || this.#isDrained, 'drain', () => 'the broker was told to go away, and does not say that it has')
    broker.checkers.atRest()
    this.#checkLeaks()
  }

  /** What a day has written to its disk is read again: however the day goes, late in it the process comes to an end, in the middle of its work if it can. */
  #lastEnd(): () => void {
    const { timeline, process } = this.broker
    if (process === undefined) return () => undefined
    const random = this.broker.random('last end')
    const how = random.pick(['kill', 'power cut', 'power cut'] as const)
    const from = this.#stepsMin * (0.4 + 0.5 * random.next())
    const until = from + 0.05 * this.#stepsMin
    let life: number | undefined
    let isDone = false
    return () => {
      if (isDone || timeline.stepCount < from) return
      if (life === undefined) {
        life = process.life
        this.#workload.fault(`${how} in an operation`)
      }
      if (process.life === life && (timeline.stepCount < until || !process.isThere)) return
      isDone = true
      if (process.life === life) this.#workload.fault(how)
    }
  }

  #say(what: string): void {
    const { trace, timeline } = this.broker
    trace.add(timeline.now, what)
  }

  /** The broker is told to stop while its clients are at work. */
  #drain(): void {
    const { clock, checkers, turn } = this.broker
    const drain = (): void => {
      checkers.draining = true
      turn.drain(drainMs, () => {
        this.#isDrained = true
      })
    }
    clock.whenAwake(drain, Rank.arrival)
  }

  async #step(): Promise<void> {
    if (!this.broker.step()) fail('liveness', `nothing happens any more: ${this.#workload.waitsFor}`)
    await settled()
    while (this.broker.process?.comparing !== undefined) await settled()
    if (this.#failure !== undefined) throw this.#failure
  }

  async #untilOver(): Promise<void> {
    const { timeline } = this.broker
    const until = timeline.now + restMsMax
    while (!this.#workload.isOver) {
      await this.#step()
      if (timeline.stepCount > stepsMax || timeline.now > until) fail('liveness', `it does not come to rest: ${this.#workload.waitsFor}`)
    }
  }

  /** All timers of the broker run out. */
  async #untilIdle(): Promise<void> {
    const { timeline } = this.broker
    const until = timeline.now + idleMs
    while (timeline.next <= until) await this.#step()
  }

  /** Nobody is connected: the broker holds nothing for anybody. */
  #checkLeaks(): void {
    const { sessions, broker, credit } = this.broker.turn
    expect(
      sessions.size === 0,
      'leak',
      () => `${sessions.size} sessions are left, states ${[...sessions].map(({ state }) => state).join(', ')}`,
    )
    expect(credit.unusedSize === 0, 'leak', () => `${credit.unusedSize} bytes of credit belong to nobody`)
    const { usedSize } = broker.slabs
    expect(this.#profile.drains || usedSize <= slabsSizeMax, 'leak', () => `${usedSize} bytes of slabs are used by nothing`)
    this.broker.checkers.invariants()
  }

  #world(): World {
    const { timeline, network, checkers, tally, limits } = this.broker
    const simulation = this
    let publisher = 0
    return {
      timeline,
      network,
      checkers,
      tally,
      vocabulary: new Vocabulary(this.broker.random('vocabulary')),
      profile: this.#profile,
      limits,
      get isCalm() {
        return simulation.#isCalm
      },
      random: (purpose) => this.broker.random(purpose),
      nextPublisher: () => ++publisher,
      fail: (failure) => {
        this.#failure ??= failure
      },
      delivered: (channel) => this.#workload.delivered(channel),
    }
  }
}

/** What follows inside the clients: they know promises and ticks, both in a fixed order, and three rounds are enough for one go. */
async function settled(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => process.nextTick(resolve))
}
