/**
 * Hot: integers in bytes, big-endian, by manual byte arithmetic on offsets; no allocation, no bounds checks of its own.
 *
 * On Node 20 this is twice as fast as Buffer's methods and as fast as a DataView. The caller has checked that the bytes
 * are there. A u64 is at most 2^53 - 1: `readU64` gives -1 for a larger one, so that nobody goes on with a rounded number.
 */

/** The largest u64 of the protocol. [P-0.1] */
export const u64Max = Number.MAX_SAFE_INTEGER

const two32 = 0x1_0000_0000
const u64HighMax = 0x1f_ffff

export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}

export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

/** -1 when the number is above 2^53 - 1. */
export function readU64(bytes: Uint8Array, at: number): number {
  const high = readU32(bytes, at)
  return high > u64HighMax ? -1 : high * two32 + readU32(bytes, at + 4)
}

export function writeU16(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 8
  target[at + 1] = value
}

export function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

/** The value is an integer from 0 to 2^53 - 1; that is the caller's affair. */
export function writeU64(target: Uint8Array, at: number, value: number): void {
  writeU32(target, at, Math.floor(value / two32))
  writeU32(target, at + 4, value >>> 0)
}

/** For whoever writes so often that single bytes are too slow: made once, and kept. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Below this a loop over the bytes is quicker than a call of `set`, which makes a view first. */
const loopSizeMax = 24

/** Copies `source[from..to)` to `target[at..]`; returns the index behind it. */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array, from: number, to: number): number {
  const size = to - from
  if (size <= loopSizeMax) {
    for (let i = 0; i < size; i++) target[at + i] = source[from + i]
  } else if (size === source.length) {
    target.set(source, at)
  } else {
    target.set(source.subarray(from, to), at)
  }
  return at + size
}
