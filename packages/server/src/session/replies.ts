/**
 * What a session has to say besides deliveries and confirms, until the end of the turn: frames that go out before the deliveries of
 * the turn, and frames that belong behind them (the answer of a GET, a CANCELLED).
 */
import { encodeControl, errorBody, type ErrorName, FrameType } from '@waybill/protocol'
import { Refusal } from '../broker/refusal.js'
import type { Output } from './output.js'

const none: Uint8Array[] = []

export class Replies {
  /** Frames said in this turn. */
  count = 0
  #before: Uint8Array[] = none
  #after: Uint8Array[] = none

  /** Bytes as they are. */
  say(bytes: Uint8Array): void {
    if (this.#before === none) this.#before = []
    this.#before.push(bytes)
    this.count++
  }

  /** The answer to a request. */
  answer(channel: number, correlation: number, answer: object | Refusal): void {
    if (answer instanceof Refusal) this.error(channel, correlation, answer.name, answer.message, answer.details)
    else this.say(encodeControl(FrameType.result, channel, correlation, answer))
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
