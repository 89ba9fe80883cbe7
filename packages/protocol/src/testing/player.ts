/**
 * Plays one side of a transcript, without a socket or a clock: says what to send, and looks at what comes.
 *
 *     const player = new TranscriptPlayer(transcript, 'client')
 *     for (let action = player.next(); action.kind !== 'done'; action = player.next()) {
 *       switch (action.kind) {
 *         case 'send': socket.write(action.bytes); break
 *         case 'receive': await more bytes → player.receive(bytes), or the end → player.ended(); break
 *         case 'end': socket.end(); break
 *         case 'pause': let action.ms pass; break
 *         case 'call': do with the client what action.call says; break          // only when the server is played
 *       }
 *     }
 *
 * A step that does not happen throws a `TranscriptError` that names it. What a peer may send at any time is passed over when it
 * is not expected: HEARTBEAT, CREDIT, and a CONFIRM that only renews credit. A broker may say in several CONFIRMs or DELIVERs
 * what the transcript says in one; they are put together before they are compared.
 */
import { FrameReader, type FrameSink } from '../frame-reader.js'
import { type Bindings, mismatch, substitute } from './match.js'
import { describeFrame, encodeFrame, type FrameNotation, rawFrame } from './notation.js'
import { fillFrame, type LooseFrame, type Said, type Side, type Step, type Transcript } from './transcript.js'

export type Action =
  | { readonly kind: 'send'; readonly bytes: Buffer }
  | { readonly kind: 'receive' }
  | { readonly kind: 'end' }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'call'; readonly call: readonly [method: string, ...args: unknown[]] }
  | { readonly kind: 'done' }

export class TranscriptError extends Error {
  override readonly name = 'TranscriptError'
  /** Counted from 1. */
  readonly step: number

  constructor(transcript: Transcript, index: number, message: string) {
    super(`${transcript.name}, step ${index + 1} ${JSON.stringify(transcript.steps[index] ?? 'the end')}: ${message}`)
    this.step = index + 1
  }
}

/** More than any frame of a transcript. */
const frameSizeMax = 64 * 1024 * 1024

const receive = { kind: 'receive' } as const

export class TranscriptPlayer {
  readonly #transcript: Transcript
  readonly #plays: Side
  readonly #bindings: Bindings
  /** From the numbers in the transcript to those that the client chose, when the server is played. */
  readonly #correlations = new Map<number, number>()
  #index = 0
  #bytes: Buffer = Buffer.alloc(0)
  #ended = false
  /** Frames of a step in any order that have not come yet. */
  #missing: FrameNotation[] | undefined
  /** A DELIVER or CONFIRM that says a part of what is expected. */
  #partial: FrameNotation | undefined
  #through = new Map<number, number>()

  constructor(transcript: Transcript, plays: Side) {
    this.#transcript = transcript
    this.#plays = plays
    this.#bindings = new Map()
  }

  /** Values of placeholders so far, by name. */
  get bindings(): ReadonlyMap<string, unknown> {
    return this.#bindings
  }

  /** The step that is next, for whoever has waited too long for it. */
  get position(): string {
    return `step ${this.#index + 1} ${JSON.stringify(this.#transcript.steps[this.#index] ?? 'the end')}`
  }

