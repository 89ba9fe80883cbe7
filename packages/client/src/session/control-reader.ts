/**
 * What a broker says that is not about single messages: answers, errors, STATUS, CANCELLED. Each frame is decoded and handed to whom it is for.
 *
 *     RESULT, ERROR ─▶ the request that is answered, by correlation
 *     ERROR         ─▶ the link or the channel that it ends; of nobody: a line in the log
 *
 * Invariant: what cannot be decoded ends the link, and nothing of it is handed on.
 */
import { decodeControl, decodeResult, FrameType, frameFault, type HelloResult, type StatusBody } from '@waybill/protocol'
import { errorOfBody, WaybillError } from '../errors.js'
import type { Log } from '../log.js'
import type { PendingRequests } from './pending-requests.js'

/** The link, as far as it hears of it. */
export interface ControlHome {
  readonly host: string
  readonly log: Log
  /** HELLO is answered; larger frames may stand right behind it. */
  greeted(hello: HelloResult): void
  told(body: StatusBody): void
  cancelled(channel: number, consumer: number, reason: 'queue-deleted' | 'refused', error: WaybillError | undefined): void
  channelFailed(channel: number, error: WaybillError): void
  /** What came breaks the protocol. */
  fault(name: string, message: string): void
  destroy(cause: WaybillError): void
}

export class ControlReader {
  readonly #home: ControlHome
  readonly #pending: PendingRequests

  constructor(home: ControlHome, pending: PendingRequests) {
    this.#home = home
    this.#pending = pending
  }

  frame(bytes: Uint8Array, type: number, flags: number, channel: number, correlation: number, from: number, to: number): void {
    const fault = frameFault(type, flags, channel, 'server')
    if (fault !== undefined) {
      this.#home.fault(fault.code, fault.message)
      return
    }
    switch (type) {
      case FrameType.heartbeat:
        if (from !== to) this.#home.fault('frameMalformed', 'HEARTBEAT has no body')
        return
      case FrameType.result:
        this.#result(bytes, correlation, from, to)
        return
      case FrameType.error:
        this.#error(bytes, channel, correlation, from, to)
        return
      case FrameType.status: {
        const { value, problem } = decodeControl('status', bytes, from, to)
        if (problem !== undefined) this.#home.fault(problem.code, problem.message)
        else this.#home.told(value)
        return
      }
      case FrameType.cancelled:
        this.#cancelled(bytes, channel, from, to)
        return
      default:
        // A later minor version may say more than we know; nothing that we asked for.
        this.#home.log({ level: 'debug', event: 'frame-unknown', type, host: this.#home.host })
    }
  }

  #result(bytes: Uint8Array, correlation: number, from: number, to: number): void {
    const pending = this.#pending.take(correlation)
    if (pending === undefined) return
    const { value, problem } = decodeResult(pending.name, bytes, from, to)
    if (problem !== undefined) {
      const error = new WaybillError('ANSWER_INVALID', `the answer to ${pending.name} cannot be read: ${problem.message}`)
      pending.reject(error)
      this.#home.destroy(error)
      return
    }
    if (pending.name === 'hello') this.#home.greeted(value as HelloResult)
    pending.resolve(value as never)
  }

  #error(bytes: Uint8Array, channel: number, correlation: number, from: number, to: number): void {
    const { value, problem } = decodeControl('error', bytes, from, to)
    if (problem !== undefined) {
      this.#home.fault(problem.code, problem.message)
      return
    }
    const error = errorOfBody(value)
    const pending = correlation === 0 ? undefined : this.#pending.take(correlation)
    pending?.reject(error)
    if (value.scope === 'connection') this.#home.destroy(error)
    else if (value.scope === 'channel') this.#home.channelFailed(channel, error)
    else if (pending === undefined)
      this.#home.log({ level: 'warn', event: 'broker-error', host: this.#home.host, code: error.code, message: error.message })
  }

  #cancelled(bytes: Uint8Array, channel: number, from: number, to: number): void {
    const { value, problem } = decodeControl('cancelled', bytes, from, to)
    if (problem !== undefined) this.#home.fault(problem.code, problem.message)
    else this.#home.cancelled(channel, value.consumer, value.reason, value.error === undefined ? undefined : errorOfBody(value.error))
  }
}
