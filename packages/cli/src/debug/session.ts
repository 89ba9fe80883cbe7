/**
 * One session of the debug tool: runs commands, one after the other, over a link; shows every frame; keeps the connection
 * alive meanwhile, so that a person may think for as long as it takes.
 */
import {
  correlationSize,
  ErrorCode,
  Flag,
  frameHeaderSize,
  type HelloRequest,
  heartbeatFrameSize,
  readU32,
  sizeFieldSize,
  WireError,
  writeHeartbeat,
} from '@waybill/protocol'
import { type Direction, type Frame, readFrame } from './frame.js'
import type { Link, LinkListener } from './link.js'
import type { Screen } from './screen.js'
import { CommandFailure, type Step, type Steps, type Wait } from './steps.js'
import { Talk } from './talk.js'

/** The broker has this long to say that it has closed. */
const goodbyeMs = 2_000

/** The connection is gone while something was to be done with it. */
export class LinkLost extends Error {
  override readonly name = 'LinkLost'
}

interface Waiting {
  readonly until: Wait['until']
  readonly resolve: (frame: Frame | undefined) => void
  readonly reject: (error: Error) => void
}

export class Session implements LinkListener {
  readonly talk = new Talk()
  readonly #screen: Screen
  #link: Link | undefined
  #waiting: Waiting | undefined
  #lost: LinkLost | undefined
  #quitting = false
  #heartbeatTimer: NodeJS.Timeout | undefined
  /** Called once when the connection is gone and nobody wanted it. */
  onLost: () => void = () => {}

  constructor(screen: Screen) {
    this.#screen = screen
  }

  /** Nothing more can be done: somebody said quit, or the connection has ended. */
  get isOver(): boolean {
    return this.#quitting || this.#lost !== undefined || this.talk.ended !== undefined
  }

  attach(link: Link): void {
    this.#link = link
  }

