// Hot: every published byte passes here.
/**
 * The publishing half of a channel: a PUBLISH frame in, its records in a slab and in queues, and what has been decided of
 * them in `confirms`. [P-4]
 *
 *     frame   ─ check each record ─▶ good neighbours are copied to a slab together ─▶ routed one by one ─▶ queues
 *                                     (or lie in one: session/bulk-landing)
 *                       └ refused: an exception with its sequence; the others are not disturbed
 */
import {
  checkRecord,
  creditFrameSize,
  ErrorCode,
  Flag,
  Level,
  publishCount,
  publishFirstSequence,
  publishHeaderSize,
  RecordFlag,
  readU32,
  recordFault,
  recordsFill,
  writeCredit,
} from '@waybill/protocol'
import type { Broker } from '../broker/broker.js'
import type { Route } from '../broker/routing/route.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import { Confirms } from './confirms.js'
import type { CreditHolder, PublisherCredit } from './credit.js'
import type { Output } from './output.js'

/** What publishing needs to know of its channel. */
export interface PublishingHome {
  readonly broker: Broker
  readonly host: VirtualHost
  readonly credit: PublisherCredit
  readonly messageSizeMax: number
  /** Why the user may not publish along this route, or undefined. Asked when the route is another than the last one. */
  mayPublish(route: Route, bytes: Uint8Array, at: number): string | undefined
  mayUseReserve(): boolean
  /** The slab that these bytes lie in already, to stay, or -1. */
  slabOf(bytes: Uint8Array, at: number): number
  /** Something is to be told to the client. */
  changed(): void
}

export type PublishFault = { readonly code: 'frameMalformed' | 'sequenceUnexpected'; readonly message: string }

export class Publishing implements CreditHolder {
  publishedSequence = 0
  publishedSize = 0
  creditSequence = 0
  creditSize = 0
  creditWindow = 0
  neededSize = 0
  /** The client has not been told of the last grant. */
  creditUntold = false
  readonly confirms = new Confirms()
  readonly #home: PublishingHome
  #lastRoute: Route | undefined
  #lastRefusal: string | undefined

  constructor(home: PublishingHome) {
    this.#home = home
  }

  /** Takes the body of a PUBLISH frame, whose header `checkPublish` has found good. */
  publish(bytes: Uint8Array, flags: number, from: number, to: number): PublishFault | undefined {
    const first = publishFirstSequence(bytes, from)
    const count = publishCount(bytes, from)
    if (first !== this.publishedSequence + 1) {
      return { code: 'sequenceUnexpected', message: `sequence ${first} came, ${this.publishedSequence + 1} was expected` }
    }
    const records = from + publishHeaderSize
    if (!recordsFill(bytes, records, to, count)) {
      return { code: 'frameMalformed', message: `${count} records were announced and do not fill the frame exactly` }
    }
    if ((flags & Flag.atomic) !== 0) this.#publishTogether(bytes, flags, records, to, first, count)
    else this.#publishEach(bytes, flags, records, to, first, count)
    this.confirms.through = this.publishedSequence
    this.#home.credit.renew(this)
    this.#home.changed()
    return undefined
  }

  creditGrown(): void {
    this.creditUntold = true
    this.#home.changed()
  }

  mayUseReserve(): boolean {
    return this.#home.mayUseReserve()
  }

  /** Tells the client of a grant that no CONFIRM has told it of. */
  writeCredit(output: Output, channel: number): void {
    output.reserve(creditFrameSize)
    output.at = writeCredit(output.buffer, output.at, channel, this.creditSequence, this.creditSize)
    this.creditUntold = false
  }

