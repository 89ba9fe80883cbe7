/**
 * Hot: SETTLE, one or more entries, each a range of tags with one outcome. [P-5.4]
 *
 *     at +0  u64 first tag | +8  u32 count | +12  u8 outcome | +13  u8 flags 0 | +14  u16 reason size | +16  u32 delay ms | +20  reason
 */
import { copyBytes, readU16, readU32, readU64, u64Max, writeU16, writeU32, writeU64 } from './bytes.js'
import { ErrorCode } from './errors.js'
import { correlationSize, FrameType, Outcome, writeCorrelatedHeader, writeFrameHeader } from './frame.js'
import { isUtf8 } from './utf8.js'

export const settleEntrySize = 20
/** `delay ms` of every outcome but retry; with retry: the broker's own back-off. */
export const noDelay = 0xffff_ffff
export const reasonSizeMax = 0xffff

/** Writes the frame header for `entriesSize` bytes of entries, correlated when `correlation` is not 0; returns where the entries begin. */
export function writeSettleHeader(target: Uint8Array, at: number, channel: number, correlation: number, entriesSize: number): number {
  if (correlation === 0) return writeFrameHeader(target, at, FrameType.settle, 0, channel, entriesSize)
  return writeCorrelatedHeader(target, at, FrameType.settle, 0, channel, correlation, entriesSize)
}

/** Writes one entry and returns the index behind it. `reason` is UTF-8 of at most `reasonSizeMax` bytes. */
export function writeSettleEntry(
  target: Uint8Array,
  at: number,
  firstTag: number,
  count: number,
  outcome: number,
  delayMs: number,
  reason: Uint8Array | undefined,
): number {
  const reasonSize = reason === undefined ? 0 : reason.length
  writeU64(target, at, firstTag)
  writeU32(target, at + 8, count)
  target[at + 12] = outcome
  target[at + 13] = 0
  writeU16(target, at + 14, reasonSize)
  writeU32(target, at + 16, delayMs)
  return reason === undefined ? at + settleEntrySize : copyBytes(target, at + settleEntrySize, reason, 0, reasonSize)
}

/** The size of a SETTLE frame with `entriesSize` bytes of entries. */
export function settleFrameSize(correlation: number, entriesSize: number): number {
  return 8 + (correlation === 0 ? 0 : correlationSize) + entriesSize
}

/** 0, or the number of `frameMalformed`: entries fill the body, outcomes exist, reasons are UTF-8. Tags are the session's affair. */
export function checkSettle(bytes: Uint8Array, from: number, to: number): number {
  if (from === to) return ErrorCode.frameMalformed.code
  let at = from
  while (at < to) {
    if (to - at < settleEntrySize) return ErrorCode.frameMalformed.code
    const first = readU64(bytes, at)
    const count = readU32(bytes, at + 8)
    const outcome = bytes[at + 12]
    const end = at + settleEntrySize + readU16(bytes, at + 14)
    const good =
      first >= 0 &&
      count >= 1 &&
      first <= u64Max - count + 1 &&
      outcome >= Outcome.ack &&
      outcome <= Outcome.reject &&
      bytes[at + 13] === 0 &&
      end <= to &&
      (outcome === Outcome.retry || readU32(bytes, at + 16) === noDelay) &&
      isUtf8(bytes, at + settleEntrySize, end)
    if (!good) return ErrorCode.frameMalformed.code
    at = end
  }
  return 0
}

export function settleFirstTag(bytes: Uint8Array, at: number): number {
  return readU64(bytes, at)
}

export function settleCount(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 8)
}

export function settleOutcome(bytes: Uint8Array, at: number): number {
  return bytes[at + 12]
}

export function settleDelayMs(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 16)
}

export function settleReasonStart(at: number): number {
  return at + settleEntrySize
}

/** Index behind the entry at `at`: where its reason ends and the next entry begins. */
export function settleEntryEnd(bytes: Uint8Array, at: number): number {
  return at + settleEntrySize + readU16(bytes, at + 14)
}
