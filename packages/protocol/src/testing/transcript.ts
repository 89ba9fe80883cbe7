/**
 * A transcript: one whole conversation as JSON, to be played against either side. The format is in spec/transcripts/README.md.
 */
import type { FrameNotation } from './notation.js'

export type Side = 'client' | 'server'

/**
 * What one side does in one step: raw bytes in hex, a line of text, frames (several: in any order), or the end of its half of the
 * connection.
 * Frames are written with fewer fields than `FrameNotation` has; `fillFrame` adds the others.
 */
export type Said = string | { readonly line: string } | LooseFrame | readonly LooseFrame[]

export interface LooseFrame {
  readonly type: string
  readonly [field: string]: unknown
}

export type Step =
  | { readonly client: Said }
  | { readonly server: Said }
  /** Time passes, in ms. */
  | { readonly pause: number }
  /** What a program does with its client at this point; only for who plays the server. */
  | { readonly call: readonly [method: string, ...args: unknown[]] }

export interface Transcript {
  readonly name: string
  readonly clause: string
  readonly about: string
  /** Whom it can be played against. */
  readonly against: readonly Side[]
  /** How the broker is configured: users with passwords; whether it keeps what is durable, on a disk that is empty at first. */
  readonly broker?: {
    readonly users?: readonly { readonly user: string; readonly password: string }[]
    readonly keeps?: 'nothing' | 'disk'
  }
  /** What is said for `<name>` by who is the first to say it. */
  readonly values?: Readonly<Record<string, unknown>>
  readonly steps: readonly Step[]
}

/** What a frame says when it does not say it. Expectations leave open what a broker may choose. */
const defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  PUBLISH: { flags: [] },
  DELIVER: { flags: [], deliveryCount: 1, failureCount: 0 },
  CONFIRM: { creditSequence: '<any>', creditSize: '<any>', runs: [], exceptions: [] },
}

/** The frame with every field that its notation has. */
export function fillFrame(frame: LooseFrame): FrameNotation {
  const filled: Record<string, unknown> & { type: string; channel: number } = {
    channel: 0,
    ...(frame.body === undefined ? defaults[frame.type] : {}),
    ...frame,
  }
  if (Array.isArray(filled.records)) filled.records = filled.records.flatMap(fillRecord)
  if (Array.isArray(filled.entries)) filled.entries = filled.entries.map((entry) => ({ count: 1, delayMs: null, reason: '', ...entry }))
  if (Array.isArray(filled.exceptions)) filled.exceptions = filled.exceptions.map((each) => ({ queueCount: 0, detail: '<any>', ...each }))
  return filled
}

/** `text` is a body in words, `zeros` one of so many bytes, `repeat` so many records alike. */
function fillRecord(record: unknown): unknown[] {
  if (typeof record !== 'object') return [record]
  const { text = '', zeros = 0, repeat = 1, ...rest } = record as { text?: string; zeros?: number; repeat?: number }
  const body = Buffer.concat([Buffer.from(text), Buffer.alloc(zeros)]).toString('hex')
  const filled = { exchange: '', routingKey: '', persistent: false, properties: {}, headers: {}, body, ...rest }
  return new Array(repeat).fill(filled)
}