  #publishEach(bytes: Uint8Array, flags: number, from: number, to: number, first: number, count: number): void {
    const { slabs } = this.#home.broker
    const levelRefused = this.#levelRefused(flags)
    let at = from
    let groupStart = from
    let groupFirst = first
    let room = slabs.room
    for (let sequence = first; sequence < first + count; sequence++) {
      const size = 4 + readU32(bytes, at)
      const code = levelRefused ? ErrorCode.levelUnavailable.code : this.#check(bytes, at, to, size)
      this.publishedSequence = sequence
      if (code !== 0) {
        this.#take(bytes, flags, groupStart, at, groupFirst)
        this.#refuse(bytes, at, to, sequence, code)
        groupStart = at + size
        groupFirst = sequence + 1
        room = slabs.room
      } else {
        this.#home.credit.used(this, size)
        if (at + size - groupStart > room && at > groupStart) {
          this.#take(bytes, flags, groupStart, at, groupFirst)
          groupStart = at
          groupFirst = sequence
          room = Infinity
        }
      }
      at += size
    }
    this.#take(bytes, flags, groupStart, at, groupFirst)
  }

  /** One outcome for all: the first reason to refuse one refuses the frame. */
  #publishTogether(bytes: Uint8Array, flags: number, from: number, to: number, first: number, count: number): void {
    const { broker, host } = this.#home
    let code = this.#levelRefused(flags) ? ErrorCode.levelUnavailable.code : 0
    let cause = from
    let detail = ''
    for (let at = from; at < to && code === 0; at += 4 + readU32(bytes, at)) {
      cause = at
      const size = 4 + readU32(bytes, at)
      code = this.#check(bytes, at, to, size)
      if (code === 0) {
        const route = broker.route(host, bytes, at)
        const refusal = this.#routeRefusal(route, flags, bytes, at)
        if (refusal !== undefined) {
          code = refusal.code
          detail = refusal.detail
        }
      }
    }
    if (code === 0 && to - from > this.creditSize - this.publishedSize) code = ErrorCode.creditExceeded.code
    this.publishedSequence = first + count - 1
    if (code === 0) {
      this.#home.credit.used(this, to - from)
      this.#take(bytes, flags, from, to, first)
      return
    }
    const words = detail !== '' ? detail : this.#detail(bytes, cause, to, code)
    for (let sequence = first; sequence < first + count; sequence++) this.confirms.refused(sequence, code, 0, words)
  }

  /** 0, or the code of what is wrong with the record before anybody looks where it goes. */
  #check(bytes: Uint8Array, at: number, to: number, size: number): number {
    if (size > this.#home.messageSizeMax) return ErrorCode.messageTooLarge.code
    if (this.publishedSequence >= this.creditSequence || size > this.creditSize - this.publishedSize) return ErrorCode.creditExceeded.code
    return checkRecord(bytes, at, to)
  }

  /** Copies good neighbours to a slab and routes each. */
  #take(bytes: Uint8Array, flags: number, from: number, to: number, firstSequence: number): void {
    if (from === to) return
    const { broker, host } = this.#home
    const { slabs } = broker
    const wantsConfirm = (flags & Flag.confirm) !== 0
    let slab = this.#home.slabOf(bytes, from)
    let start = from
    if (slab < 0) {
      slabs.append(bytes, from, to)
      slab = slabs.slab
      start = slabs.offset
    }
    const buffer = slabs.buffer(slab)
    const end = start + to - from
    let sequence = firstSequence
    for (let at = start; at < end; sequence++) {
      const size = 4 + readU32(buffer, at)
      const route = broker.route(host, buffer, at)
      const refusal = this.#routeRefusal(route, flags, buffer, at)
      if (refusal !== undefined) this.confirms.refused(sequence, refusal.code, 0, refusal.detail)
      else {
        const id = broker.enqueue(route, slab, at, size, (buffer[at + 5] & RecordFlag.persistent) !== 0)
        if (wantsConfirm) this.confirms.taken(sequence, id, route.queues.length, Level.received)
      }
      at += size
    }
    slabs.settle(slab)
  }

  #routeRefusal(route: Route, flags: number, bytes: Uint8Array, at: number): { code: number; detail: string } | undefined {
    if (route !== this.#lastRoute) {
      this.#lastRoute = route
      this.#lastRefusal = this.#home.mayPublish(route, bytes, at)
    }
    if (this.#lastRefusal !== undefined) return { code: ErrorCode.forbidden.code, detail: this.#lastRefusal }
    if (route.refusal !== 0) return { code: route.refusal, detail: route.detail }
    if ((flags & Flag.mandatory) !== 0 && route.queues.length === 0) {
      return { code: ErrorCode.unroutable.code, detail: 'no queue takes it: nothing is bound for this routing key' }
    }
    return undefined
  }

  #levelRefused(flags: number): boolean {
    return ((flags & Flag.levelMask) >>> Flag.levelShift) > Level.received
  }

  #refuse(bytes: Uint8Array, at: number, to: number, sequence: number, code: number): void {
    this.confirms.refused(sequence, code, 0, this.#detail(bytes, at, to, code))
  }

  #detail(bytes: Uint8Array, at: number, to: number, code: number): string {
    switch (code) {
      case ErrorCode.messageTooLarge.code:
        return `a record of ${4 + readU32(bytes, at)} bytes is larger than messageSizeMax (${this.#home.messageSizeMax})`
      case ErrorCode.creditExceeded.code:
        return `the credit of this channel is used up (sequence ${this.creditSequence}, ${this.creditSize} bytes); wait for CREDIT`
      case ErrorCode.levelUnavailable.code:
        return 'this broker keeps nothing on disk: ask for level received, or for the best there is'
      default:
        return recordFault(bytes, at, to)?.message ?? ''
    }
  }
}
