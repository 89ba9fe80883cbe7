/**
 * One live connection, from the first byte of its preface to its loss. It lives once: after a loss there is another link.
 *
 *     preface → HELLO → open: deliveries, confirms and credit to the channels by number, everything else to the control reader → lost
 *
 * What is written during a turn of the program leaves in one write at its end. Every request is answered, or rejected when the
 * link is lost or its time is up.
 */
import {
  encodeControl,
  Flag,
  FrameReader,
  type FrameSink,
  FrameType,
  frameFault,
  heartbeatFrameSize,
  type HelloRequest,
  type HelloResult,
  preface,
  type RequestName,
  type ResultBodies,
  type StatusBody,
  writeHeartbeat,
} from '@waybill/protocol'
import type { Clock } from '../clock.js'
import { messageOf, WaybillError } from '../errors.js'
import type { Log } from '../log.js'
import type { Socket, Transport } from '../transport/transport.js'
import { hostOf, type Target } from '../url.js'
import { type ControlHome, ControlReader } from './control-reader.js'
import { Heartbeat } from './heartbeat.js'
import { Opening } from './opening.js'
import { Outgoing } from './outgoing.js'
import { PendingRequests } from './pending-requests.js'
import { PrefaceReader } from './preface-reader.js'

/** What a channel hears from its link. Bytes are valid during the call only. */
export interface ChannelSink {
  deliver(bytes: Uint8Array, flags: number, from: number, to: number): void
  confirm(bytes: Uint8Array, from: number, to: number): void
  credit(bytes: Uint8Array, from: number, to: number): void
  cancelled(consumer: number, reason: 'queue-deleted' | 'refused', error: WaybillError | undefined): void
  /** The broker has closed the channel, and only it. */
  failed(error: WaybillError): void
  /** The turn ends: what was put off until now is written, or, unless `all` is to be, some of it later. */
  writePending(all: boolean): void
}

export interface LinkHome {
  readonly clock: Clock
  readonly log: Log
  /** STATUS has come. */
  told(body: StatusBody): void
  stalled(lateMs: number): void
  /** Called once, if it had been opened; otherwise `opened` rejects. */
  lost(link: Link, cause: WaybillError): void
}

const openingFrameSizeMax = 16 * 1024