  /** Runs what a command asks for. Rejects with CommandFailure, or with LinkLost. */
  async run(steps: Steps): Promise<void> {
    let next = steps.next()
    while (next.done !== true) {
      const step = next.value
      if (step.step !== 'wait' && step.step !== 'pause') this.#do(step)
      else {
        try {
          next = steps.next(await this.#wait(step))
        } catch (error) {
          next = steps.throw(error)
        }
        continue
      }
      next = steps.next()
    }
  }

  /** Ends what the running command waits for, if it waits; it fails then. */
  interrupt(): boolean {
    const waiting = this.#waiting
    waiting?.reject(new CommandFailure('interrupted', 'not waited for any longer'))
    return waiting !== undefined
  }

  /** HELLO, and a first channel. Rejects as `run` does. */
  async greet(request: HelloRequest): Promise<void> {
    const { talk } = this
    function* hello(): Steps {
      talk.server = yield* talk.request('hello', request, 0)
    }
    await this.run(hello())
    const { limits, heartbeatMs } = talk.server!
    this.#link!.frameSizeMax = limits.frameSizeMax
    if (heartbeatMs > 0) this.#heartbeatTimer = setInterval(() => this.#keepAlive(heartbeatMs), heartbeatMs / 4)
    await this.run(talk.open(talk.channel))
  }

  /** Says goodbye and ends the socket. Resolves with why the connection was gone before, if it was. */
  async close(): Promise<string | undefined> {
    this.#quitting = true
    try {
      await this.run(this.#goodbye())
    } catch (error) {
      if (!(error instanceof CommandFailure) && !(error instanceof LinkLost)) throw error
    }
    const lost = this.talk.ended ?? this.#lost?.message
    clearInterval(this.#heartbeatTimer)
    this.#link?.close()
    return lost
  }

  frame(frame: Frame): void {
    this.#screen.frame('in', frame)
    for (const step of this.talk.hear(frame)) this.#do(step)
    this.#ask(frame)
  }

  preface(direction: Direction, bytes: Uint8Array): void {
    this.#screen.bytes(direction, bytes, 'preface')
  }

  foreign(bytes: Uint8Array): void {
    this.#screen.bytes('in', bytes, 'bytes that are no frames')
  }

  ended(why: string | undefined): void {
    clearInterval(this.#heartbeatTimer)
    this.#lost = new LinkLost(why ?? 'the broker closed the connection')
    this.#waiting?.reject(this.#lost)
    if (!this.#quitting) this.onLost()
  }

  /** Sends a heartbeat when it is time, and notices when the other side is silent. [P-7.1] */
  #keepAlive(heartbeatMs: number): void {
    const link = this.#link!
    const silentMs = (): number => performance.now() - link.receivedAt
    if (performance.now() - link.sentAt >= heartbeatMs / 2) this.#send(heartbeat())
    if (silentMs() <= 2 * heartbeatMs) return
    // What has come while this process slept lies in the socket; it is read before anybody is called dead.
    setImmediate(() => {
      if (silentMs() > 2 * heartbeatMs) link.abandon(`nothing came from the broker for ${2 * heartbeatMs} ms`)
    })
  }

  *#goodbye(): Steps {
    if (this.talk.ended === undefined) yield* this.talk.request('close', {}, 0, goodbyeMs)
    else yield { step: 'pause', ms: goodbyeMs }
  }

  #do(step: Exclude<Step, { step: 'wait' | 'pause' }>): void {
    switch (step.step) {
      case 'send':
        this.#send(step.bytes)
        return
      case 'say':
        this.#screen.say(step.lines)
        return
      case 'set':
        this.#screen.settings = { ...this.#screen.settings, ...step.settings }
        return
      case 'quit':
        this.#quitting = true
        return
    }
  }

  #send(bytes: Uint8Array): void {
    if (this.#lost !== undefined) throw this.#lost
    for (const part of frameParts(bytes)) {
      if (part.whole) this.#screen.frame('out', readFrame(part.bytes))
      else this.#screen.bytes('out', part.bytes, 'bytes that are no whole frame')
    }
    this.#link?.send(bytes)
  }

  #wait(step: Extract<Step, { step: 'wait' | 'pause' }>): Promise<Frame | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(this.#lost)
      const ms = step.step === 'pause' ? step.ms : step.timeoutMs
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiting = undefined
      }
      const timer = setTimeout(() => {
        finish()
        if (step.step === 'pause') resolve(undefined)
        else reject(new CommandFailure('timeout', `waited ${step.timeoutMs} ms for ${step.for}`))
      }, ms)
      this.#waiting = {
        until: step.step === 'pause' ? () => false : step.until,
        resolve: (frame) => {
          finish()
          resolve(frame)
        },
        reject: (error) => {
          finish()
          reject(error)
        },
      }
      this.#ask(undefined)
    })
  }

  #ask(frame: Frame | undefined): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    try {
      if (waiting.until(frame)) waiting.resolve(frame)
    } catch (error) {
      waiting.reject(error as Error)
    }
  }
}

/** What an error of a command is for the one who typed it; undefined if it is none of theirs. */
export function commandFailure(error: unknown): CommandFailure | undefined {
  if (error instanceof CommandFailure) return error
  if (error instanceof WireError) return new CommandFailure(error.code, error.message, ErrorCode[error.code].code)
  return undefined
}

function heartbeat(): Uint8Array {
  const frame = Buffer.alloc(heartbeatFrameSize)
  writeHeartbeat(frame, 0)
  return frame
}

/** Cuts bytes that somebody sends into the whole frames in front, and a rest that is none. */
export function frameParts(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly whole: boolean }[] {
  const parts: { bytes: Uint8Array; whole: boolean }[] = []
  let at = 0
  while (bytes.length - at >= frameHeaderSize) {
    const end = at + sizeFieldSize + readU32(bytes, at)
    const headerSize = frameHeaderSize + ((bytes[at + 5] & Flag.correlated) === 0 ? 0 : correlationSize)
    if (end > bytes.length || end < at + headerSize) break
    parts.push({ bytes: bytes.subarray(at, end), whole: true })
    at = end
  }
  if (at < bytes.length) parts.push({ bytes: bytes.subarray(at), whole: false })
  return parts
}
