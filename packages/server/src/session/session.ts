// Hot in ingest and frame; plain otherwise.
/**
 * The protocol seen from one connection, without a socket, a file, a clock, or a promise. It joins its parts:
 *
 *     bytes ─▶ intake ─▶ frame ─┬─ opening           until HELLO is answered
 *                               ├─ channel           PUBLISH, SETTLE, WINDOW
 *                               └─ requests          everything in JSON
 *     bytes ◀─ outgoing ◀─ channels, replies         at the end of the turn
 *
 *     opening ─▶ open ─▶ closing ─▶ closed           liveness watches the times, congestion what is not taken
 *        └────────┴─ fault, time up ──┘
 *
 * Bytes come in by `ingest` and are carried out at once; what is to be sent leaves with `flush` at the end of the turn.
 */
import assert from 'node:assert'
import { encodeControl, type ErrorName, FrameType, type HelloRequest, heartbeatFrameSize, writeHeartbeat } from '@waybill/protocol'
import { Refusal } from '../broker/refusal.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import type { LandingPlace, Transport, TransportHandler } from '../ports/transport.js'
import { type Access, fullAccess } from './access.js'
import type { Channel, ChannelHome } from './channel.js'
import { ChannelTable } from './channel-table.js'
import type { CongestionHome } from './congestion.js'
import { ConnectionLog } from './connection-log.js'
import type { Deliveries } from './deliveries.js'
import { Farewell } from './farewell.js'
import { type FrameHome, takeFrame } from './frames.js'
import { Inquiries } from './inquiries.js'
import { Intake, type IntakeHome } from './intake.js'
import { Liveness, type LivenessHome } from './liveness.js'
import { Opening, type OpeningHome } from './opening.js'
import { Outgoing } from './outgoing.js'
import { ReadGate } from './read-gate.js'
import type { Replies } from './replies.js'
import type { ListQuery } from './requests.js'
import { helloResult, type Shard } from './shard.js'

export type SessionState = 'opening' | 'open' | 'closing' | 'closed'

export interface SessionHome extends Shard {
  /** Counts the session among the open ones, or says why it cannot be one. */
  admit(session: Session): Refusal | undefined
  /** It has something to send, or work for the broker: a turn is needed. */
  changed(session: Session): void
  /** Call `turnBegan` in the next turn. */
  again(session: Session): void
  /** It has something to say when more is synced: flush it then. */
  awaitsSync(session: Session): void
  /** It will say its last words and go: its place is free. */
  ending(session: Session): void
  /** Its transport has gone. */
  closed(session: Session): void
  list(session: Session, query: ListQuery): object | Refusal
}

/** Answers that a connection gets in a turn, and is not read any further: so that one that asks without end does not hold up the others. */
const repliesPerTurn = 64

/** How long somebody who has not said who it is, or whom a stopping broker waits for, may take to hear why it has to go. */
const shortLingerMs = 1_000

export class Session implements TransportHandler, IntakeHome, ChannelHome, OpeningHome, LivenessHome, CongestionHome, FrameHome {
  readonly connection: number
  readonly transport: Transport
  /** When it came: milliseconds of the clock, and since 1970. */
  readonly arrivedAt: number
  readonly connectedAt: number
  readonly shard: Shard
  readonly log: ConnectionLog
  readonly channels: ChannelTable
  readonly gate: ReadGate
  readonly intake: Intake
  readonly outgoing: Outgoing
  readonly liveness: Liveness
  state: SessionState = 'opening'
  access: Access = fullAccess
  client: HelloRequest['client'] = { product: '', version: '' }
  /** Whether it waits for its flush. */
  isChanged = false
  isDraining = false
  /** Deliveries that have to be settled. */
  unsettledCount = 0
  receivedSize = 0
  frameCount = 0
  readonly #home: SessionHome
  readonly #inquiries = new Inquiries()
  #opening: Opening | undefined
  #host: VirtualHost | undefined
  #farewell: Farewell | undefined
  /** Of a CLOSE that waits for the disk, else 0. */
  #closeCorrelation = 0
  /** The other end will send nothing more, and what it has sent has not all been looked at. */
  #hasEnded = false

