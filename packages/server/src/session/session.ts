// Hot in ingest, frame and flush; plain otherwise.
/**
 * The protocol seen from one connection, without a socket, a file, a timer, or a promise.
 *
 *     preface ─▶ hello ─▶ authenticating ─▶ open ─▶ closing ─▶ closed
 *        └──────────┴──────────┴─ fault, time out ──────┘
 *
 * Bytes come in by `ingest` and are carried out at once; what is to be sent is gathered and leaves with `flush` at the end
 * of the turn: answers first, then confirms and credit, then deliveries, then answers that belong behind them.
 */
import {
  checkPreface,
  checkPublish,
  checkSettle,
  checkWindow,
  answerPreface,
  decodeControl,
  encodeControl,
  errorBody,
  ErrorCode,
  type ErrorName,
  Flag,
  foreignLine,
  type Foreign,
  frameFault,
  FrameReader,
  type FrameSink,
  FrameType,
  type HelloRequest,
  heartbeatFrameSize,
  prefaceSize,
  readU32,
  type StatusBody,
  windowConsumer,
  windowMessageCount,
  windowSize,
  writeHeartbeat,
} from '@waybill/protocol'
import type { Broker } from '../broker/broker.js'
import { Refusal } from '../broker/refusal.js'
import type { Route } from '../broker/routing/route.js'
import type { Timed, Timers } from '../broker/timers/timed.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/log.js'
import type { LandingPlace, Transport, TransportHandler } from '../ports/transport.js'
import { type Access, type Authenticator, fullAccess } from './access.js'
import { BulkLanding } from './bulk-landing.js'
import { Channel, type ChannelHome } from './channel.js'
import { commandOf, runCommand } from './commands.js'
import type { PublisherCredit } from './credit.js'
import { Deliveries } from './deliveries.js'
import { Outbox } from './outbox.js'
import type { Output } from './output.js'

/** What a session may do; the defaults and reasons stand in `../limits.ts`. */
export interface SessionLimits {
  readonly frameSizeMax: number
  readonly messageSizeMax: number
  readonly channelCount: number
  readonly consumerCount: number
  readonly outboxSizeMax: number
  readonly outboxStallMs: number
  readonly handshakeMs: number
  readonly frameMs: number
  readonly heartbeatMs: number
}

/** The shard that sessions live in. */
export interface SessionHome {
  readonly broker: Broker
  readonly timers: Timers
  readonly credit: PublisherCredit
  readonly output: Output
  readonly clock: Clock
  readonly log: Logger
  readonly limits: SessionLimits
  readonly authenticator: Authenticator
  /** Identity of the log that message ids belong to. */
  readonly logId: string
  readonly serverVersion: string
  /** Why a further connection cannot be opened now, or undefined. */
  admit(session: Session): { name: ErrorName; message: string } | undefined
  /** It has something to send, or work for the broker: a turn is needed. */
  changed(session: Session): void
  closed(session: Session): void
  /** Whether one more connection may have a slab of its own to land in. */
  admitBulk(): boolean
  bulkLeft(): void
  list(session: Session, request: { kind: string; limit?: number; after?: string; prefix?: string }): object
}

/** Largest frame before HELLO is answered. [P-2.2] */
const helloFrameSizeMax = 16 * 1024
/** What may come behind HELLO before it is answered. */
const earlySizeMax = 64 * 1024
/** Largest frame that is not a PUBLISH: settlements and requests. */
const otherFrameSizeMax = 1024 * 1024

/** Reads of this size and more are those of a bulk publisher: so many in a row, and it gets a slab of its own. */
const bulkReadSize = 48 * 1024
const bulkReadsMin = 4
/** So many small reads in a row, or so long without one, and it goes back. */
const bulkQuietMax = 64
const bulkIdleMs = 1_000

const TimerOf = { handshake: 0, heartbeat: 1, frame: 2, stall: 3, lastLook: 4, linger: 5, bulk: 6 } as const

export type SessionState = 'preface' | 'hello' | 'authenticating' | 'open' | 'closing' | 'closed'

