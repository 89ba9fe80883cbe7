/**
 * A broker that is played by the test: commands run against it, what they send is kept as lines, and the test says what
 * comes back. No socket, no time.
 */
import {
  encodeControl,
  frameHeaderSize,
  FrameType,
  viewOf,
  writeConfirmException,
  writeConfirmHeader,
  writeCredit,
  writeDeliverHeader,
} from '@waybill/protocol'
import { findCommand, readValues } from '../../dist/debug/command.js'
import { commands } from '../../dist/debug/commands.js'
import { encodeRecord } from '../../dist/debug/encode.js'
import { readFrame } from '../../dist/debug/frame.js'
import { frameLines } from '../../dist/debug/show.js'
import type { Settings, Step, Steps, Wait } from '../../dist/debug/steps.js'
import { Talk } from '../../dist/debug/talk.js'
import { readWords } from '../../dist/debug/words.js'

export class PlayedBroker {
  readonly talk = new Talk()
  /** Lines that were sent or said, since somebody last looked. */
  #seen: string[] = []
  #steps: Steps | undefined
  #wait: Wait | undefined
  #lastCorrelation = 0
  settings: Partial<Settings> = {}
  quit = false
  pausedMs = 0

  /** With channel 1 open and this much credit. */
  constructor(creditSequence = 256, creditSize = 65_536) {
    this.start(this.talk.open(1))
    this.result({ creditSequence, creditSize })
    this.seen()
  }

  /** Starts a typed command; it runs as far as it can without the broker. */
  type(line: string): this {
    const { command, rest } = findCommand(commands, readWords(line))
    return this.start(command.run(this.talk, readValues(command, rest)))
  }

  start(steps: Steps): this {
    if (this.#steps !== undefined) throw new Error('the command before is still waiting')
    this.#steps = steps
    this.#go(() => steps.next())
    return this
  }

  /** What was sent and said since this was last asked. */
  seen(): string[] {
    const seen = this.#seen
    this.#seen = []
    return seen
  }

  get isWaitingFor(): string | undefined {
    return this.#wait?.for
  }

  /** The answer to the last request. Its correlation id is the number of requests so far. */
  result(body: object, channel = this.talk.channel): this {
    return this.receive(encodeControl(FrameType.result, channel, this.#lastCorrelation, body))
  }

  error(body: object, { correlated = true, channel = this.talk.channel } = {}): this {
    const whole = { scope: 'request', retryable: false, ...body }
    return this.receive(encodeControl(FrameType.error, channel, correlated ? this.#lastCorrelation : 0, whole))
  }

  credit(sequence: number, size: number): this {
    const frame = Buffer.alloc(24)
    writeCredit(frame, 0, 1, sequence, size)
    return this.receive(frame)
  }

  /** Confirms that all up to `through` are decided; `refused`: one of them was not taken. */
  confirm(
    through: number,
    { creditSequence = 256, creditSize = 65_536, refused = [] as { sequence: number; code: number; detail: string }[] } = {},
  ): this {
    const frame = Buffer.alloc(1_000)
    let at = writeConfirmHeader(
      frame,
      0,
      1,
      through,
      creditSequence,
      creditSize,
      0,
      refused.length,
      16 * refused.length + refused.reduce((sum, { detail }) => sum + detail.length, 0),
    )
    for (const { sequence, code, detail } of refused) at = writeConfirmException(frame, at, sequence, code, 0, Buffer.from(detail))
    return this.receive(frame.subarray(0, at))
  }

  /** Delivers messages with this body. */
  deliver(firstTag: number, count: number, { consumer = 1, body = 'hello', exchange = '' } = {}): this {
    const record = encodeRecord({ exchange, key: 'emails', body: Buffer.from(body), persistent: true, properties: {}, headers: {} })
    const frame = Buffer.alloc(frameHeaderSize + 24 + record.length * count)
    let at = writeDeliverHeader(viewOf(frame), 0, 0, 1, firstTag, firstTag, count, consumer, 1, 0, record.length * count)
    for (let i = 0; i < count; i++, at += record.length) frame.set(record, at)
    return this.receive(frame)
  }

  receive(bytes: Uint8Array): this {
    const frame = readFrame(Buffer.from(bytes))
    for (const step of this.talk.hear(frame)) this.#do(step)
    const wait = this.#wait
    if (wait === undefined) return this
    const steps = this.#steps!
    let isOver: boolean
    try {
      isOver = wait.until(frame)
    } catch (error) {
      this.#go(() => steps.throw(error))
      return this
    }
    if (isOver) this.#go(() => steps.next(frame))
    return this
  }

  #go(move: () => IteratorResult<Step, void>): void {
    this.#wait = undefined
    try {
      let next = move()
      while (next.done !== true) {
        const step = next.value
        if (step.step === 'wait' && !step.until(undefined)) {
          this.#wait = step
          return
        }
        this.#do(step)
        next = this.#steps!.next(undefined)
      }
      this.#steps = undefined
    } catch (error) {
      this.#steps = undefined
      throw error
    }
  }

  #do(step: Step): void {
    if (step.step === 'say') this.#seen.push(...step.lines)
    if (step.step === 'set') this.settings = { ...this.settings, ...step.settings }
    if (step.step === 'quit') this.quit = true
    if (step.step === 'pause') this.pausedMs += step.ms
    if (step.step !== 'send') return
    const frame = readFrame(step.bytes)
    this.#lastCorrelation = frame.correlation ?? this.#lastCorrelation
    this.#seen.push(...frameLines('out', frame))
  }
}
