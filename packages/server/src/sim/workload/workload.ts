/**
 * Who acts when: clients and strangers do something, faults happen, all from the seed, until the days of calm, when everybody finishes
 * and leaves.
 */
import type { BrokerProcess } from '../broker-process.js'
import type { SimClock } from '../clock.js'
import type { Random } from '../random.js'
import { Drainer } from './drainer.js'
import { faultOf } from './faults.js'
import { misdeeds } from './misdeeds.js'
import { actions, diskFaults, type Fault, faults } from './profile.js'
import type { RawChannel } from './raw-channel.js'
import { RawLife } from './raw-life.js'
import { stranger, strangers } from './strangers.js'
import type { Peer, World } from './world.js'

/** A client package's client, if the simulation is given one. */
export type PeerMaker = (world: World, number: number) => Peer

export class Workload {
  readonly #world: World
  readonly #clock: SimClock
  readonly #peers: Peer[] = []
  readonly #raw: RawLife[] = []
  readonly #random: Random
  readonly #faultRandom: Random
  #drainer: Drainer | undefined
  readonly #process: BrokerProcess | undefined
  /** Faults that have done something. */
  faultCount = 0
  #restsUntil = 0

  constructor(world: World, clock: SimClock, process: BrokerProcess | undefined, makePeer: PeerMaker | undefined) {
    this.#world = world
    this.#clock = clock
    this.#process = process
    this.#random = world.random('workload')
    const { rawCount, clientCount, faultEveryMs } = world.profile
    for (let i = 0; i < rawCount; i++) this.#raw.push(new RawLife(world, i))
    this.#peers.push(...this.#raw)
    if (makePeer !== undefined) for (let i = 0; i < clientCount; i++) this.#peers.push(makePeer(world, i))
    for (const peer of this.#peers) this.#goOn(peer)
    this.#faultRandom = world.random('faults')
    this.#expectFault(faultEveryMs)
    this.#expectStranger(world.random('strangers'))
  }

  /** Nothing new; everybody who is there finishes and leaves. */
  calm(): void {
    for (const peer of this.#peers) peer.calm()
  }

  /** The last one: takes what is left. */
  drain(): void {
    this.#drainer = new Drainer(this.#world)
  }

  get isOver(): boolean {
    return this.#peers.every((peer) => peer.isGone) && (this.#drainer?.isGone ?? true)
  }

  get waitsFor(): string {
    const waiting: { readonly isGone: boolean; readonly waitsFor: string }[] = [...this.#peers]
    if (this.#drainer !== undefined) waiting.push(this.#drainer)
    return waiting
      .filter((peer) => !peer.isGone)
      .map((peer) => peer.waitsFor)
      .join('; ')
  }

  delivered(channel: RawChannel): void {
    for (const peer of this.#raw) peer.delivered(channel)
    this.#drainer?.delivered(channel)
  }

  #goOn(peer: Peer): void {
    const { profile } = this.#world
    this.#in(this.#random.next() * 2 * profile.thinkMs, () => {
      peer.act()
      this.#goOn(peer)
    })
  }

  /** Something goes wrong now: by the kind of day, or what somebody wants. */
  fault(wanted?: Fault): void {
    const { timeline, profile, network, tally } = this.#world
    const random = this.#faultRandom
    const fault = wanted ?? random.weighted(profile.faultWeights)
    const up = network.connections.filter(({ isUp }) => isUp)
    const connection = up.length === 0 ? undefined : random.pick(up)
    if (fault === undefined) return
    tally.count(`drawn ${fault}`)
    let isHit = false
    const hit = (): void => {
      if (isHit) return
      isHit = true
      tally.count(`fault ${fault}`)
      this.faultCount++
    }
    const rest = (ms: number): boolean => {
      const isLonger = timeline.now + ms > this.#restsUntil
      this.#restsUntil = timeline.now + ms
      return isLonger
    }
    faultOf[fault]({ world: this.#world, clock: this.#clock, random, connection, rest, hit, process: this.#process })
  }

  #expectFault(everyMs: number): void {
    this.#in(this.#faultRandom.next() * 2 * everyMs, () => {
      this.fault()
      this.#expectFault(everyMs)
    })
  }

  #expectStranger(random: Random): void {
    this.#in(random.spread(50, 3_000), () => {
      stranger(this.#world, random)
      this.#expectStranger(random)
    })
  }

  /** Something that is done on busy days only, and not while everybody rests. */
  #in(delayMs: number, act: () => void): void {
    const { timeline } = this.#world
    timeline.in(delayMs, () => {
      if (this.#world.isCalm) return
      if (timeline.now < this.#restsUntil) this.#in(this.#restsUntil - timeline.now, act)
      else act()
    })
  }
}

/** Every kind of thing that is drawn, as it is counted; enough seeds have all of them. */
export const kinds: readonly string[] = [
  ...actions.map((action) => `action ${action}`),
  ...[...faults, ...diskFaults].map((fault) => `fault ${fault}`),
  ...Object.keys(misdeeds).map((misdeed) => `misdeed ${misdeed}`),
  ...Object.keys(strangers).map((stranger) => `stranger ${stranger}`),
]
