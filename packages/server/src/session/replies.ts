/**
 * What a session has to say besides deliveries and confirms, until the end of the turn: frames that go out before the deliveries of
 * the turn, frames that belong behind them (the answer of a GET, a CANCELLED), and answers that wait until the disk has what they say.
 */
import { encodeControl, errorBody, type ErrorName, FrameType } from '@waybill/protocol'
import { Refusal } from '../broker/refusal.js'
import type { Output } from './output.js'

interface GatedAnswer {
  readonly gate: number
  readonly isLast: boolean
  readonly channel: number
  readonly correlation: number
  readonly answer: object
}

const none: Uint8Array[] = []

/** Why what was done may be undone by the next start. */
export const storageFailed = 'the disk has failed or is full, and what was asked for is not safe; try again later'

export class Replies {
  /** Frames said in this turn. */
  count = 0
  #before: Uint8Array[] = none
  #after: Uint8Array[] = none
  /** Wait for their batch; gates only rise. */
  readonly #gated: GatedAnswer[] = []

  /** Bytes as they are. */
  say(bytes: Uint8Array): void {
    if (this.#before === none) this.#before = []
    this.#before.push(bytes)
    this.count++
  }

  /** The answer to a request. It is told when everything up to batch `gate` of the journal is synced; 0: at once. `isLast`: behind what is told with it. */
  answer(channel: number, correlation: number, answer: object | Refusal, gate = 0, isLast = false): void {
    if (answer instanceof Refusal) this.error(channel, correlation, answer.name, answer.message, answer.details)
    else if (gate === 0) this.say(encodeControl(FrameType.result, channel, correlation, answer))
    else {
      this.#gated.push({ gate, isLast, channel, correlation, answer })
      this.count++
    }
  }

  /** Whether answers wait for the disk. */
  get isGated(): boolean {
    return this.#gated.length > 0
  }

  /**
   * Everything up to the batch `synced` is: answers that have waited for it are said. What waits for one above it, up to `lost`, waits in vain: the answer is
   * that of a disk that has failed. Only the end of a channel does not depend on it.
   */
  release(synced: number, lost: number): void {
    let ready = 0
    while (ready < this.#gated.length && this.#gated[ready]!.gate <= Math.max(synced, lost)) ready++
    for (const { gate, isLast, channel, correlation, answer } of this.#gated.splice(0, ready)) {
      const isKept = gate <= synced || isLast
      const bytes = isKept
        ? encodeControl(FrameType.result, channel, correlation, answer)
        : encodeControl(FrameType.error, channel, correlation, errorBody('storageFailed', storageFailed))
      if (isLast) this.sayLater(bytes)
      else {
        if (this.#before === none) this.#before = []
        this.#before.push(bytes)
      }
    }
  }

  error(channel: number, correlation: number, name: ErrorName, message: string, details?: Readonly<Record<string, unknown>>): void {
    this.say(encodeControl(FrameType.error, channel, correlation, errorBody(name, message, details)))
  }

  /** The error that ends the connection. */
  lastError(correlation: number, name: ErrorName, message: string, details?: Readonly<Record<string, unknown>>): void {
    this.say(encodeControl(FrameType.error, 0, correlation, errorBody(name, message, details, 'connection')))
  }

  /** A frame that belongs behind the deliveries of this turn. */
  sayLater(bytes: Uint8Array): void {
    if (this.#after === none) this.#after = []
    this.#after.push(bytes)
  }

  writeBefore(output: Output): void {
    for (const bytes of this.#before) output.bytes(bytes)
    this.#before = none
  }

  writeAfter(output: Output): void {
    for (const bytes of this.#after) output.bytes(bytes)
    this.#after = none
  }
}
