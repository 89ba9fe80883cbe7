/**
 * What a command asks of whoever runs it, one step after the other, and how it fails.
 *
 * A command is a generator: it yields what it wants done (send these bytes, wait for such a frame) and goes on when that
 * is done. So it reads from top to bottom like the conversation that it is, and a test can play the broker by hand.
 */
import type { Frame } from './frame.js'

export type Step =
  | { readonly step: 'say'; readonly lines: readonly string[] }
  | Send
  | Wait
  | { readonly step: 'pause'; readonly ms: number }
  | { readonly step: 'set'; readonly settings: Partial<Settings> }
  | { readonly step: 'quit' }

export interface Send {
  readonly step: 'send'
  readonly bytes: Uint8Array
}

export interface Wait {
  readonly step: 'wait'
  /** Is it over? Asked at once, without a frame, and then for every frame that comes. What it throws ends the command. */
  readonly until: (frame: Frame | undefined) => boolean
  /** When this runs out the command fails. */
  readonly timeoutMs: number
  /** What is waited for, in words: `an answer`, `3 messages`. */
  readonly for: string
}

/** Goes on with the frame that ended a wait, or undefined if it was over at once; for every other step with undefined. */
export type Steps<Result = void> = Generator<Step, Result, Frame | undefined>

/** How frames are shown. Hex `auto`: those that are small, and on a terminal only. */
export interface Settings {
  readonly hex: 'on' | 'off' | 'auto'
  /** Each frame as one line of JSON. */
  readonly json: boolean
  /** Heartbeats too. */
  readonly heartbeats: boolean
}

/** A command that did not do what it was asked for. `reason` is a name of the protocol's errors, or one of the tool's own. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly reason: string
  readonly code: number | undefined

  constructor(reason: string, message: string, code?: number) {
    super(message)
    this.reason = reason
    this.code = code
  }
}
