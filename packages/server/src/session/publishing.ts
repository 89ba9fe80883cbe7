// Hot: every published byte passes here.
/**
 * The publishing half of a channel: a PUBLISH frame in, its records in a slab and in queues, and what has been decided of
 * them in `confirms`. [P-4]
 *
 *     frame   ─ judge each record ─▶ good neighbours are copied to a slab together ─▶ routed one by one ─▶ queues
 *                       │             (or lie in one: session/bulk-landing)
 *                       └ refused: an exception with its sequence; the others are not disturbed
 *
 * Most records of a frame begin like the one before them: same flags, same names, no properties. Such a record is as good, and goes
 * the same way, as that one; comparing costs a third of judging and looking up.
 */
import {
  checkRecordParts,
  creditFrameSize,
  ErrorCode,
  exchangeSize,
  exchangeStart,
  Flag,
  keySize,
  keyStart,
  Level,
  publishCount,
  publishFirstSequence,
  publishHeaderSize,
  RecordFlag,
  readText,
  readU32,
  recordFault,
  recordHeaderSize,
  writeCredit,
} from '@waybill/protocol'
import type { Journal } from '../broker/journal.js'
import { readNames } from '../broker/routing/names.js'
import type { Route } from '../broker/routing/route.js'
import type { VirtualHost } from '../broker/virtual-host.js'
import { type Access, fullAccess } from './access.js'
import { Confirms } from './confirms.js'
import type { CreditHolder } from './credit.js'
import type { FrameRecords } from './frame-records.js'
import type { Output } from './output.js'
import { storageFailed } from './replies.js'
import type { Shard } from './shard.js'

/** What publishing needs to know of its channel. */
export interface PublishingHome {
  readonly host: VirtualHost
  readonly access: Access
  mayUseReserve(): boolean
  /** The slab that these bytes lie in already, to stay, or -1. */
  slabOf(bytes: Uint8Array, at: number): number
  /** Something is to be told to the client. */
  changed(): void
}

export type PublishFault = { readonly code: 'frameMalformed' | 'sequenceUnexpected'; readonly message: string }

/** Other verdicts are codes of `spec/errors.json`. */
const Verdict = { good: 0, alike: 1 } as const

/** So many ways, in one frame, are worth looking for together. */
const scatteredFrom = 8

/** A message for more queues than this is looked at for memory by itself: its places cost more than its bytes. */
const wideFrom = 16

export class Publishing implements CreditHolder {
  publishedSequence = 0
  publishedSize = 0
  creditSequence = 0
  #creditSize = 0
  /** What was granted, and told or about to be: it never falls, though a channel that ends gives back what it did not use. */
  #grantedSize = 0
  creditWindow = 0
  neededSize = 0
  /** The client has not been told of the last grant. */
  creditUntold = false
  readonly confirms = new Confirms()
  readonly #home: PublishingHome
  readonly #shard: Shard
  readonly #records: FrameRecords
  /** The last one of this frame, and whether the user may publish along it. Not kept longer: its queues may be deleted. */
  #lastRoute: Route | undefined
  #lastRefusal: string | undefined

  constructor(home: PublishingHome, shard: Shard) {
    this.#home = home
    this.#shard = shard
    this.#records = shard.records
  }

  get creditSize(): number {
    return this.#creditSize
  }