export class Session implements TransportHandler, FrameSink, ChannelHome, Timed {
  readonly connection: number
  readonly transport: Transport
  readonly connectedAt: number
  readonly deliveries = new Deliveries()
  readonly channels = new Map<number, Channel>()
  state: SessionState = 'preface'
  access: Access = fullAccess
  client: HelloRequest['client'] = { product: '', version: '' }
  heartbeatMs = 0
  isChanged = false
  held = false
  /** Whether it counts among the open connections. */
  wasAdmitted = false
  unsettledCount = 0
  receivedSize = 0
  readonly #home: SessionHome
  readonly #reader: FrameReader
  readonly #outbox: Outbox
  #host: VirtualHost | undefined
  #lastChannel: Channel | undefined
  /** Channels that were closed by an error: what is still on its way for them is dropped. */
  #failedChannels: Set<number> | undefined
  #changedChannels: Channel[] = []
  #before: Uint8Array[] = []
  #after: Uint8Array[] = []
  /** The first bytes, until there are enough of them; frames that came behind HELLO, until it is answered. */
  #early: Uint8Array = nothing
  #earlyFrames: EarlyFrame[] = []
  #earlySize = 0
  #receivedAt: number
  #sentAt: number
  #frameCount = 0
  #partialFrame = -1
  #bulk: BulkLanding | undefined
  /** Large reads in a row, and small ones. */
  #bulkReads = 0
  #bulkQuiet = 0
  #stallTimer = 0
  #stallTaken = 0
  #handshakeTimer = 0
  #heartbeatDue = 0

  constructor(connection: number, transport: Transport, home: SessionHome) {
    this.connection = connection
    this.transport = transport
    this.#home = home
    this.#reader = new FrameReader(this, helloFrameSizeMax)
    this.#outbox = new Outbox(home.broker.slabs)
    const now = home.clock.now()
    this.connectedAt = home.clock.wall()
    this.#receivedAt = this.#sentAt = now
    this.#handshakeTimer = home.timers.insert(now + home.limits.handshakeMs, this, TimerOf.handshake)
  }

  get host(): VirtualHost {
    return this.#host!
  }

  get broker(): Broker {
    return this.#home.broker
  }

  get timers(): Timers {
    return this.#home.timers
  }

  get credit(): PublisherCredit {
    return this.#home.credit
  }

  get messageSizeMax(): number {
    return this.#home.limits.messageSizeMax
  }

  get consumerCountMax(): number {
    return this.#home.limits.consumerCount
  }

  get holdsUnsettled(): boolean {
    return this.unsettledCount > 0
  }

  /** Bytes given to the transport and not gone. */
  get outboxSize(): number {
    return this.#outbox.givenSize - this.transport.takenSize
  }

  get sentSize(): number {
    return this.transport.takenSize
  }

  // ─── bytes in ───────────────────────────────────────────────────────────

  ingest(bytes: Uint8Array, from: number, to: number): void {
    this.#receivedAt = this.#home.clock.now()
    this.#home.broker.now = this.#receivedAt
    this.receivedSize += to - from
    if (this.state === 'closing' || this.state === 'closed') return
    if (this.state === 'preface') {
      this.#readPreface(bytes, from, to)
      return
    }
    const bulk = this.#bulk
    if (bulk !== undefined && bytes === bulk.buffer && from === bulk.filled) this.#readInPlace(bulk, to)
    else this.#read(bytes, from, to)
    this.#watchBulk(to - from)
  }

  landing(): LandingPlace | undefined {
    return this.#bulk
  }

  slabOf(bytes: Uint8Array, at: number): number {
    const bulk = this.#bulk
    return bulk !== undefined && bytes === bulk.buffer && at >= bulk.start && at < bulk.end ? bulk.slab : -1
  }