export class Link implements FrameSink {
  readonly host: string
  readonly out: Outgoing
  /** Resolves when HELLO is answered, rejects when that does not happen in time. */
  readonly opened: Promise<void>
  readonly #home: LinkHome
  readonly #clock: Clock
  readonly #socket: Socket
  readonly #reader: FrameReader
  readonly #channels: (ChannelSink | undefined)[] = []
  readonly #pending: PendingRequests
  readonly #control: ControlReader
  readonly #opening: Opening
  /** Undefined: the preface has been read. */
  #preface: PrefaceReader | undefined
  /** Channels that have something to write at the end of the turn. */
  #dirty: ChannelSink[] = []
  #hello: HelloResult | undefined
  #heartbeat: Heartbeat | undefined
  #cause: WaybillError | undefined
  #lost = false
  #flushing = false
  /** Turns of the event loop that read or wrote something here. */
  turnCount = 0
  #now = 0
  readonly #flush = (): void => {
    this.#flushing = false
    this.#now = 0
    this.turnCount++
    this.flush()
  }

  /** Begins to connect; `opened` says how it went, within `timeoutMs`. */
  constructor(transport: Transport, target: Target, hello: HelloRequest, timeoutMs: number, home: LinkHome) {
    this.host = hostOf(target)
    this.#home = home
    this.#clock = home.clock
    this.#pending = new PendingRequests(home.clock, this.host)
    this.#control = new ControlReader(this.#controlHome(), this.#pending)
    this.#reader = new FrameReader(this, openingFrameSizeMax)
    this.#preface = new PrefaceReader(this.host)
    this.#opening = new Opening(home.clock, timeoutMs, () => {
      const message = `no answer from ${this.host} within ${Math.round(timeoutMs)} ms`
      this.destroy(new WaybillError('CONNECT_TIMEOUT', message, { retryable: true }))
    })
    this.opened = this.#opening.opened
    try {
      this.#socket = transport.open(target, {
        ingest: (bytes, from, to) => this.#ingest(bytes, from, to),
        drained: () => this.out.drained(),
        closed: (error) => this.#closed(error),
      })
    } catch (error) {
      this.#opening.cancel()
      throw error
    }
    this.out = new Outgoing(this.#socket)
    this.out.append(preface)
    this.#request('hello', 0, hello, 0).then(
      (result) => this.#opened(result),
      (error) => this.destroy(error),
    )
    this.out.flush()
  }

  /** What the broker said of itself. There is none before the link is open. */
  get hello(): HelloResult {
    if (this.#hello === undefined) throw new Error('the link is not open')
    return this.#hello
  }

  get alive(): boolean {
    return !this.#lost
  }

  attach(number: number, sink: ChannelSink): void {
    this.#channels[number] = sink
  }

  detach(number: number): void {
    this.#channels[number] = undefined
  }

  /** Something was written: it leaves when the program returns to its event loop. */
  touch(): void {
    if (this.#flushing) return
    this.#flushing = true
    process.nextTick(this.#flush)
  }

  /** The time, asked for once a turn: exact enough for deadlines of seconds, and a thousand messages a turn ask. */
  now(): number {
    if (this.#now === 0) {
      this.#now = this.#clock.now()
      this.touch()
    }
    return this.#now
  }

  /** The channel's `writePending` is called before this turn's bytes leave. The caller remembers that it has asked. */
  touchedBy(channel: ChannelSink): void {
    this.#dirty.push(channel)
    this.touch()
  }

  flush(): void {
    this.#writePending(false)
    this.out.flush()
  }

  /** Asks the broker. Rejects with its error, with `TIMEOUT` after `timeoutMs`, or with `CONNECTION_LOST`. */
  request<K extends RequestName>(name: K, channel: number, body: object, timeoutMs: number): Promise<ResultBodies[K]> {
    if (this.#lost) return Promise.reject(unansweredError(this.#cause))
    this.#writePending(true)
    const answer = this.#request(name, channel, body, timeoutMs)
    this.touch()
    return answer
  }

  /** An answer to a frame that the caller writes: its correlation id, and the promise. */
  expect<K extends RequestName>(name: K, channel: number, timeoutMs: number): { correlation: number; answer: Promise<ResultBodies[K]> } {
    return this.#pending.add(name, channel, timeoutMs)
  }

  /** Says goodbye and ends the socket; what is written goes out before. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#lost) return
    this.#cause ??= new WaybillError('CLOSED', 'the connection was closed')
    try {
      await this.request('close', 0, {}, Math.max(1, timeoutMs))
    } catch {
      // Gone already, or silent: the end is the same.
    }
    this.destroy(this.#cause)
  }

  /** Ends the link now. The first cause counts. */
  destroy(cause: WaybillError): void {
    if (this.#lost) return
    this.#lost = true
    this.#cause = this.#cause?.code === 'CLOSED' ? this.#cause : cause
    this.#reader.stop()
    this.#heartbeat?.stop()
    this.out.close()
    this.#dirty = []
    this.#socket.destroy()
    const reason = this.#cause
    this.#pending.rejectAll(unansweredError(reason))
    if (this.#opening.isUnderWay) this.#opening.fail(reason)
    else this.#home.lost(this, reason)
  }

  // ─── bytes in ───────────────────────────────────────────────────────────

  #ingest(bytes: Uint8Array, from: number, to: number): void {
    if (this.#lost) return
    this.turnCount++
    if (this.#heartbeat !== undefined) this.#heartbeat.heard = true
    let at = from
    if (this.#preface !== undefined) {
      at = this.#preface.read(bytes, from, to)
      if (this.#preface.error !== undefined) this.destroy(this.#preface.error)
      if (at < 0) return
      this.#preface = undefined
    }
    if (at < to && !this.#reader.read(bytes, at, to) && !this.#lost) {
      const fault = this.#reader.fault
      this.#fault(fault === undefined ? 'FRAME_MALFORMED' : fault.code, fault?.message ?? 'the frames cannot be read')
    }
  }

  /** Called by the reader for every whole frame. */
  frame(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
    if (type === FrameType.deliver || type === FrameType.confirm || type === FrameType.credit) {
      const flagsMax = type === FrameType.deliver ? Flag.redelivered | Flag.counts : 0
      if (channel === 0 || (flags & ~flagsMax) !== 0 || this.#hello === undefined) {
        const fault = frameFault(type, flags, channel, 'server')
        this.#fault(fault?.code ?? 'frameUnexpected', fault?.message ?? 'the first frame of a broker answers HELLO')
        return
      }
      const sink = this.#channels[channel]
      // A channel that we have closed, or that the broker has: what was on its way to it is nobody's.
      if (sink === undefined) return
      if (type === FrameType.deliver) sink.deliver(bytes, flags, from, to)
      else if (type === FrameType.confirm) sink.confirm(bytes, from, to)
      else sink.credit(bytes, from, to)
      return
    }
    this.#control.frame(bytes, type, flags, channel, correlation, from, to)
  }

  #controlHome(): ControlHome {
    return {
      host: this.host,
      log: this.#home.log,
      greeted: (hello) => this.#greeted(hello),
      told: (body) => this.#home.told(body),
      cancelled: (channel, consumer, reason, error) => this.#channels[channel]?.cancelled(consumer, reason, error),
      channelFailed: (channel, error) => {
        // What was asked on it before will not be answered. [P-6.8]
        this.#pending.rejectAll(unansweredError(error), channel)
        this.#channels[channel]?.failed(error)
      },
      fault: (name, message) => this.#fault(name, message),
      destroy: (cause) => this.destroy(cause),
    }
  }

  /** What the broker sent breaks the protocol: there is no going on. */
  protocolFault(message: string): void {
    this.#fault('frameMalformed', message)
  }

  #fault(name: string, message: string): void {
    const error = new WaybillError('PROTOCOL_ERROR', `${this.host} breaks the protocol (${name}): ${message}`, { retryable: true })
    this.#home.log({ level: 'error', event: 'protocol-error', host: this.host, fault: name, message })
    this.destroy(error)
  }

  // ─── opening, requests, end ─────────────────────────────────────────────

  #greeted(hello: HelloResult): void {
    this.#hello = hello
    this.#reader.frameSizeMax = hello.limits.frameSizeMax
    this.out.frameSizeMax = hello.limits.frameSizeMax
  }

  #opened(hello: HelloResult): void {
    if (!this.#opening.isUnderWay) return
    this.#heartbeat = new Heartbeat(this.#clock, hello.heartbeatMs, {
      beat: () => this.#beat(),
      out: this.out,
      stalled: (lateMs) => this.#home.stalled(lateMs),
      lost: () => {
        const message = `nothing was heard of ${this.host} for two heartbeats of ${hello.heartbeatMs} ms`
        this.destroy(new WaybillError('HEARTBEAT_TIMEOUT', message, { retryable: true }))
      },
    })
    this.#opening.succeed()
  }

  #beat(): void {
    const at = this.out.reserve(heartbeatFrameSize)
    this.out.used = writeHeartbeat(this.out.bytes, at)
    this.flush()
  }

  #request<K extends RequestName>(name: K, channel: number, body: object, timeoutMs: number): Promise<ResultBodies[K]> {
    const { correlation, answer } = this.#pending.add(name, channel, timeoutMs)
    this.out.append(encodeControl(FrameType[name], channel, correlation, body))
    return answer
  }

  #writePending(all: boolean): void {
    if (all) for (const channel of this.#channels) channel?.writePending(true)
    const dirty = this.#dirty
    if (dirty.length === 0) return
    this.#dirty = []
    for (const channel of dirty) channel.writePending(all)
  }

  #closed(error: Error | undefined): void {
    if (error instanceof WaybillError) {
      this.destroy(error)
      return
    }
    const opening = this.#opening.isUnderWay
    const said = error !== undefined ? messageOf(error) : `the broker closed the connection${opening ? unsaid : ''}`
    const code = opening ? 'CONNECT_FAILED' : 'CONNECTION_LOST'
    this.destroy(new WaybillError(code, `${this.host}: ${said}`, { retryable: true, cause: error }))
  }
}

/** A port with TLS cannot say anything to whoever comes without. */
const unsaid = ' before it had answered; if it wants TLS, its URL begins with waybills://'

/** What a request without an answer is rejected with; the caller may ask again on the next connection. */
function unansweredError(cause: WaybillError | undefined): WaybillError {
  if (cause?.code === 'CLOSED') return cause
  return new WaybillError('CONNECTION_LOST', `lost before the answer: ${cause?.message ?? 'the connection is closed'}`, {
    retryable: true,
    cause,
  })
}
