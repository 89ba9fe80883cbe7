// Hot: every byte of every connection passes here.
/**
 * Bytes of one connection become frames, and what has begun and is not whole is judged: it must be one that may come, and there
 * must be room for it. [P-2.2, P-4.6]
 *
 *     bytes ─┬─ where the transport likes ─▶ FrameReader.read: whole frames in place, the rest is carried
 *            └─ in a slab of its own ──────▶ FrameReader.scan: nothing is copied (bulk-landing.ts)
 *
 * A read may hold thousands of requests. A connection that asks so much is read in small slices from then on, as many in a turn as make its
 * share of answers; the rest waits, and so does its socket. Others get their turn meanwhile.
 *
 * A connection that keeps filling its reads gets a slab of its own until it does not. The place of a socket's next read is settled after
 * its last one, so the slab is let go only from within a read, or when the transport has gone.
 */
import {
  type ErrorName,
  FrameReader,
  type FrameSink,
  frameHeaderSize,
  FrameType,
  limits,
  publishHeaderSize,
  readU16,
  readU32,
  sizeFieldSize,
} from '@waybill/protocol'
import type { LandingPlace } from '../ports/transport.js'
import { Backlog } from './backlog.js'
import { BulkLanding } from './bulk-landing.js'
import type { IntakeShare } from './intake-share.js'
import { GateReason, type ReadGate } from './read-gate.js'

export interface IntakeHome extends FrameSink {
  readonly isOpen: boolean
  /** It has been given as many answers as it gets in a turn. */
  readonly isServed: boolean
  readonly gate: ReadGate
  /** Call `goOn` in the next turn. */
  readLater(): void
  /** Bytes of credit that a channel has left; 0 for one that is not open. */
  creditLeft(channel: number): number
  fail(name: ErrorName, message: string): void
}

/** What each connection may begin without being charged. */
const freePartialSize = 8 * 1024
/** Reads of this size and more are those of a bulk publisher: so many in a row, and it gets a slab of its own. */
const bulkReadSize = 48 * 1024
const bulkReadsMin = 4
/** So many small reads in a row, and it goes back. */
const quietReadSize = bulkReadSize / 4
const quietReadsMax = 64
/** A slice, and for how long a connection is read in slices after it last asked too much. */
const sliceSize = 2 * 1024
const slowMs = 1_000
const publishOverhead = frameHeaderSize - sizeFieldSize + publishHeaderSize

export class Intake {
  readonly #home: IntakeHome
  readonly #share: IntakeShare
  readonly #reader: FrameReader
  #bulk: BulkLanding | undefined
  /** Whether the transport asks where bytes should land. */
  #canLand = false
  /** Large reads in a row; with a slab, small ones. */
  #reads = 0
  /** Of the pot of partial frames. */
  #chargedSize = 0
  readonly #backlog = new Backlog()
  #slowUntil = 0

  constructor(home: IntakeHome, share: IntakeShare) {
    this.#home = home
    this.#share = share
    this.#reader = new FrameReader(home, limits.openingFrameSizeMax.value)
  }

  /** HELLO has been answered. */
  opened(frameSizeMax: number): void {
    this.#reader.frameSizeMax = frameSizeMax
  }

  /** Bytes of a frame that is not whole yet. */
  get partialSize(): number {
    return this.#bulk === undefined ? this.#reader.partialSize : this.#bulk.partialSize + this.#reader.partialSize
  }