  /** What the peer has sent. */
  receive(bytes: Uint8Array, from = 0, to = bytes.length): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes.subarray(from, to)])
  }

  /** The peer has ended its half of the connection, or all of it. */
  ended(): void {
    this.#ended = true
  }

  /** What to do now. After `receive`: give it bytes, or say that the peer has ended, and ask again. */
  next(): Action {
    for (;;) {
      const step: Step | undefined = this.#transcript.steps[this.#index]
      if (step === undefined) return this.#finish()
      if ('pause' in step) return this.#done({ kind: 'pause', ms: step.pause })
      if ('call' in step) {
        this.#index++
        if (this.#plays === 'server') return { kind: 'call', call: step.call }
        continue
      }
      const side: Side = 'client' in step ? 'client' : 'server'
      const said = 'client' in step ? step.client : step.server
      if (side === this.#plays) return this.#done(this.#say(said))
      if (!this.#heard(said)) {
        if (this.#ended) this.#fail('the peer has ended instead')
        return receive
      }
      this.#index++
    }
  }

  #done(action: Action): Action {
    this.#index++
    return action
  }

  #finish(): Action {
    this.#skip()
    if (this.#bytes.length > 0)
      this.#fail(`${this.#bytes.length} bytes are left: ${JSON.stringify(this.#peek()?.frame ?? this.#bytes.toString('hex'))}`)
    return { kind: 'done' }
  }

  // ─── what we say ────────────────────────────────────────────────────────

  #say(said: Said): Action {
    if (said === 'ends') return { kind: 'end' }
    if (typeof said === 'string') return { kind: 'send', bytes: Buffer.from(said.replace(/\s/g, ''), 'hex') }
    if ('line' in said) return { kind: 'send', bytes: Buffer.from(`${said.line}\r\n`) }
    const frames = Array.isArray(said) ? (said as readonly LooseFrame[]) : [said as LooseFrame]
    return { kind: 'send', bytes: Buffer.concat(frames.map((frame) => this.#encode(frame))) }
  }

  #encode(loose: LooseFrame): Buffer {
    const frame = substitute(fillFrame(loose), this.#bindings, this.#transcript.values ?? {}) as FrameNotation
    if (this.#plays === 'client' || frame.correlation === undefined) return encodeFrame(frame)
    return encodeFrame({ ...frame, correlation: this.#correlations.get(frame.correlation) ?? frame.correlation })
  }

  // ─── what they say ──────────────────────────────────────────────────────

  /** True when it was all there; false when more has to come. */
  #heard(said: Said): boolean {
    if (said === 'ends') return this.#heardEnd()
    if (typeof said === 'string') return this.#heardBytes(Buffer.from(said.replace(/\s/g, ''), 'hex'))
    if ('line' in said) return this.#heardLine(said.line as string)
    this.#missing ??= (Array.isArray(said) ? (said as readonly LooseFrame[]) : [said as LooseFrame]).map(fillFrame)
    while (this.#missing.length > 0) {
      const peeked = this.#peek()
      if (peeked === undefined) return false
      this.#bytes = this.#bytes.subarray(peeked.size)
      this.#heardFrame(this.#missing, peeked)
    }
    this.#missing = undefined
    return true
  }

  #heardFrame(missing: FrameNotation[], { frame, raw }: Heard): void {
    const merged = this.#partial === undefined ? frame : join(this.#partial, frame)
    if (merged !== undefined && isPart(missing[0], merged)) {
      this.#partial = merged
      return
    }
    const whole = merged ?? frame
    const reasons = []
    for (const [i, expected] of missing.entries()) {
      const reason = this.#compare(
        expected,
        expected.body === undefined ? whole : { ...raw, flags: expected.flags === undefined ? undefined : raw.flags },
      )
      if (reason === undefined) {
        missing.splice(i, 1)
        this.#partial = undefined
        this.#remember(whole)
        return
      }
      reasons.push(reason)
    }
    if (this.#partial === undefined && this.#passesBy(frame)) return
    this.#fail(`${JSON.stringify(whole)} came; ${reasons.join(' | ')}`)
  }

  #compare(expected: FrameNotation, actual: FrameNotation): string | undefined {
    if (this.#plays === 'client' || expected.correlation === undefined || actual.correlation === undefined) {
      return mismatch(expected, actual, this.#bindings)
    }
    const known = this.#correlations.get(expected.correlation)
    if (known !== undefined && known !== actual.correlation) return `the correlation id is ${actual.correlation}, not ${known}`
    const reason = mismatch({ ...expected, correlation: actual.correlation }, actual, this.#bindings)
    if (reason === undefined) this.#correlations.set(expected.correlation, actual.correlation)
    return reason
  }

  #remember(frame: FrameNotation): void {
    if (frame.type === 'CONFIRM') this.#through.set(frame.channel, frame.through as number)
  }

  /** May it come at any time? */
  #passesBy(frame: FrameNotation): boolean {
    if (frame.type === 'HEARTBEAT' || frame.type === 'CREDIT') return true
    if (frame.type !== 'CONFIRM' || frame.body !== undefined) return false
    const { runs, exceptions, through } = frame as unknown as { runs: unknown[]; exceptions: unknown[]; through: number }
    return runs.length === 0 && exceptions.length === 0 && through === (this.#through.get(frame.channel) ?? 0)
  }

  #skip(): void {
    for (let peeked = this.#peek(); peeked !== undefined && this.#passesBy(peeked.frame); peeked = this.#peek()) {
      this.#bytes = this.#bytes.subarray(peeked.size)
    }
  }

  #heardEnd(): boolean {
    if (!this.#ended) return false
    this.#skip()
    if (this.#bytes.length > 0) this.#fail(`before the end came ${JSON.stringify(this.#peek()?.frame ?? this.#bytes.toString('hex'))}`)
    return true
  }

  #heardBytes(wanted: Buffer): boolean {
    const there = this.#bytes.subarray(0, wanted.length)
    if (!wanted.subarray(0, there.length).equals(there)) this.#fail(`${there.toString('hex')} came`)
    if (there.length < wanted.length) return false
    this.#bytes = this.#bytes.subarray(wanted.length)
    return true
  }

  #heardLine(wanted: string): boolean {
    const end = this.#bytes.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#bytes.subarray(0, end).toString('utf8')
    const reason = mismatch(wanted, line, this.#bindings)
    if (reason !== undefined) this.#fail(reason)
    this.#bytes = this.#bytes.subarray(end + 2)
    return true
  }

  /** The first whole frame that has come, or undefined. */
  #peek(): Heard | undefined {
    let heard: Heard | undefined
    const reader = new FrameReader(
      {
        frame(...frame) {
          heard = hear(...frame)
          reader.stop()
        },
      },
      frameSizeMax,
    )
    reader.scan(this.#bytes, 0, this.#bytes.length)
    if (reader.fault !== undefined) this.#fail(`${reader.fault.message}: ${this.#bytes.subarray(0, 64).toString('hex')}`)
    return heard
  }

  #fail(message: string): never {
    throw new TranscriptError(this.#transcript, this.#index, message)
  }
}

/** A frame that has come, described and as it is, and what it takes of the bytes. */
interface Heard {
  readonly frame: FrameNotation
  readonly raw: FrameNotation
  readonly size: number
}

type Fields = FrameNotation & {
  readonly records: unknown[]
  readonly runs: Run[]
  readonly exceptions: unknown[]
  readonly [name: string]: number | unknown
}
type Run = { firstSequence: number; firstMessageId: number; count: number; queueCount: number; level: string }

function hear(...frame: Parameters<FrameSink['frame']>): Heard {
  const raw = rawFrame(...frame)
  const size = frame[6]
  try {
    return { frame: plain(describeFrame(...frame)), raw, size }
  } catch {
    // It does not have the layout of its type.
    return { frame: raw, raw, size }
  }
}

/** Runs that could have been one are one. */
function plain(frame: FrameNotation): FrameNotation {
  return frame.type === 'CONFIRM' ? { ...frame, runs: (frame as Fields).runs.reduce(joinRun, []) } : frame
}

/** Two frames that say what one could have said, as that one; undefined when they do not belong together. */
function join(left: FrameNotation, right: FrameNotation): FrameNotation | undefined {
  if (left.type !== right.type || left.channel !== right.channel || right.body !== undefined) return undefined
  const a = left as Fields
  const b = right as Fields
  if (left.type === 'CONFIRM') {
    return {
      ...right,
      runs: [...a.runs, ...b.runs].reduce(joinRun, [] as Run[]),
      exceptions: [...a.exceptions, ...b.exceptions],
    } as FrameNotation
  }
  if (left.type !== 'DELIVER' || a.consumer !== b.consumer || JSON.stringify(a.flags) !== JSON.stringify(b.flags)) return undefined
  const follows = (b.firstTag as number) === (a.firstTag as number) + a.records.length
  const together = follows && (b.firstMessageId as number) === (a.firstMessageId as number) + a.records.length
  if (!together || a.deliveryCount !== b.deliveryCount || a.failureCount !== b.failureCount) return undefined
  return { ...left, records: [...a.records, ...b.records] } as FrameNotation
}

function joinRun(runs: Run[], next: Run): Run[] {
  const last = runs.at(-1)
  const follows =
    last !== undefined &&
    next.firstSequence === last.firstSequence + last.count &&
    next.firstMessageId === last.firstMessageId + last.count &&
    next.queueCount === last.queueCount &&
    next.level === last.level
  return follows ? [...runs.slice(0, -1), { ...last, count: last.count + next.count }] : [...runs, next]
}

/** Does it say the beginning of what is expected, so that the rest may follow in another frame? */
function isPart(expected: FrameNotation, actual: FrameNotation): boolean {
  if (expected.type !== actual.type || expected.channel !== actual.channel || expected.body !== undefined || actual.body !== undefined)
    return false
  if (actual.type === 'DELIVER') return (actual as Fields).records.length < ((expected as Fields).records as unknown[]).length
  if (actual.type !== 'CONFIRM' || typeof expected.through !== 'number') return false
  const { runs, exceptions, through } = actual as unknown as { runs: unknown[]; exceptions: unknown[]; through: number }
  return through < expected.through && runs.length + exceptions.length > 0
}
