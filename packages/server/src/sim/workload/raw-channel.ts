/** A channel of a raw peer: it publishes as far as its credit goes, holds deliveries for a while, and settles them in ranges. */
import {
  encodeMeta,
  encodeName,
  Flag,
  FrameType,
  type Headers,
  noDelay,
  publishHeaderSize,
  recordSizeOf,
  settleFrameSize,
  windowFrameSize,
  writePublishHeader,
  writeRecord,
  writeSettleEntry,
  writeSettleHeader,
  writeWindow,
} from '@waybill/protocol'
import { makeBody } from '../body.js'
import type { PlainFrame } from '../checkers/frames.js'

/** A frame more than this has to be covered by credit when its header comes, however it is judged later. */
const frameSizeMax = 60_000
const settleEntrySize = 20

interface Frame {
  readonly records: readonly Buffer[]
  readonly flags: number
}

/** What a channel needs of its peer. */
export interface RawChannelHome {
  readonly isOpen: boolean
  readonly messageSizeMax: number
  /** A number for bodies, of nobody else. */
  nextPublisher(): number
  send(bytes: Buffer): void
  /** A correlation whose answer is awaited, for a frame that the caller writes. */
  correlate(then: () => void): number
  delivered(channel: RawChannel): void
}

export interface RawConsumer {
  readonly id: number
  readonly queue: string
}

export class RawChannel {
  readonly id: number
  readonly #home: RawChannelHome
  readonly publisher: number
  isOpen = false
  readonly consumers: RawConsumer[] = []
  /** Tags, in order. */
  unsettled: number[] = []
  #sequence = 0
  #publishedSize = 0
  #creditSequence = 0
  #creditSize = 0
  #backlog: Frame[] = []
  #askedSize = 0
  #number = 0
  #nextConsumer = 1

  constructor(home: RawChannelHome, id: number) {
    this.#home = home
    this.id = id
    this.publisher = home.nextPublisher()
  }

  opened(creditSequence: number, creditSize: number): void {
    this.isOpen = true
    this.#creditSequence = creditSequence
    this.#creditSize = creditSize
  }

  get sequence(): number {
    return this.#sequence
  }

  get backlogCount(): number {
    return this.#backlog.length
  }

  newConsumerId(): number {
    return this.#nextConsumer++
  }

  // ─── publishing ─────────────────────────────────────────────────────────

  /** The name that the next message will have. */
  get nextMessage(): string {
    return `${this.publisher}.${this.#number + 1}`
  }

  record(exchange: string, key: string, bodySize: number, headers: Headers | undefined, persistent = true): Buffer {
    const names = [encodeName(exchange), encodeName(key)] as const
    const properties = headers === undefined ? undefined : { messageId: this.nextMessage, type: 'simulated' }
    const meta = headers === undefined ? undefined : encodeMeta(properties, headers)
    const body = makeBody(bodySize, this.publisher, ++this.#number)
    const record = Buffer.alloc(recordSizeOf(...names, meta, body.length))
    writeRecord(record, 0, ...names, meta, persistent, body, 0, body.length)
    return record
  }

  /** Publishes as soon as there is credit for it. */
  publish(records: readonly Buffer[], flags: number): void {
    this.#backlog.push({ records, flags })
    this.#pump()
  }

  /** Publishes, credit or not. */
  publishNow(records: readonly Buffer[], flags: number, first = this.#sequence + 1): void {
    const size = records.reduce((sum, { length }) => sum + length, 0)
    const frame = Buffer.alloc(8 + publishHeaderSize + size)
    let at = writePublishHeader(frame, 0, flags, this.id, first, records.length, size)
    for (const record of records) at += record.copy(frame, at)
    this.#sequence += records.length
    this.#publishedSize += size
    this.#home.send(frame)
  }

  #pump(): void {
    while (this.#backlog.length > 0 && this.isOpen && this.#home.isOpen) {
      const { records, flags } = this.#backlog[0]!
      let size = 0
      let count = 0
      for (const { length } of records) {
        const fits = this.#sequence + count < this.#creditSequence && this.#publishedSize + size + length <= this.#creditSize
        if (!fits || (count > 0 && size + length > frameSizeMax)) break
        size += length
        count++
      }
      if (count === 0 || (count < records.length && (flags & Flag.atomic) !== 0 && size + records[count]!.length <= frameSizeMax)) {
        this.#askForCredit(records)
        return
      }
      if (count < records.length) this.#backlog[0] = { records: records.slice(count), flags }
      else this.#backlog.shift()
      this.publishNow(records.slice(0, count), flags)
    }
  }

  #askForCredit(records: readonly Buffer[]): void {
    const needed = Math.min(
      records.reduce((sum, { length }) => sum + length, 0),
      this.#home.messageSizeMax,
    )
    if (needed <= this.#askedSize) return
    this.#askedSize = needed
    this.window(0, 0, needed)
  }

  #credited(sequence: number, size: number): void {
    this.#creditSequence = sequence
    this.#creditSize = size
    this.#askedSize = 0
    this.#pump()
  }

  // ─── consuming ──────────────────────────────────────────────────────────

  window(consumer: number, count: number, size: number): void {
    const frame = Buffer.alloc(windowFrameSize)
    writeWindow(frame, 0, this.id, consumer, count, size)
    this.#home.send(frame)
  }

  /** Settles a range of what it holds, with the first and last index; `outcome` as on the wire. */
  settle(from: number, to: number, outcome: number, delayMs = noDelay, correlated = false): void {
    const tags = this.unsettled.splice(from, to - from)
    if (tags.length === 0) return
    this.settleTags(tags[0]!, tags[tags.length - 1]! - tags[0]! + 1, outcome, delayMs, correlated)
  }

  settleTags(first: number, count: number, outcome: number, delayMs = noDelay, correlated = false, reason?: Uint8Array): number {
    const correlation = correlated ? this.#home.correlate(() => undefined) : 0
    const size = settleEntrySize + (reason?.length ?? 0)
    const frame = Buffer.alloc(settleFrameSize(correlation, size))
    const at = writeSettleHeader(frame, 0, this.id, correlation, size)
    writeSettleEntry(frame, at, first, count, outcome, delayMs, reason)
    this.#home.send(frame)
    return correlation
  }

  // ─── what the broker says ───────────────────────────────────────────────

  frame({ type, body }: PlainFrame): void {
    switch (type) {
      case FrameType.confirm:
        this.#credited(Number(body.readBigUInt64BE(8)), Number(body.readBigUInt64BE(16)))
        return
      case FrameType.credit:
        this.#credited(Number(body.readBigUInt64BE(0)), Number(body.readBigUInt64BE(8)))
        return
      case FrameType.deliver: {
        const first = Number(body.readBigUInt64BE(0))
        for (let i = body.readUInt32BE(16) - 1, tag = first; i >= 0; i--, tag++) this.unsettled.push(tag)
        this.#home.delivered(this)
        return
      }
      case FrameType.cancelled: {
        const { consumer } = JSON.parse(body.toString()) as { consumer: number }
        const i = this.consumers.findIndex(({ id }) => id === consumer)
        if (i >= 0) this.consumers.splice(i, 1)
      }
    }
  }
}