  read(bytes: Uint8Array, from: number, to: number, now: number): void {
    const bulk = this.#bulk
    if (bulk !== undefined) this.#readInBulk(bulk, bytes, from, to)
    else if (now < this.#slowUntil || this.#backlog.size > 0) {
      this.#backlog.add(bytes, from, to)
      this.goOn(now)
      return
    } else {
      this.#readAnywhere(bytes, from, to)
      this.#reads = to - from >= bulkReadSize ? this.#reads + 1 : 0
      if (this.#reads >= bulkReadsMin) this.#enterBulk()
    }
    if (!this.#home.isServed) return
    this.#slowUntil = now + slowMs
    this.#leaveBulk()
  }

  /** Reads on in what has waited, as far as it goes in this turn. */
  goOn(now: number): void {
    const backlog = this.#backlog
    while (backlog.size > 0 && !this.#home.isServed) {
      const slice = backlog.take(sliceSize)
      this.#readAnywhere(slice, 0, slice.length)
    }
    if (backlog.size === 0) this.#home.gate.open(GateReason.backlog)
    else {
      this.#slowUntil = now + slowMs
      this.#home.gate.close(GateReason.backlog)
      this.#home.readLater()
    }
  }

  /** Whether bytes that have come have not been looked at. */
  get isBehind(): boolean {
    return this.#backlog.size > 0
  }

  /** Where the next bytes should land. */
  landing(): LandingPlace | undefined {
    this.#canLand = true
    return this.#bulk
  }

  /** The slab that these bytes lie in already, to stay, or -1. */
  slabOf(bytes: Uint8Array, at: number): number {
    const bulk = this.#bulk
    return bulk !== undefined && bytes === bulk.buffer && at >= bulk.start && at < bulk.end ? bulk.slab : -1
  }

  /** Whether a frame above 64 KiB may come, by its header; if not, that is the end. */
  isWithinSize(type: number, size: number, channel: number): boolean {
    if (type === FrameType.publish) {
      if (size - publishOverhead <= this.#home.creditLeft(channel)) return true
      this.#home.fail('frameTooLarge', `a PUBLISH of ${size} bytes is beyond the credit of channel ${channel}; wait for CREDIT`)
      return false
    }
    if (size <= limits.otherFrameSizeMax.value) return true
    this.#home.fail('frameTooLarge', `a frame of ${size} bytes that is not a PUBLISH; at most ${limits.otherFrameSizeMax.value}`)
    return false
  }

  /** Nothing more is read. The transport may still be writing to where it was told. */
  stop(): void {
    this.#reader.stop()
    this.#backlog.clear()
    this.#home.gate.open(GateReason.backlog)
    this.#charge(0)
  }

  /** Bytes have come and are not wanted, or the transport has gone. */
  close(): void {
    this.stop()
    this.#leaveBulk()
  }

  #readInBulk(bulk: BulkLanding, bytes: Uint8Array, from: number, to: number): void {
    if (bytes !== bulk.buffer || from !== bulk.filled) {
      this.#leaveBulk()
      this.#readAnywhere(bytes, from, to)
      return
    }
    this.#readInPlace(bulk, to)
    this.#reads = to - from < quietReadSize ? this.#reads + 1 : 0
    if (this.#reads >= quietReadsMax || this.#reader.stopped) this.#leaveBulk()
  }

  #readAnywhere(bytes: Uint8Array, from: number, to: number): void {
    const reader = this.#reader
    if (!reader.read(bytes, from, to)) this.#fault()
    else if (reader.partialSize > 0) this.#judgeCarried()
    else if (this.#chargedSize > 0) this.#charge(0)
  }

  /** Whole frames where they have landed; what is left of them stays there too. */
  #readInPlace(bulk: BulkLanding, to: number): void {
    bulk.filled = to
    const unread = this.#reader.scan(bulk.buffer, bulk.unread, to)
    if (unread < 0) {
      this.#fault()
      return
    }
    bulk.unread = unread
    let size = 0
    if (bulk.partialSize >= frameHeaderSize) {
      size = readU32(bulk.buffer, unread)
      if (size > limits.uncreditedFrameSizeMax.value) {
        if (!this.isWithinSize(bulk.buffer[unread + sizeFieldSize], size, readU16(bulk.buffer, unread + 6))) return
      }
    }
    if (!bulk.makeRoom(sizeFieldSize + size)) this.#leaveBulk()
  }

  #fault(): void {
    const { fault } = this.#reader
    if (fault !== undefined) this.#home.fail(fault.code, fault.message)
  }

  #judgeCarried(): void {
    const reader = this.#reader
    let isCredited = false
    if (this.#home.isOpen && reader.partialSize >= frameHeaderSize) {
      const type = reader.expectedType
      const channel = reader.expectedChannel
      const size = reader.expectedSize - sizeFieldSize
      if (size > limits.uncreditedFrameSizeMax.value && !this.isWithinSize(type, size, channel)) return
      isCredited = type === FrameType.publish && size - publishOverhead <= this.#home.creditLeft(channel)
    }
    const charged = isCredited || reader.partialSize <= freePartialSize ? 0 : reader.partialSize
    if (charged === this.#chargedSize || this.#charge(charged)) return
    this.#home.fail(
      'resourceExhausted',
      `no room for more of a frame of ${reader.expectedSize} bytes; too many others have begun one and not ended it`,
    )
  }

  #charge(size: number): boolean {
    const before = this.#chargedSize
    this.#chargedSize = size
    return this.#share.charge(before, size)
  }

  #enterBulk(): void {
    if (
      !this.#canLand ||
      !this.#home.isOpen ||
      this.#reader.expectedSize > bulkReadSize * 4 ||
      this.#chargedSize > 0 ||
      !this.#share.admitBulk()
    )
      return
    this.#bulk = new BulkLanding(this.#share.slabs, this.#reader)
    this.#reads = 0
  }

  #leaveBulk(): void {
    const bulk = this.#bulk
    if (bulk === undefined) return
    this.#bulk = undefined
    this.#reads = 0
    if (bulk.partialSize > 0 && !this.#reader.stopped) this.#readAnywhere(bulk.buffer, bulk.unread, bulk.filled)
    bulk.close()
    this.#share.bulkLeft()
  }
}
