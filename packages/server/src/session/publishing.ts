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
  /** Why the user may not publish to the exchange or queue that the record names, or undefined. Asked when the route is another than the last one. */
  mayPublish(bytes: Uint8Array, at: number): string | undefined
  mayUseReserve(): boolean
  /** The slab that these bytes lie in already, to stay, or -1. */
  slabOf(bytes: Uint8Array, at: number): number
  /** Something is to be told to the client. */
  changed(): void
}

export type PublishFault = { readonly code: 'frameMalformed' | 'sequenceUnexpected'; readonly message: string }

/** A message for more queues than this is looked at for memory by itself: its places cost more than its bytes. */
const wideFrom = 16

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

  /** Bytes that may still be published. */
  get creditLeft(): number {
    return this.creditSize > this.publishedSize ? this.creditSize - this.publishedSize : 0
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
    const { credit } = this.#home
    const left = this.creditLeft
    const frameCode = this.#frameCode(flags)
    if ((flags & Flag.atomic) !== 0) this.#publishTogether(bytes, flags, records, to, first, count, frameCode)
    else this.#publishEach(bytes, flags, records, to, first, count, frameCode)
    this.confirms.through = this.publishedSequence
    credit.used(left - this.creditLeft)
    credit.renew(this)
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

  /** Tells the client what has been decided, and of a grant. */
  write(output: Output, channel: number): void {
    if (this.confirms.pending) this.confirms.write(output, channel, this.creditSequence, this.creditSize)
    else if (this.creditUntold) {
      output.reserve(creditFrameSize)
      output.at = writeCredit(output.buffer, output.at, channel, this.creditSequence, this.creditSize)
    }
    this.creditUntold = false
  }

  #publishEach(bytes: Uint8Array, flags: number, from: number, to: number, first: number, count: number, frameCode: number): void {
    const { slabs } = this.#home.broker
    let at = from
    let groupStart = from
    let groupFirst = first
    let room = slabs.room
    for (let sequence = first; sequence < first + count; sequence++) {
      const size = 4 + readU32(bytes, at)
      const code = frameCode !== 0 ? frameCode : this.#check(bytes, at, to, size)
      this.publishedSequence = sequence
      this.publishedSize += size
      if (code !== 0) {
        this.#take(bytes, flags, groupStart, at, groupFirst)
        this.#refuse(bytes, at, to, sequence, code)
        groupStart = at + size
        groupFirst = sequence + 1
        room = slabs.room
      } else if (at + size - groupStart > room && at > groupStart) {
        this.#take(bytes, flags, groupStart, at, groupFirst)
        groupStart = at
        groupFirst = sequence
        room = Infinity
      }
      at += size
    }
    this.#take(bytes, flags, groupStart, at, groupFirst)
  }

  /** One outcome for all: the first reason to refuse one refuses the frame. */
  #publishTogether(bytes: Uint8Array, flags: number, from: number, to: number, first: number, count: number, frameCode: number): void {
    const { broker, host } = this.#home
    let code = frameCode
    let cause = from
    let detail = ''
    for (let at = from; at < to && code === 0; at += 4 + readU32(bytes, at)) {
      cause = at
      const size = 4 + readU32(bytes, at)
      code = this.#check(bytes, at, to, size)
      if (code === 0) {
        const route = broker.route(host, bytes, at)
        code = this.#routeCode(route, flags, bytes, at)
        if (code !== 0) detail = this.#routeDetail(route, code)
      }
    }
    if (code === 0 && (to - from > this.creditLeft || first + count - 1 > this.creditSequence)) code = ErrorCode.creditExceeded.code
    if (code !== 0 && detail === '') detail = this.#detail(bytes, cause, to, code)
    this.publishedSequence = first + count - 1
    this.publishedSize += to - from
    if (code === 0) this.#take(bytes, flags, from, to, first)
    else for (let sequence = first; sequence < first + count; sequence++) this.confirms.refused(sequence, code, detail)
  }

  /** 0, or the code of what is wrong with all messages of a frame. */
  #frameCode(flags: number): number {
    if (((flags & Flag.levelMask) >>> Flag.levelShift) > Level.received) return ErrorCode.levelUnavailable.code
    return this.#home.credit.isFull ? ErrorCode.resourceExhausted.code : 0
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
    const { broker, host, credit } = this.#home
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
      let code = this.#routeCode(route, flags, buffer, at)
      if (code === 0 && route.queues.length > wideFrom && credit.isFull) code = ErrorCode.resourceExhausted.code
      if (code === 0) {
        const id = broker.enqueue(route, slab, at, size, (buffer[at + 5] & RecordFlag.persistent) !== 0)
        if (wantsConfirm) this.confirms.taken(sequence, id, route.queues.length, Level.received)
      } else this.confirms.refused(sequence, code, this.confirms.hasRoomForDetail ? this.#routeDetail(route, code) : '')
      at += size
    }
    slabs.settle(slab)
  }

  /** 0, or the code of what keeps the message from going along its route. */
  #routeCode(route: Route, flags: number, bytes: Uint8Array, at: number): number {
    if (route !== this.#lastRoute) {
      this.#lastRoute = route
      this.#lastRefusal = this.#home.mayPublish(bytes, at)
    }
    if (this.#lastRefusal !== undefined) return ErrorCode.forbidden.code
    if (route.refusal !== 0) return route.refusal
    return (flags & Flag.mandatory) !== 0 && route.queues.length === 0 ? ErrorCode.unroutable.code : 0
  }

  #routeDetail(route: Route, code: number): string {
    switch (code) {
      case ErrorCode.unroutable.code:
        return 'no queue takes it: nothing is bound for this routing key'
      case ErrorCode.resourceExhausted.code:
        return memoryUsedUp
      default:
        return this.#lastRefusal ?? route.detail
    }
  }

  #refuse(bytes: Uint8Array, at: number, to: number, sequence: number, code: number): void {
    this.confirms.refused(sequence, code, this.confirms.hasRoomForDetail ? this.#detail(bytes, at, to, code) : '')
  }

  #detail(bytes: Uint8Array, at: number, to: number, code: number): string {
    switch (code) {
      case ErrorCode.messageTooLarge.code:
        return `a record of ${4 + readU32(bytes, at)} bytes is larger than messageSizeMax (${this.#home.messageSizeMax})`
      case ErrorCode.creditExceeded.code:
        return `the credit of this channel is used up (sequence ${this.creditSequence}, ${this.creditSize} bytes); wait for CREDIT`
      case ErrorCode.levelUnavailable.code:
        return 'this broker keeps nothing on disk: ask for level received, or for the best there is'
      case ErrorCode.resourceExhausted.code:
        return memoryUsedUp
      default:
        return recordFault(bytes, at, to)?.message ?? ''
    }
  }
}

const memoryUsedUp = 'the memory for messages is used up; try again when consumers have caught up'