  set creditSize(size: number) {
    this.#creditSize = size
    if (size > this.#grantedSize) this.#grantedSize = size
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
    const left = this.creditLeft
    const refusedCount = this.#judge(bytes, records, to, first, count, this.#frameCode(flags))
    if (refusedCount < 0) return { code: 'frameMalformed', message: `${count} records were announced and do not fill the frame exactly` }
    const { credit } = this.#shard
    this.publishedSequence = first + count - 1
    this.publishedSize += to - records
    if ((flags & Flag.atomic) !== 0) this.#publishTogether(bytes, flags, records, to, first, count, refusedCount)
    else if (refusedCount === 0) this.#take(bytes, flags, records, to, first, 0)
    else this.#publishEach(bytes, flags, records, to, first, count)
    this.confirms.through = this.publishedSequence
    this.#lastRoute = undefined
    this.#records.end(count)
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
    const { synced, lost } = this.#shard.broker.journal
    if (lost > synced && this.confirms.hasLost(synced, lost)) this.#refuseLost(synced, lost)
    if (this.confirms.isReady(synced)) this.confirms.write(output, channel, this.creditSequence, this.#grantedSize, synced)
    else if (this.creditUntold) {
      output.reserve(creditFrameSize)
      output.at = writeCredit(output.buffer, output.at, channel, this.creditSequence, this.#grantedSize)
    }
    this.creditUntold = false
  }

  #refuseLost(synced: number, lost: number): void {
    const { broker } = this.#shard
    this.confirms.refuseLost(synced, lost, ErrorCode.storageFailed.code, storageFailed, (id, count) => broker.withdraw(id, count))
  }

  /**
   * A verdict for each record: good, good and like the one before, or the code of what is wrong with it before anybody looks where it goes. Whether names are UTF-8
   * is seen where they are looked up.
   * Returns how many are refused, or -1 if the records do not fill the frame.
   */
  #judge(bytes: Uint8Array, from: number, to: number, first: number, count: number, frameCode: number): number {
    if (count * recordHeaderSize > to - from) return -1
    this.#records.begin(count)
    const { verdicts, sizes } = this.#records
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const { messageSizeMax } = this.#shard.limits
    let left = this.creditLeft
    let leftCount = this.creditSequence - first + 1
    let refusedCount = 0
    let at = from
    let previous = -1
    let otherCount = 0
    for (let i = 0; i < count; i++) {
      if (to - at < recordHeaderSize) return -1
      const size = 4 + view.getUint32(at)
      if (size < recordHeaderSize || size > to - at) return -1
      sizes[i] = size
      let verdict: number = Verdict.alike
      if (previous < 0 || !isAlike(view, previous, at, size)) {
        verdict = checkRecordParts(bytes, at, to)
        otherCount++
      }
      if (frameCode !== 0) verdict = frameCode
      else if (size > messageSizeMax) verdict = ErrorCode.messageTooLarge.code
      else if (leftCount <= 0 || size > left) verdict = ErrorCode.creditExceeded.code
      left -= size
      leftCount--
      verdicts[i] = verdict
      if (verdict > Verdict.alike) {
        refusedCount++
        previous = -1
      } else previous = at
      at += size
    }
    this.#records.isScattered = otherCount >= scatteredFrom && otherCount * 2 > count
    return at === to ? refusedCount : -1
  }

  /** Some are refused: what is good between them is taken. */
  #publishEach(bytes: Uint8Array, flags: number, from: number, to: number, first: number, count: number): void {
    const { verdicts, sizes } = this.#records
    let at = from
    let groupStart = from
    let group = 0
    for (let i = 0; i < count; i++) {
      const size = sizes[i]
      const code = verdicts[i]
      if (code > Verdict.alike) {
        this.#take(bytes, flags, groupStart, at, first, group)
        this.#refuse(bytes, at, to, first + i, code)
        groupStart = at + size
        group = i + 1
      }
      at += size
    }
    this.#take(bytes, flags, groupStart, at, first, group)
  }

