/**
 * A broker on a virtual clock and a simulated network: the same `Turn` that runs behind sockets, with checkers at its door.
 *
 *     clients ─▶ SimNetwork ─▶ door: checkers, trace ─▶ Turn ─▶ log ─▶ SimDisk          time passes by `step`, from one thing that happens to the next
 *
 * With a disk it is one process after another: each comes to an end, and the next goes on with what the disk has.
 */
import type { ErrorName, FrameSink } from '@waybill/protocol'
import type { Logger } from '../ports/logger.js'
import type { TransportHandler } from '../ports/transport.js'
import type { OpenStore } from '../storage/open-store.js'
import { Turn, type TurnLimits, type TurnOptions } from '../turn/turn.js'
import { Checkers } from './checkers/checkers.js'
import { BrokerProcess, type DataOptions, type ProcessHome } from './broker-process.js'
import { SimClock } from './clock.js'
import { seededEntropy } from './entropy.js'
import { SimulationFailure } from './failure.js'
import { FrameWords } from './frame-words.js'
import type { DoorConnection, Doorkeeper, Landing } from './network/context.js'
import { SimNetwork } from './network/network.js'
import { Random } from './random.js'
import { Tally } from './tally.js'
import { Timeline } from './timeline.js'
import { Trace } from './trace.js'

export interface SimBrokerOptions {
  readonly seed: number
  readonly limits?: Partial<TurnLimits>
  /** The broker cannot say where bytes land: as with TLS. Default false. */
  readonly readsByData?: boolean
  /** What is durable is kept on a simulated disk; then there is no broker before the first steps. Default: nothing is kept. */
  readonly data?: DataOptions | undefined
  /** Something is wrong that cannot be thrown from where it was seen. */
  readonly fail?: (failure: SimulationFailure) => void
  /** Called for every line of the trace. */
  readonly print?: ((line: string) => void) | undefined
}

const KiB = 1024
const MiB = 1024 * KiB

/** Small enough to be met now and then. */
export const simLimits: TurnLimits = {
  connectionCount: 1_000,
  unauthenticatedCount: 1_000,
  unauthenticatedPerAddressCount: 1_000,
  memorySize: 64 * MiB,
  diskFreeMin: 2 * MiB,
  queueCount: 1_000,
  exchangeCount: 1_000,
  bindingCount: 10_000,
  queueConsumerCount: 1_000,
  frameSizeMax: MiB + 64 * KiB,
  messageSizeMax: MiB,
  channelCount: 800,
  consumerCount: 100,
  outboxSizeMax: 8 * MiB,
  outboxStallMs: 60_000,
  handshakeMs: 5_000,
  frameMs: 30_000,
  heartbeatMs: 20_000,
}

/** A session; a connection that is dropped at the door has none. */
function isSink(handler: object): handler is FrameSink {
  return 'frame' in handler
}

function thrown(failure: SimulationFailure): never {
  throw failure
}

const everything = { user: 'somebody', refusal: () => undefined, monitorRefusal: () => undefined }

export class SimBroker {
  readonly timeline = new Timeline()
  readonly tally = new Tally()
  readonly trace: Trace
  readonly limits: TurnLimits
  readonly clock: SimClock
  readonly checkers: Checkers
  readonly network: SimNetwork
  /** Undefined: nothing is kept. */
  readonly process: BrokerProcess | undefined
  #turn: Turn | undefined
  #landingPlace: Landing | undefined
  readonly #options: SimBrokerOptions
  readonly #seed: number
  readonly #isPrinted: boolean

  constructor(options: SimBrokerOptions) {
    const { seed, limits, readsByData = false, data, print } = options
    this.#options = options
    this.#seed = seed
    this.#isPrinted = print !== undefined
    this.trace = new Trace(print)
    this.limits = { ...simLimits, ...limits }
    this.clock = new SimClock(this.timeline, this.random('clock'))
    const broker = this
    const disk = {
      get isFailing() {
        return broker.process!.isDiskFailing
      },
      get syncingMs() {
        return broker.process!.disk.syncingMs
      },
    }
    const keeps = data !== undefined
    this.checkers = new Checkers({ clock: this.clock, tally: this.tally, limits: this.limits, keeps, ...(keeps ? { disk } : {}) })
    const context = {
      timeline: this.timeline,
      clock: this.clock,
      random: this.random('network'),
      tally: this.tally,
      doorkeeper: this.#doorkeeper(),
      get brokerLanding() {
        broker.#landingPlace ??= broker.#landing(readsByData)
        return broker.#landingPlace
      },
      clientLanding: { buffer: Buffer.alloc(256 * KiB), start: 0, size: 256 * KiB },
      readsByData,
    }
    this.network = new SimNetwork(context, (transport, connection) => this.#watched(this.turn.accept(transport), connection))
    if (data === undefined) this.checkers.watch(this.#begin(undefined))
    else {
      this.network.isDown = true
      this.process = new BrokerProcess(this.#processHome(), data, this.timeline)
    }
  }

  /** Only while the broker is up. */
  get turn(): Turn {
    if (this.#turn === undefined) throw new Error('there is no broker now')
    return this.#turn
  }

  /** Whether there is a broker, and who comes may come in. */
  get isUp(): boolean {
    return this.#turn !== undefined && !this.network.isDown
  }

  /** Lets the next thing happen; false: there is none. */
  step(): boolean {
    if (this.process === undefined) return this.timeline.step()
    const { life } = this.process
    try {
      return this.timeline.step()
    } catch (error) {
      // What a process throws in its last moment nobody hears.
      if (error instanceof SimulationFailure || life === this.process.life) throw error
      return true
    }
  }

  #begin(store: OpenStore | undefined): Turn {
    this.#landingPlace = undefined
    const life = `${store?.log.epoch ?? ''}`
    this.#turn = new Turn({
      clock: this.clock.ofProcess(),
      entropy: seededEntropy(this.random(`broker${life}`)),
      log: this.#logOf(this.process?.life),
      limits: this.limits,
      authenticator: this.#authenticator(this.random(`authenticator${life}`)),
      virtualHosts: ['default'],
      version: '0',
      store,
      snapshotEvery: this.#options.data?.snapshotEvery,
    })
    const { coldShare = 0 } = this.#options.data ?? {}
    if (coldShare > 0) this.#shortenMemory(this.#turn, coldShare, this.random(`memory${life}`))
    return this.#turn
  }

  /** Now and then memory is so short that nothing stays in it that can go. */
  #shortenMemory({ broker }: Turn, share: number, random: Random): void {
    const dispatch = broker.dispatch.bind(broker)
    broker.dispatch = () => {
      dispatch()
      if (!random.chance(share)) return
      for (const queue of broker.queues()) {
        if (queue.keptId === 0) continue
        queue.endPage(0)
        this.tally.count('pages that left memory', queue.chill(1_000, 1_000, 0))
      }
    }
  }