  constructor(connection: number, transport: Transport, home: SessionHome, arrivedAt: number) {
    const { clock, timers, limits, broker } = home
    this.connection = connection
    this.transport = transport
    this.arrivedAt = arrivedAt
    this.connectedAt = clock.wall()
    this.#home = this.shard = home
    this.log = new ConnectionLog(home.log, connection, transport)
    this.channels = new ChannelTable(this)
    this.gate = new ReadGate(transport)
    this.intake = new Intake(this, home.intakes)
    this.outgoing = new Outgoing(this, broker.slabs, timers, limits)
    this.liveness = new Liveness(this, timers, limits, arrivedAt, clock.now())
    this.#opening = new Opening(this)
  }

  // ─── what its parts ask of it ───────────────────────────────────────────

  get host(): VirtualHost {
    return this.#host!
  }

  /** Address of the other end, without port. */
  get address(): string {
    return this.transport.remote.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  }

  get canGiveWay(): boolean {
    return this.#opening?.canGiveWay ?? false
  }

  get local(): boolean {
    return this.transport.local
  }

  get replies(): Replies {
    return this.outgoing.replies
  }

  get deliveries(): Deliveries {
    return this.outgoing.deliveries
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Whether its consumers get nothing for now. */
  get held(): boolean {
    return this.outgoing.held || this.isDraining
  }

  /** Whether it has something to say that waits for the disk. */
  get isGated(): boolean {
    return this.outgoing.isGated
  }

  get isServed(): boolean {
    return this.replies.count >= repliesPerTurn
  }

  // ─── bytes in ───────────────────────────────────────────────────────────

  ingest(bytes: Uint8Array, from: number, to: number): void {
    const now = this.#home.clock.now()
    this.#home.broker.now = now
    this.liveness.receivedAt = now
    this.receivedSize += to - from
    if (this.state === 'closing' || this.state === 'closed') {
      this.intake.close()
      return
    }
    let at = from
    if (this.#opening?.awaitsPreface) {
      at = this.#opening.readPreface(bytes, from, to)
      if (at < 0 || at === to) return
    }
    this.intake.read(bytes, at, to, now)
    if (this.intake.partialSize > 0) this.liveness.partial(now)
  }

  landing(): LandingPlace | undefined {
    return this.intake.landing()
  }

  slabOf(bytes: Uint8Array, at: number): number {
    return this.intake.slabOf(bytes, at)
  }

  creditLeft(channelId: number): number {
    return this.channels.get(channelId)?.publishing.creditLeft ?? 0
  }

  frame(bytes: Uint8Array, type: number, flags: number, channelId: number, correlation: number, from: number, to: number): void {
    this.frameCount++
    if (this.state !== 'open') {
      this.#opening?.frame(bytes, type, flags, channelId, correlation, from, to)
      return
    }
    takeFrame(this, bytes, type, flags, channelId, correlation, from, to)
  }

  // ─── opening ────────────────────────────────────────────────────────────

  welcome(hello: HelloRequest, correlation: number, access: Access): void {
    const { broker, limits, clock } = this.#home
    const { vhost = 'default', client, heartbeatMs = limits.heartbeatMs } = hello
    const host = broker.virtualHosts.get(vhost)
    if (host === undefined) {
      const message = `no virtual host '${vhost}'; the configuration names those there are`
      this.refuseHello(hello, correlation, new Refusal('authenticationFailed', message))
      return
    }
    const refusal = this.#home.admit(this)
    if (refusal !== undefined) {
      this.refuseHello(hello, correlation, refusal)
      return
    }
    const now = clock.now()
    broker.now = now
    this.access = access
    this.client = client
    this.#host = host
    this.state = 'open'
    this.intake.opened(limits.frameSizeMax)
    this.liveness.opened(heartbeatMs, now)
    this.replies.answer(0, correlation, helloResult(this.#home, this.connection, heartbeatMs))
    this.#home.changed(this)
    this.log.opened(access.user, vhost, client)

    const frames = this.#opening!.takeFrames()
    this.#opening = undefined
    for (const { bytes, type, flags, channel, correlation } of frames) {
      if (this.isOpen) this.frame(bytes, type, flags, channel, correlation, 0, bytes.length)
    }
  }

  refuseHello(hello: HelloRequest | undefined, correlation: number, refusal: Refusal): void {
    const { name, message, details } = refusal
    this.log.refused(hello, refusal)
    this.replies.lastError(correlation, name, message, details)
    this.end()
  }

  /** It has not said who it is, and its place is needed. */
  giveWay(): void {
    this.#opening?.giveWay()
  }

  // ─── what channels and requests say ─────────────────────────────────────

  changed(): void {
    this.#home.changed(this)
  }

  delivered(): void {
    this.outgoing.delivered()
    this.#home.changed(this)
  }

  channelChanged(channel: Channel): void {
    this.outgoing.channelChanged(channel)
    this.#home.changed(this)
  }

  channelFailed(channel: Channel): void {
    this.outgoing.channelFailed(channel)
  }

  unsettledChanged(by: number): void {
    this.unsettledCount += by
  }

  list(query: ListQuery): object | Refusal {
    return this.#home.list(this, query)
  }

  inquire(inquiry: () => void): boolean {
    const isTaken = this.#inquiries.ask(inquiry)
    this.#home.again(this)
    return isTaken
  }

  readLater(): void {
    this.#home.again(this)
  }

  turnBegan(): void {
    if (this.state !== 'open') return
    if (this.#closeCorrelation !== 0) {
      if (!this.outgoing.isGated) this.#finishClose()
      return
    }
    const { broker } = this.#home
    if (!this.outgoing.isDeaf) this.intake.goOn(broker.now)
    if (!this.isOpen) return
    if (!this.outgoing.held) this.#inquiries.next()
    const isWaiting = this.#inquiries.waitingCount > 0 && !this.outgoing.held
    if (isWaiting || (this.intake.isBehind && !this.outgoing.isDeaf)) this.#home.again(this)
    else if (this.#hasEnded && !this.intake.isBehind) this.end()
    this.#home.changed(this)
  }

  // ─── bytes out ──────────────────────────────────────────────────────────

  say(bytes: Uint8Array): void {
    this.replies.say(bytes)
    this.#home.changed(this)
  }

  /** Sends what has been gathered in this turn. */
  flush(): void {
    this.isChanged = false
    this.replies.count = 0
    this.send()
  }

  send(): void {
    if (this.state === 'closing' || this.state === 'closed') return
    const { output, broker } = this.#home
    const { journal } = broker
    // Nothing leaves before what it follows from is written.
    journal.write()
    if (this.outgoing.flush(output, broker.now, journal.synced, journal.lost)) this.liveness.sentAt = broker.now
    if (this.outgoing.isGated) this.#home.awaitsSync(this)
    // In the next turn, before anything is handed out: what it held goes back to its place first.
    else if (this.#closeCorrelation !== 0) this.#home.again(this)
  }

  written(): void {
    this.outgoing.written(this.#home.clock.now())
  }

  holdChanged(): void {
    this.channels.hold(this.held)
    this.#home.again(this)
  }

  stalled(): void {
    const { outboxStallMs } = this.#home.limits
    this.log.failed('outboxStalled', `nothing was taken of ${this.outgoing.waitingSize} bytes within ${outboxStallMs} ms`)
    this.transport.destroy()
  }

  // ─── time ───────────────────────────────────────────────────────────────

  handshakeTimedOut(): void {
    this.#opening?.timeUp(this.#home.limits.handshakeMs)
  }

  frameTimedOut(): void {
    this.fail('frameTimeout', `a frame was not whole within ${this.#home.limits.frameMs} ms`)
  }

  sendHeartbeat(): void {
    const frame = new Uint8Array(heartbeatFrameSize)
    writeHeartbeat(frame, 0)
    this.say(frame)
  }

  heartbeatTimedOut(silentMs: number): void {
    this.fail('heartbeatTimeout', `nothing came for ${silentMs} ms`)
  }

  /** The broker goes away: nothing new is delivered, what is held may be settled within this time. */
  drain(deadlineMs: number): void {
    this.isDraining = true
    if (!this.isOpen) {
      this.fail('shuttingDown', 'the broker is going away')
      return
    }
    this.say(encodeControl(FrameType.status, 0, 0, { state: 'draining', deadlineMs }))
    this.channels.hold(true)
  }

  // ─── the end ────────────────────────────────────────────────────────────

  /** The peer broke the protocol, or ran out of time: it is told why, and the connection ends. */
  fail(name: ErrorName, message: string, details?: Readonly<Record<string, unknown>>): void {
    if (this.state === 'closing' || this.state === 'closed') return
    this.#opening?.sayPreface()
    // Confirms and deliveries of before are told before: behind this error nobody reads on.
    this.flush()
    this.replies.lastError(0, name, message, details)
    this.log.failed(name, message)
    this.end()
  }

  /** CLOSE on channel 0: everything before it is answered first. */
  close(correlation: number): void {
    this.channels.endGets()
    this.intake.stop()
    this.channels.hold(true)
    this.#closeCorrelation = correlation
    this.flush()
    if (!this.outgoing.isGated) this.#finishClose()
  }

  /** What was published before the CLOSE is on the disk, and its publishers have been told. */
  #finishClose(): void {
    const correlation = this.#closeCorrelation
    this.#closeCorrelation = 0
    this.replies.answer(0, correlation, {})
    this.end()
  }

  ended(): void {
    if (this.#opening !== undefined) this.#opening.ended()
    else if (this.intake.isBehind) this.#hasEnded = true
    else this.end()
  }

  /** Nothing more is read; what there is to say is said, then the connection ends. */
  end(): void {
    if (this.state === 'closing' || this.state === 'closed') return
    const now = this.#home.clock.now()
    const lingerMs = this.#opening === undefined && !this.isDraining ? this.#home.limits.handshakeMs : shortLingerMs
    this.intake.stop()
    this.flush()
    this.#release()
    this.state = 'closing'
    this.#home.ending(this)
    this.#farewell = new Farewell(this.transport, this.liveness, now, lingerMs, this.#home.limits.outboxStallMs)
  }

  lingeredTooLong(): void {
    this.#farewell?.timeUp(this.#home.clock.now())
  }

  closed(reason: string): void {
    if (this.state === 'closed') return
    const { receivedSize } = this
    const { publishedCount, deliveredCount } = this.channels
    const wasOpen = this.#opening === undefined
    if (this.state !== 'closing') this.#release()
    this.state = 'closed'
    this.intake.close()
    this.outgoing.close()
    this.liveness.stop()
    this.#opening = undefined
    this.#home.closed(this)
    this.log.closed(wasOpen, reason, { publishedCount, deliveredCount, receivedSize })
  }

  /** Everything that the connection had goes back to the broker. */
  #release(): void {
    // The end of a socket comes between turns: what it leaves behind was used until now, not until the last turn.
    this.#home.broker.now = this.#home.clock.now()
    this.channels.release()
    this.outgoing.end()
    if (this.#host !== undefined) this.#home.broker.connectionClosed(this.connection)
    this.#opening?.close()
  }

  invariants(): void {
    let unsettled = 0
    for (const channel of this.channels) {
      channel.invariants()
      unsettled += channel.manualCount
    }
    assert.equal(unsettled, this.unsettledCount)
    if (this.state === 'closed') assert.equal(this.channels.size, 0)
  }
}
