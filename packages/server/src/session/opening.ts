/**
 * The way in: the preface, HELLO, and who it is.
 *
 *     preface ─▶ hello ─▶ authenticating ─▶ welcome
 *        │         │            └ refused: an ERROR that answers HELLO
 *        │         └ anything else, too large: an ERROR
 *        └ not WAYB: a line for whoever came to the wrong port
 *
 * Only HELLO and HEARTBEAT are looked at here. What comes behind HELLO is kept until it is answered, up to
 * `openingSizeMax`, and is not read when it is refused. [P-1, P-2.6, P-6.1]
 */
import {
  answerPreface,
  checkHeartbeat,
  checkPreface,
  correlationSize,
  decodeControl,
  type ErrorName,
  type Foreign,
  foreignLine,
  frameFault,
  frameHeaderSize,
  FrameType,
  type HelloRequest,
  limits,
  preface,
  prefaceSize,
  refusedPreface,
} from '@waybill/protocol'
import { Refusal } from '../broker/refusal.js'
import type { Transport } from '../ports/transport.js'
import type { Access } from './access.js'
import type { ConnectionLog } from './connection-log.js'
import type { Shard } from './shard.js'

export interface OpeningHome {
  readonly transport: Transport
  readonly log: ConnectionLog
  readonly shard: Pick<Shard, 'authenticator'>
  /** Sends bytes that are not a frame. */
  say(bytes: Uint8Array): void
  /** Ends the connection behind what has been said. */
  end(): void
  fail(name: ErrorName, message: string): void
  /** The ERROR that answers HELLO, and the end. */
  refuseHello(hello: HelloRequest | undefined, correlation: number, refusal: Refusal): void
  /** HELLO is good and comes from somebody who is known. */
  welcome(hello: HelloRequest, correlation: number, access: Access): void
}

interface EarlyFrame {
  readonly bytes: Uint8Array
  readonly type: number
  readonly flags: number
  readonly channel: number
  readonly correlation: number
}

export class Opening {
  readonly #home: OpeningHome
  #stage: 'preface' | 'hello' | 'authenticating' | 'over' = 'preface'
  /** The first bytes, until there are enough of them. */
  readonly #first = new Uint8Array(prefaceSize)
  #firstSize = 0
  #frames: EarlyFrame[] = []
  #framesSize = 0

  constructor(home: OpeningHome) {
    this.#home = home
  }

  /** Whether the preface has not been read; frames come behind it. */
  get awaitsPreface(): boolean {
    return this.#stage === 'preface'
  }

  /** Whether it is the other end that keeps us waiting. */
  get canGiveWay(): boolean {
    return this.#stage === 'preface' || this.#stage === 'hello'
  }

  /** Takes the preface off the first bytes; returns where frames begin, or -1. */
  readPreface(bytes: Uint8Array, from: number, to: number): number {
    const take = Math.min(prefaceSize - this.#firstSize, to - from)
    this.#first.set(bytes.subarray(from, from + take), this.#firstSize)
    this.#firstSize += take
    const check = checkPreface(this.#first, 0, this.#firstSize)
    if (check.state === 'need-more') return -1
    if (check.state === 'foreign') {
      this.#refuseForeigner(check.foreign)
      return -1
    }
    const answer = check.refused ? { bytes: refusedPreface, refused: true } : answerPreface(check.major, check.minor)
    this.#home.say(answer.bytes)
    if (answer.refused) {
      this.#home.log.versionRefused(check.major, check.minor)
      this.#home.end()
      return -1
    }
    this.#stage = 'hello'
    return from + take
  }

  /** A frame before HELLO is answered. */
  frame(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
    if (this.#stage === 'authenticating') {
      this.#keep({ bytes: Uint8Array.prototype.slice.call(bytes, from, to), type, flags, channel, correlation })
      return
    }
    if (this.#stage !== 'hello') return
    if (type !== FrameType.hello && type !== FrameType.heartbeat) {
      this.#home.fail('frameUnexpected', 'HELLO comes first')
      return
    }
    const fault = frameFault(type, flags, channel, 'client')
    if (fault !== undefined) this.#home.fail(fault.code, fault.message)
    else if (type === FrameType.hello) this.#hello(bytes, correlation, from, to)
    else if (checkHeartbeat(bytes, from, to) !== 0) this.#home.fail('frameMalformed', 'HEARTBEAT has no body')
  }

  /** Nothing more will come, or not in time: whoever has not said enough is told so. */
  timeUp(handshakeMs: number): void {
    if (this.#stage === 'preface') this.#lastWord()
    else this.#home.fail('handshakeTimeout', `HELLO was not finished within ${handshakeMs} ms`)
  }

  /** Its place is needed for others. */
  giveWay(): void {
    if (this.#stage === 'preface') this.#lastWord()
    else this.#home.fail('handshakeTimeout', 'HELLO was not finished, and others were waiting for the place')
  }

  /** The other end will send nothing more. */
  ended(): void {
    if (this.#stage === 'preface') this.#lastWord()
    else this.#home.end()
  }

  /** Said before an ERROR to somebody who has not heard the answer to the preface yet. */
  sayPreface(): void {
    if (this.#stage === 'preface') this.#home.say(preface)
  }

  /** What came behind HELLO, for who reads it now that HELLO is answered. */
  takeFrames(): readonly EarlyFrame[] {
    const frames = this.#frames
    this.close()
    return frames
  }

  close(): void {
    this.#stage = 'over'
    this.#frames = []
  }

  #hello(bytes: Uint8Array, correlation: number, from: number, to: number): void {
    const { value: hello, problem } = decodeControl('hello', bytes, from, to)
    if (problem !== undefined) {
      this.#home.refuseHello(undefined, correlation, new Refusal(problem.code, problem.message, problem.details))
      return
    }
    this.#stage = 'authenticating'
    const { transport, shard } = this.#home
    const credentials = {
      user: hello.user,
      password: hello.password,
      virtualHost: hello.vhost ?? 'default',
      remote: transport.remote,
      local: transport.local,
      isWanted: () => this.#stage === 'authenticating',
    }
    shard.authenticator.check(credentials, (outcome) => {
      // The answer may come when the connection has gone.
      if (this.#stage !== 'authenticating') return
      if (typeof outcome !== 'string') this.#home.welcome(hello, correlation, outcome)
      else this.#home.refuseHello(hello, correlation, new Refusal('authenticationFailed', outcome))
    })
  }

  #keep(frame: EarlyFrame): void {
    this.#framesSize += frameHeaderSize + (frame.correlation === 0 ? 0 : correlationSize) + frame.bytes.length
    const sizeMax = limits.openingSizeMax.value
    if (this.#framesSize > sizeMax) {
      this.#home.fail('frameTooLarge', `more than ${sizeMax} bytes came behind HELLO before it was answered; wait for the answer`)
    } else this.#frames.push(frame)
  }

  #lastWord(): void {
    const check = checkPreface(this.#first, 0, this.#firstSize, true)
    this.#refuseForeigner(check.state === 'foreign' ? check.foreign : 'silence')
  }

  #refuseForeigner(recognised: Foreign): void {
    this.#home.log.foreign(recognised)
    this.#home.say(Buffer.from(foreignLine(recognised)))
    this.#home.end()
  }
}