  /** As with what it throws: what a process says in its last moment, when its disk has ended in the middle of an operation, nobody hears. */
  #logOf(life: number | undefined): Logger {
    return (level, event, fields) => {
      if (life === this.process?.life) this.#log(level, event, fields)
    }
  }

  readonly #log: Logger = (level, event, fields) => {
    this.trace.add(this.timeline.now, `${level} ${event}${this.#isPrinted ? ` ${JSON.stringify(fields ?? {})}` : ''}`)
    this.tally.count(`log ${event}`)
    if (event === 'data-damaged') this.tally.count('messages lost', Number(fields?.messageCount ?? 0))
    if (event === 'data-damaged' || event === 'data-torn-tail') this.#check(() => this.checkers.damageTold(event, JSON.stringify(fields)))
    if (event === 'storage-failed' || event === 'storage-recovered') this.#check(() => this.checkers.storageSaid(event))
  }

  /** In a turn, or while opening, where nothing that is thrown arrives. */
  #check(look: () => void): void {
    try {
      look()
    } catch (error) {
      ;(this.#options.fail ?? thrown)(error as SimulationFailure)
    }
  }

  #processHome(): ProcessHome {
    const { clock, tally, checkers, network } = this
    const broker = this
    return {
      clock,
      tally,
      log: this.#log,
      random: (purpose) => this.random(purpose),
      wake() {
        if (broker.#turn !== undefined) clock.soon(broker.#turn.run)
      },
      begins(store) {
        const turn = broker.#begin(store)
        checkers.restored(turn, store.state)
        const { life } = broker.process!
        turn.begin(() => {
          if (life === broker.process!.life) network.isDown = false
        })
      },
      ended(isPowerCut) {
        broker.trace.add(broker.timeline.now, isPowerCut ? 'power cut' : 'killed')
        broker.#turn = undefined
        network.crash(isPowerCut)
        checkers.crash(isPowerCut)
      },
      diskFailed: () => checkers.diskFailed(),
      rotten(where) {
        broker.trace.add(broker.timeline.now, `a bit turns: ${where}`)
        checkers.rotten()
      },
      fail: (failure) => (this.#options.fail ?? thrown)(failure),
    }
  }

  /** The checkers are told of each frame as the session gets it: which may be a turn or more after its bytes have come. */
  #watched(handler: TransportHandler, connection: DoorConnection): TransportHandler {
    if (!isSink(handler)) return handler
    const frame = handler.frame.bind(handler)
    const life = this.process?.life
    handler.frame = (bytes, type, flags, channel, correlation, from, to) => {
      if (life !== this.process?.life) return
      this.checkers.frame(connection, type, channel, correlation, to - from)
      frame(bytes, type, flags, channel, correlation, from, to)
    }
    return handler
  }

  /** A stream of its own for each purpose. */
  random(purpose: string): Random {
    return Random.of(this.#seed, purpose)
  }

  /** Takes its time, as the hashing of passwords does. */
  #authenticator(random: Random): TurnOptions['authenticator'] {
    return {
      check: ({ user, virtualHost, remote }, done) => {
        const isRefused = user === 'nobody'
        const refusal: ErrorName | undefined = isRefused || virtualHost !== 'default' ? 'authenticationFailed' : undefined
        const answer = (): void => {
          this.checkers.authenticated(Number(remote.split(':')[1]) - 50_000, refusal)
          done(isRefused ? 'user or password is wrong' : everything)
        }
        this.clock.later(random.spread(1, 100), answer)
      },
    }
  }

  #doorkeeper(): Doorkeeper {
    const { checkers, trace, timeline } = this
    const words = this.#isPrinted ? new FrameWords() : undefined
    const note = (connection: DoorConnection, what: string, bytes?: Buffer): void => {
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
  #landing(readsByData: boolean): Landing {
    if (readsByData) return { buffer: Buffer.alloc(64 * KiB), start: 0, size: 64 * KiB }
    const { buffer, from, to } = this.turn.landing()
    return { buffer, start: from, size: Math.min(to - from, 64 * KiB) }
  }
}