  /** One outcome for all: the first reason to refuse one refuses the frame. */
  #publishTogether(bytes: Uint8Array, flags: number, from: number, to: number, first: number, count: number, refusedCount: number): void {
    const { host } = this.#home
    const { verdicts, sizes } = this.#records
    let code = 0
    let detail = ''
    for (let at = from, i = 0; i < count && code === 0; at += sizes[i], i++) {
      const verdict = verdicts[i]
      if (verdict > Verdict.alike) {
        code = verdict
        detail = this.#detail(bytes, at, to, code)
      } else if (refusedCount === 0) {
        const route = host.route(bytes, at)
        code = this.#routeCode(route, flags, bytes, at)
        if (code !== 0) detail = this.#routeDetail(route, code, bytes, at)
      }
    }
    if (code === 0) this.#takeTogether(bytes, flags, from, to, first)
    else for (let sequence = first; sequence < first + count; sequence++) this.confirms.refused(sequence, code, detail)
  }

  #takeTogether(bytes: Uint8Array, flags: number, from: number, to: number, first: number): void {
    const { journal } = this.#shard.broker
    journal.together(true)
    this.#take(bytes, flags, from, to, first, 0)
    journal.together(false)
  }

  /** 0, or the code of what is wrong with all messages of a frame. */
  #frameCode(flags: number): number {
    const { keeps } = this.#shard.broker.journal
    if (!keeps && (flags & Flag.levelMask) >>> Flag.levelShift > Level.received) return ErrorCode.levelUnavailable.code
    return this.#shard.credit.isFull ? ErrorCode.resourceExhausted.code : 0
  }

  /** Good neighbours, the first of which is message `index` of the frame: into a slab, if they do not lie in one, and those that are alike together along their route. */
  #take(bytes: Uint8Array, flags: number, from: number, to: number, first: number, index: number): void {
    if (from === to) return
    const { broker, credit } = this.#shard
    const { host } = this.#home
    const { slabs } = broker
    let slab = this.#home.slabOf(bytes, from)
    let start = from
    if (slab < 0) {
      slabs.append(bytes, from, to)
      slab = slabs.slab
      start = slabs.offset
    }
    const wantsConfirm = (flags & Flag.confirm) !== 0
    const { journal } = broker
    const best = bestLevel(flags, journal)
    const gate = best > Level.received ? journal.batch : 0
    const buffer = slabs.buffer(slab)
    const end = start + to - from
    const { verdicts, sizes, isScattered } = this.#records
    const { routes } = host
    let aheadFrom = index
    let aheadEnd = index
    for (let at = start, i = index; at < end; ) {
      if (isScattered && i >= aheadEnd) {
        aheadFrom = i
        aheadEnd = i + routes.lookAhead(buffer, at, end, sizes, i)
      }
      const route = (isScattered ? routes.ahead[i - aheadFrom] : undefined) ?? host.route(buffer, at)
      let code = this.#routeCode(route, flags, buffer, at)
      const isWide = route.queues.length > wideFrom
      if (code === 0 && isWide && credit.isFull) code = ErrorCode.resourceExhausted.code
      let count = 1
      let size = sizes[i]
      if (code !== 0)
        this.confirms.refused(first + i, code, this.confirms.hasRoomForDetail ? this.#routeDetail(route, code, buffer, at) : '')
      else {
        if (!isWide && !route.dynamic) for (; at + size < end && verdicts[i + count] === Verdict.alike; count++) size += sizes[i + count]
        const isPersistent = (buffer[at + 5] & RecordFlag.persistent) !== 0
        const id = broker.enqueue(route, slab, at, sizes, i, count, size, isPersistent)
        if (wantsConfirm) {
          const isKept = best > Level.received && route.kept.length > 0 && isPersistent
          this.confirms.taken(first + i, id, count, route.queues.length, isKept ? best : Level.received, isKept ? gate : 0)
        }
      }
      at += size
      i += count
    }
    slabs.settle(slab)
  }

  /** 0, or the code of what keeps the message from going along its route. */
  #routeCode(route: Route, flags: number, bytes: Uint8Array, at: number): number {
    // What many names share that lead nowhere says nothing of who may use them.
    if (route !== this.#lastRoute || (route.exchange === undefined && route.queues.length === 0)) {
      this.#lastRoute = route
      const { access } = this.#home
      this.#lastRefusal = publishRefusal(access, bytes, at)
      if (this.#lastRefusal !== undefined) this.#shard.log('warn', 'publish-forbidden', { user: access.user, message: this.#lastRefusal })
    }
    if (this.#lastRefusal !== undefined) return ErrorCode.forbidden.code
    if (route.refusal !== 0) return route.refusal
    if (this.#shard.broker.journal.failed && route.kept.length > 0 && asksToKeep(flags, bytes, at)) return ErrorCode.storageFailed.code
    return (flags & Flag.mandatory) !== 0 && route.queues.length === 0 ? ErrorCode.unroutable.code : 0
  }

  #routeDetail(route: Route, code: number, bytes: Uint8Array, at: number): string {
    switch (code) {
      case ErrorCode.unroutable.code: {
        const { exchange, routingKey } = readNames(bytes, at)
        if (exchange === '') return `no queue '${routingKey}'; declare it first`
        return `no queue takes it: nothing is bound to exchange '${exchange}' for routing key '${routingKey}'`
      }
      case ErrorCode.resourceExhausted.code:
        return memoryUsedUp
      case ErrorCode.storageFailed.code:
        return storageFailed
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
        return `a record of ${4 + readU32(bytes, at)} bytes is larger than messageSizeMax (${this.#shard.limits.messageSizeMax})`
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

/** Whether a record that a durable queue takes must survive the end of the process. */
function asksToKeep(flags: number, bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 5] & RecordFlag.persistent) !== 0 && (flags & Flag.levelMask) >>> Flag.levelShift !== Level.received
}

/** What a kept message is confirmed with: as much as there is, if not less was asked for. */
function bestLevel(flags: number, { keeps }: Journal): number {
  const asked = (flags & Flag.levelMask) >>> Flag.levelShift
  return !keeps ? Level.received : asked === Level.best ? Level.synced : asked
}

/**
 * Whether the record at `at`, of `size` bytes, begins like the good one at `previous`: same flags and names, and neither properties nor headers.
 * Four bytes at a time, by a view: two fifths of what a loop over the bytes costs. The last four may overlap those before, or the header's zeros.
 */
function isAlike(view: DataView, previous: number, at: number, size: number): boolean {
  const word = view.getInt32(at + 4)
  if ((view.getInt32(at + 8) | view.getInt32(at + 12)) !== 0 || word !== view.getInt32(previous + 4)) return false
  const end = recordHeaderSize + ((word >>> 8) & 255) + (word & 255)
  if (end > size) return false
  let i = recordHeaderSize
  for (; i + 4 <= end; i += 4) if (view.getInt32(previous + i) !== view.getInt32(at + i)) return false
  return i === end || view.getInt32(previous + end - 4) === view.getInt32(at + end - 4)
}

const memoryUsedUp = 'the memory for messages is used up; try again when consumers have caught up'

/** Why the user may not publish to the exchange that the record names, or by the default exchange to the queue, or undefined. */
function publishRefusal(access: Access, bytes: Uint8Array, at: number): string | undefined {
  if (access === fullAccess) return undefined
  const size = exchangeSize(bytes, at)
  if (size > 0) return access.refusal('write', 'exchange', readText(bytes, exchangeStart(at), exchangeStart(at) + size))
  const start = keyStart(bytes, at)
  return access.refusal('write', 'queue', readText(bytes, start, start + keySize(bytes, at)))
}