  /** Whole frames where they have landed; what is left of them stays there too. */
  #readInPlace(bulk: BulkLanding, to: number): void {
    bulk.filled = to
    const unread = this.#reader.scan(bulk.buffer, bulk.unread, to)
    if (unread < 0) {
      const fault = this.#reader.fault
      if (fault !== undefined) this.fail(fault.code, fault.message)
      return
    }
    bulk.unread = unread
    const size = bulk.partialSize < 4 ? 0 : 4 + readU32(bulk.buffer, unread)
    if (!bulk.makeRoom(size)) this.#leaveBulk()
    else if (size > 0) this.#watchPartial()
  }

  /** A connection that keeps filling its reads gets a slab of its own until it does not. */
  #watchBulk(size: number): void {
    if (this.#bulk === undefined) {
      this.#bulkReads = size >= bulkReadSize ? this.#bulkReads + 1 : 0
      if (this.#bulkReads < bulkReadsMin || !this.isOpen) return
      if (this.#reader.expectedSize > bulkReadSize * 4 || !this.#home.admitBulk()) return
      this.#bulk = new BulkLanding(this.#home.broker.slabs, this.#reader)
      this.#bulkReads = 0
      this.#bulkQuiet = 0
      this.#home.timers.insert(this.#receivedAt + bulkIdleMs, this, TimerOf.bulk)
    } else {
      this.#bulkQuiet = size < bulkReadSize / 4 ? this.#bulkQuiet + 1 : 0
      if (this.#bulkQuiet >= bulkQuietMax) this.#leaveBulk()
    }
  }

  #leaveBulk(): void {
    const bulk = this.#bulk
    if (bulk === undefined) return
    this.#bulk = undefined
    if (bulk.partialSize > 0 && this.isOpen) this.#read(bulk.buffer, bulk.unread, bulk.filled)
    bulk.close()
    this.#home.bulkLeft()
  }

  #read(bytes: Uint8Array, from: number, to: number): void {
    const good = this.#reader.read(bytes, from, to)
    if (!good) {
      const fault = this.#reader.fault
      if (fault !== undefined) this.fail(fault.code, fault.message)
      return
    }
    if (this.#reader.partialSize > 0) this.#partial()
  }

  /** A frame has begun and is not whole: it must be one that may come, and be whole in time. */
  #partial(): void {
    this.#watchPartial()
    const size = this.#reader.expectedSize
    if (size <= otherFrameSizeMax / 16 || this.#reader.partialSize < 8) return
    const channel = this.channels.get(this.#reader.expectedChannel)
    if (this.#reader.expectedType !== FrameType.publish) {
      if (size > otherFrameSizeMax) this.fail('frameTooLarge', `a frame of ${size} bytes that is not a PUBLISH; at most ${otherFrameSizeMax}`)
      return
    }
    const publishing = channel?.publishing
    if (publishing === undefined || size > publishing.creditSize - publishing.publishedSize + 64) {
      this.fail('frameTooLarge', `a PUBLISH of ${size} bytes is beyond the credit of its channel; wait for CREDIT`)
    }
  }

  #watchPartial(): void {
    if (this.#partialFrame === this.#frameCount) return
    this.#partialFrame = this.#frameCount
    this.#home.timers.insert(this.#receivedAt + this.#home.limits.frameMs, this, TimerOf.frame)
  }

  frame(bytes: Uint8Array, type: number, flags: number, channelId: number, correlation: number, from: number, to: number): void {
    this.#frameCount++
    if (this.state !== 'open') {
      this.#frameBeforeOpen(bytes, type, flags, channelId, correlation, from, to)
      return
    }
    const fault = frameFault(type, flags, channelId, 'client')
    if (fault !== undefined) {
      this.fail(fault.code, fault.message)
      return
    }
    if (type <= FrameType.window) this.#hotFrame(bytes, type, flags, channelId, correlation, from, to)
    else if (type !== FrameType.heartbeat) this.#controlFrame(bytes, type, channelId, correlation, from, to)
  }

  #hotFrame(bytes: Uint8Array, type: number, flags: number, channelId: number, correlation: number, from: number, to: number): void {
    const channel = this.#channel(channelId, correlation)
    if (channel === undefined) return
    switch (type) {
      case FrameType.publish: {
        if (checkPublish(bytes, from, to) !== 0) {
          this.fail('frameMalformed', 'PUBLISH does not have the layout of clause 4.1')
          return
        }
        const fault = channel.publishing.publish(bytes, flags, from, to)
        if (fault === undefined) return
        if (fault.code === 'frameMalformed') this.fail(fault.code, fault.message)
        else this.#failChannel(channel, fault.code, fault.message)
        return
      }
      case FrameType.settle: {
        if (checkSettle(bytes, from, to) !== 0) {
          this.fail('frameMalformed', 'SETTLE does not have the layout of clause 5.4')
          return
        }
        const refusal = channel.settle(bytes, from, to)
        this.#home.changed(this)
        if (refusal !== undefined) this.#answer(channelId, correlation, refusal)
        else if ((flags & Flag.correlated) !== 0) this.#answer(channelId, correlation, {})
        return
      }
      default:
        if (checkWindow(bytes, from, to) !== 0) {
          this.fail('frameMalformed', 'WINDOW does not have the layout of clause 5.3')
          return
        }
        channel.window(windowConsumer(bytes, from), windowMessageCount(bytes, from), windowSize(bytes, from))
        this.#home.changed(this)
    }
  }

  #controlFrame(bytes: Uint8Array, type: number, channelId: number, correlation: number, from: number, to: number): void {
    this.#home.changed(this)
    switch (type) {
      case FrameType.hello:
        this.fail('frameUnexpected', 'HELLO has been said')
        return
      case FrameType.open: {
        const { problem } = decodeControl('open', bytes, from, to)
        this.#answer(channelId, correlation, problem === undefined ? this.#openChannel(channelId) : refusalOf(problem))
        return
      }
      case FrameType.close: {
        const { problem } = decodeControl('close', bytes, from, to)
        if (problem !== undefined) this.#answer(channelId, correlation, refusalOf(problem))
        else this.#close(channelId, correlation)
        return
      }
      case FrameType.list: {
        const { value, problem } = decodeControl('list', bytes, from, to)
        const denied = this.access.monitorRefusal()
        if (problem !== undefined) this.#answer(channelId, correlation, refusalOf(problem))
        else if (denied !== undefined) this.#answer(channelId, correlation, new Refusal('forbidden', denied))
        else this.#answer(channelId, correlation, this.#home.list(this, value))
        return
      }
    }
    const name = commandOf(type)
    if (name === undefined) {
      this.#answer(channelId, correlation, new Refusal('unsupported', `there is no frame type 0x${type.toString(16).padStart(2, '0')} in this version`))
      return
    }
    const channel = this.#channel(channelId, correlation)
    if (channel === undefined) return
    const { value, problem } = decodeControl(name, bytes, from, to)
    if (problem !== undefined) {
      this.#answer(channelId, correlation, refusalOf(problem))
      return
    }
    const context = { host: this.host, connection: this.connection, access: this.access, channel, correlation }
    const answer = runCommand(name, context, value)
    if (answer !== undefined) this.#answer(channelId, correlation, answer)
  }

  // ─── opening ────────────────────────────────────────────────────────────

  #readPreface(bytes: Uint8Array, from: number, to: number): void {
    let start = from
    if (this.#early.length > 0) {
      const had = this.#early.length
      bytes = Buffer.concat([this.#early, bytes.subarray(from, to)])
      from = 0
      to = bytes.length
      start = 0
      if (had >= prefaceSize) return
    }
    const check = checkPreface(bytes, start, to)
    switch (check.state) {
      case 'need-more':
        this.#early = Uint8Array.prototype.slice.call(bytes, start, to)
        return
      case 'foreign':
        this.#refuseForeigner(check.foreign)
        return
      case 'version': {
        this.#early = nothing
        const answer = answerPreface(check.major, check.minor)
        this.#before.push(answer.bytes)
        this.#home.changed(this)
        if (answer.refused) {
          this.#home.log('info', 'version-refused', { connection: this.connection, remote: this.transport.remote, major: check.major })
          this.#end()
          return
        }
        this.state = 'hello'
        if (start + prefaceSize < to) this.#read(bytes, start + prefaceSize, to)
      }
    }
  }

  #refuseForeigner(foreign: Foreign): void {
    this.#home.log('info', 'foreign-protocol', { connection: this.connection, remote: this.transport.remote, recognised: foreign })
    this.#before.push(Buffer.from(foreignLine(foreign)))
    this.#home.changed(this)
    this.#end()
  }

  #frameBeforeOpen(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
    if (this.state === 'authenticating') {
      this.#earlySize += to - from + 16
      if (this.#earlySize > earlySizeMax) {
        this.fail('frameTooLarge', `more than ${earlySizeMax} bytes came before HELLO was answered; wait for the answer`)
        return
      }
      this.#earlyFrames.push({ bytes: Uint8Array.prototype.slice.call(bytes, from, to), type, flags, channel, correlation })
      return
    }
    if (this.state !== 'hello' || type === FrameType.heartbeat) return
    if (type !== FrameType.hello) {
      this.fail('frameUnexpected', 'HELLO comes first')
      return
    }
    const fault = frameFault(type, flags, channel, 'client')
    if (fault !== undefined) {
      this.fail(fault.code, fault.message)
      return
    }
    const { value: hello, problem } = decodeControl('hello', bytes, from, to)
    if (problem !== undefined) {
      this.#answer(0, correlation, refusalOf(problem))
      this.fail('frameUnexpected', `HELLO could not be read: ${problem.message}`)
      return
    }
    this.state = 'authenticating'
    this.client = hello.client
    const credentials = {
      user: hello.user,
      password: hello.password,
      virtualHost: hello.vhost ?? 'default',
      remote: this.transport.remote,
      local: this.transport.local,
    }
    this.#home.authenticator.check(credentials, (outcome) => this.#authenticated(hello, correlation, outcome))
  }

  #authenticated(hello: HelloRequest, correlation: number, outcome: Access | string): void {
    if (this.state !== 'authenticating') return
    const vhost = hello.vhost ?? 'default'
    if (typeof outcome === 'string') {
      this.#home.log('warn', 'authentication-failed', { connection: this.connection, remote: this.transport.remote, user: hello.user, vhost })
      this.#failRequest(correlation, 'authenticationFailed', outcome)
      return
    }
    const host = this.#home.broker.virtualHosts.get(vhost)
    if (host === undefined) {
      this.#failRequest(correlation, 'authenticationFailed', `no virtual host '${vhost}'; the configuration names those there are`)
      return
    }
    const refusal = this.#home.admit(this)
    if (refusal !== undefined) {
      this.#failRequest(correlation, refusal.name, refusal.message)
      return
    }
    const { limits, timers, clock } = this.#home
    this.wasAdmitted = true
    this.access = outcome
    this.#host = host
    this.state = 'open'
    timers.cancel(this.#handshakeTimer)
    this.#handshakeTimer = 0
    this.#reader.frameSizeMax = limits.frameSizeMax
    this.heartbeatMs = hello.heartbeatMs ?? limits.heartbeatMs
    if (this.heartbeatMs > 0) this.#armHeartbeat(clock.now())
    this.#answer(0, correlation, {
      server: { product: 'waybill', version: this.#home.serverVersion },
      log: this.#home.logId,
      connection: this.connection,
      heartbeatMs: this.heartbeatMs,
      keeps: 'nothing',
      limits: {
        frameSizeMax: limits.frameSizeMax,
        messageSizeMax: limits.messageSizeMax,
        channelCountMax: limits.channelCount,
        consumerCountMax: limits.consumerCount,
        nameSizeMax: 255,
      },
      blocked: this.#home.credit.blocked ? 'memory' : null,
    })
    this.#home.log('info', 'connection-opened', {
      connection: this.connection,
      remote: this.transport.remote,
      user: this.access.user,
      vhost,
      client: `${this.client.product} ${this.client.version}`,
      name: this.client.name,
    })
    const frames = this.#earlyFrames
    this.#earlyFrames = []
    for (const { bytes, type, flags, channel, correlation } of frames) {
      if (this.isOpen) this.frame(bytes, type, flags, channel, correlation, 0, bytes.length)
    }
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  // ─── channels ───────────────────────────────────────────────────────────

  #openChannel(id: number): object | Refusal {
    const { channelCount } = this.#home.limits
    if (id > channelCount) {
      return new Refusal('limitExceeded', `channel ${id} is above ${channelCount}, as many as channelCount allows`, { limit: 'channelCount' })
    }
    if (this.channels.has(id)) return new Refusal('requestInvalid', `channel ${id} is open`)
    this.#failedChannels?.delete(id)
    const channel = new Channel(id, this)
    this.channels.set(id, channel)
    channel.publishing.creditUntold = false
    return { creditSequence: channel.publishing.creditSequence, creditSize: channel.publishing.creditSize }
  }

  #close(channelId: number, correlation: number): void {
    if (channelId === 0) {
      this.#answer(0, correlation, {})
      this.#end()
      return
    }
    const channel = this.#channel(channelId, correlation)
    if (channel === undefined) return
    this.#removeChannel(channel)
    this.#answer(channelId, correlation, {})
  }

  #removeChannel(channel: Channel): void {
    this.flush()
    this.channels.delete(channel.id)
    if (this.#lastChannel === channel) this.#lastChannel = undefined
    channel.close()
  }

  #failChannel(channel: Channel, name: ErrorName, message: string): void {
    this.#removeChannel(channel)
    this.#failedChannels ??= new Set()
    this.#failedChannels.add(channel.id)
    this.#before.push(encodeControl(FrameType.error, channel.id, 0, errorBody(name, message)))
    this.#home.changed(this)
    this.#home.log('warn', 'channel-closed', { connection: this.connection, channel: channel.id, code: name, message })
  }

  /** The channel of a frame. If it is not open, the peer is told so, but not of a channel that has just failed. */
  #channel(id: number, correlation: number): Channel | undefined {
    if (this.#lastChannel?.id === id) return this.#lastChannel
    const channel = this.channels.get(id)
    if (channel !== undefined) {
      this.#lastChannel = channel
      return channel
    }
    if (correlation !== 0 || this.#failedChannels === undefined || !this.#failedChannels.has(id)) {
      this.#failedChannels ??= new Set()
      this.#failedChannels.add(id)
      this.#before.push(encodeControl(FrameType.error, id, correlation, errorBody('channelUnknown', `channel ${id} is not open; send OPEN first`)))
      this.#home.changed(this)
    }
    return undefined
  }

  // ─── what channels say ──────────────────────────────────────────────────

  changed(): void {
    this.#home.changed(this)
  }

  channelChanged(channel: Channel): void {
    if (!channel.isChanged) {
      channel.isChanged = true
      this.#changedChannels.push(channel)
    }
    this.#home.changed(this)
  }

  unsettledChanged(by: number): void {
    this.unsettledCount += by
  }

  answerLater(channel: number, correlation: number, result: object): void {
    this.#after.push(encodeControl(FrameType.result, channel, correlation, result))
    this.#home.changed(this)
  }

  consumerEnded(channel: number, consumer: number, reason: 'queue-deleted'): void {
    this.#after.push(encodeControl(FrameType.cancelled, channel, 0, { consumer, reason }))
    this.#home.changed(this)
  }

  mayPublish(route: Route, bytes: Uint8Array, at: number): string | undefined {
    if (this.access === fullAccess) return undefined
    if (route.exchange !== undefined) return this.access.refusal('write', 'exchange', route.exchange.name)
    const keyStart = at + 16 + bytes[at + 6]
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + keyStart, bytes[at + 7]).toString('utf8')
    return this.access.refusal('write', 'queue', key)
  }

  // ─── bytes out ──────────────────────────────────────────────────────────

  /** Sends what has been gathered in this turn. */
  flush(): void {
    this.isChanged = false
    if (this.state === 'closed') return
    const { output, broker } = this.#home
    output.begin(this.transport, this.deliveries.pinned)
    if (this.#before.length > 0) {
      for (const bytes of this.#before) output.bytes(bytes)
      this.#before = []
    }
    if (this.#changedChannels.length > 0) this.#writeConfirms(output)
    if (this.deliveries.count > 0) this.deliveries.write(broker.slabs, output)
    if (this.#after.length > 0) {
      for (const bytes of this.#after) output.bytes(bytes)
      this.#after = []
    }
    const taken = output.end()
    this.#outbox.gave(output.sentSize, this.deliveries.pinned, taken)
    if (output.sentSize > 0) this.#sentAt = broker.now
    if (!taken) this.#watchOutbox()
  }

  #writeConfirms(output: Output): void {
    for (const channel of this.#changedChannels) {
      channel.isChanged = false
      const { publishing } = channel
      if (publishing.confirms.pending) {
        publishing.confirms.write(output, channel.id, publishing.creditSequence, publishing.creditSize)
        publishing.creditUntold = false
      } else if (publishing.creditUntold) publishing.writeCredit(output, channel.id)
    }
    this.#changedChannels.length = 0
  }

  written(): void {
    this.#outbox.release(this.transport)
    if (this.held && this.transport.pendingSize <= this.#home.limits.outboxSizeMax / 2) this.#hold(false)
  }

  #watchOutbox(): void {
    const { limits, timers, clock } = this.#home
    if (!this.held && this.transport.pendingSize >= limits.outboxSizeMax) this.#hold(true)
    if (this.#stallTimer !== 0) return
    this.#stallTaken = this.transport.takenSize
    this.#stallTimer = timers.insert(clock.now() + limits.outboxStallMs, this, TimerOf.stall)
  }

  #hold(held: boolean): void {
    this.held = held
    for (const channel of this.channels.values()) channel.hold(held)
    this.#home.changed(this)
    this.#home.log('debug', held ? 'consumers-held' : 'consumers-released', { connection: this.connection, outboxSize: this.outboxSize })
  }

  #answer(channel: number, correlation: number, answer: object | Refusal): void {
    const frame =
      answer instanceof Refusal
        ? encodeControl(FrameType.error, channel, correlation, errorBody(answer.name, answer.message, answer.details))
        : encodeControl(FrameType.result, channel, correlation, answer)
    this.#before.push(frame)
    this.#home.changed(this)
  }

  status(status: StatusBody): void {
    if (!this.isOpen) return
    this.#before.push(encodeControl(FrameType.status, 0, 0, status))
    this.#home.changed(this)
  }

  // ─── time ───────────────────────────────────────────────────────────────

  due(value: number, now: number): void {
    switch (value) {
      case TimerOf.handshake:
        this.#handshakeTimer = 0
        if (this.state === 'preface') this.#refuseForeigner(checkForeigner(this.#early))
        else if (this.state !== 'open') this.fail('handshakeTimeout', `HELLO was not finished within ${this.#home.limits.handshakeMs} ms`)
        return
      case TimerOf.heartbeat:
        this.#heartbeat(now)
        return
      case TimerOf.lastLook:
        if (now - this.#receivedAt >= 2 * this.heartbeatMs && this.isOpen) {
          this.fail('heartbeatTimeout', `nothing came for ${2 * this.heartbeatMs} ms`)
        } else if (this.isOpen) this.#armHeartbeat(now)
        return
      case TimerOf.frame:
        if (this.#reader.partialSize + (this.#bulk?.partialSize ?? 0) > 0 && this.#partialFrame === this.#frameCount) {
          this.fail('frameTimeout', `a frame was not whole within ${this.#home.limits.frameMs} ms`)
        } else this.#partialFrame = -1
        return
      case TimerOf.stall:
        this.#stallTimer = 0
        if (this.transport.pendingSize === 0 || this.state === 'closed') return
        if (this.transport.takenSize > this.#stallTaken) this.#watchOutbox()
        else this.#abort('outboxStalled', `nothing was taken of ${this.outboxSize} bytes within ${this.#home.limits.outboxStallMs} ms`)
        return
      case TimerOf.bulk:
        if (this.#bulk === undefined) return
        if (now - this.#receivedAt >= bulkIdleMs) this.#leaveBulk()
        else this.#home.timers.insert(now + bulkIdleMs, this, TimerOf.bulk)
        return
      case TimerOf.linger:
        if (this.state !== 'closed') this.transport.destroy()
    }
  }

  #armHeartbeat(now: number): void {
    this.#heartbeatDue = now + Math.max(1, Math.floor(this.heartbeatMs / 2))
    this.#home.timers.insert(this.#heartbeatDue, this, TimerOf.heartbeat)
  }

  #heartbeat(now: number): void {
    if (!this.isOpen) return
    if (now - this.#sentAt >= this.heartbeatMs / 2) {
      const frame = new Uint8Array(heartbeatFrameSize)
      writeHeartbeat(frame, 0)
      this.#before.push(frame)
      this.#home.changed(this)
    }
    // A timer this late means that it was this process that stood still: the peer gets the time that it was not heard in.
    const late = now - this.#heartbeatDue
    if (late > this.heartbeatMs / 2) this.#receivedAt = Math.max(this.#receivedAt, now - this.heartbeatMs)
    if (now - this.#receivedAt >= 2 * this.heartbeatMs) this.#home.timers.insert(now + 1, this, TimerOf.lastLook)
    else this.#armHeartbeat(now)
  }

  /** The broker goes away: nothing new is delivered, what is held may be settled within this time. */
  drain(deadlineMs: number): void {
    if (this.isOpen) {
      this.status({ state: 'draining', deadlineMs })
      for (const channel of this.channels.values()) channel.hold(true)
    } else if (this.state !== 'closed') this.fail('shuttingDown', 'the broker is going away')
  }

  // ─── the end ────────────────────────────────────────────────────────────

  /** The peer broke the protocol, or ran out of time: it is told why, and the connection ends. */
  fail(name: ErrorName, message: string): void {
    if (this.state === 'closing' || this.state === 'closed') return
    this.#before.push(encodeControl(FrameType.error, 0, 0, errorBody(name, message, undefined, 'connection')))
    this.#home.log('warn', 'connection-failed', { connection: this.connection, remote: this.transport.remote, code: name, message })
    this.#end()
  }

  #failRequest(correlation: number, name: ErrorName, message: string): void {
    this.#before.push(encodeControl(FrameType.error, 0, correlation, errorBody(name, message, undefined, 'connection')))
    this.#end()
  }

  #abort(name: ErrorName, message: string): void {
    this.#home.log('warn', 'connection-failed', { connection: this.connection, remote: this.transport.remote, code: name, message })
    this.transport.destroy()
  }

  /** Nothing more is read; what there is to say is said, then the connection ends. */
  #end(): void {
    this.#reader.stop()
    this.flush()
    this.#release()
    this.flush()
    this.state = 'closing'
    this.transport.end()
    this.#home.timers.insert(this.#home.clock.now() + this.#home.limits.handshakeMs, this, TimerOf.linger)
  }

  /** Everything that the connection had goes back to the broker. */
  #release(): void {
    this.#leaveBulk()
    for (const channel of this.channels.values()) channel.close()
    this.channels.clear()
    this.#lastChannel = undefined
    if (this.#host !== undefined) this.#home.broker.connectionClosed(this.connection)
    if (this.#handshakeTimer !== 0) this.#home.timers.cancel(this.#handshakeTimer)
    this.#handshakeTimer = 0
    this.#earlyFrames = []
    this.#early = nothing
  }

  closed(reason: string): void {
    if (this.state === 'closed') return
    const wasOpen = this.isOpen
    if (this.state !== 'closing') {
      this.#reader.stop()
      this.#release()
    }
    this.state = 'closed'
    this.#outbox.close()
    for (const slab of this.deliveries.pinned) this.#home.broker.slabs.unpin(slab)
    this.deliveries.pinned.length = 0
    if (this.#stallTimer !== 0) this.#home.timers.cancel(this.#stallTimer)
    this.#home.closed(this)
    this.#home.log('info', 'connection-closed', { connection: this.connection, remote: this.transport.remote, reason, cut: wasOpen })
  }

  invariants(): void {
    let unsettled = 0
    for (const channel of this.channels.values()) {
      channel.invariants()
      unsettled += channel.unsettledCount
    }
    if (unsettled !== this.unsettledCount) throw new Error(`session counts ${this.unsettledCount} unsettled, its channels ${unsettled}`)
  }
}

interface EarlyFrame {
  readonly bytes: Uint8Array
  readonly type: number
  readonly flags: number
  readonly channel: number
  readonly correlation: number
}

const nothing = new Uint8Array(0)

function refusalOf({ code, message, details }: { code: ErrorName; message: string; details?: Readonly<Record<string, unknown>> }): Refusal {
  return new Refusal(code, message, details)
}

function checkForeigner(early: Uint8Array): Foreign {
  const check = checkPreface(early, 0, early.length, true)
  return check.state === 'foreign' ? check.foreign : 'silence'
}
