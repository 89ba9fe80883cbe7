/** Streams of frames, spoiled: what the fuzzer feeds. */
import type { Random } from './seeds.js'

const bytesOfInterest = [0x00, 0x01, 0x02, 0x07, 0x0f, 0x10, 0x7f, 0x80, 0xc0, 0xed, 0xfe, 0xff]
const sizesOfInterest = [
  0, 1, 3, 4, 7, 8, 12, 15, 16, 255, 256, 0xffff, 0x10000, 0xfffff, 0x1010000, 0x1010001, 0x7fffffff, 0x80000000, 0xffffffff,
]

/** Some frames of the corpus in a random order, a few of them spoiled. */
export function spoiledStream(random: Random, corpus: readonly Buffer[]): Buffer {
  const frames: Buffer[] = []
  for (let count = 1 + random.below(12); count > 0; count--) {
    const frame = Buffer.from(random.pick(corpus))
    const spoiled = random.chance(0.6) ? spoil(random, frame, corpus) : frame
    for (let times = random.chance(0.05) ? 1 + random.below(4) : 1; times > 0; times--) frames.push(spoiled)
  }
  if (random.chance(0.1)) {
    // Out of order: two of them change places.
    const a = random.below(frames.length)
    const b = random.below(frames.length)
    ;[frames[a], frames[b]] = [frames[b], frames[a]]
  }
  const stream = Buffer.concat(frames)
  return random.chance(0.1) ? stream.subarray(0, random.below(stream.length + 1)) : stream
}

type Spoiler = (random: Random, frame: Buffer, corpus: readonly Buffer[]) => Buffer

const spoilers: readonly Spoiler[] = [flipBits, setBytes, lie, truncate, grow, cutOut, splice, noise, flipBits, setBytes, lie]

function spoil(random: Random, frame: Buffer, corpus: readonly Buffer[]): Buffer {
  let spoiled = frame
  for (let rounds = 1 + random.below(3); rounds > 0; rounds--) spoiled = random.pick(spoilers)(random, spoiled, corpus)
  // Mostly the size is made right again, so that the fault lies deeper than the framing.
  if (spoiled.length >= 8 && random.chance(0.9)) spoiled.writeUInt32BE(spoiled.length - 4, 0)
  return spoiled
}

function flipBits(random: Random, frame: Buffer): Buffer {
  for (let count = 1 + random.below(4); count > 0 && frame.length > 0; count--) frame[random.below(frame.length)] ^= 1 << random.below(8)
  return frame
}

function setBytes(random: Random, frame: Buffer): Buffer {
  for (let count = 1 + random.below(3); count > 0 && frame.length > 0; count--)
    frame[random.below(frame.length)] = random.pick(bytesOfInterest)
  return frame
}

/** A size or count somewhere says something else. */
function lie(random: Random, frame: Buffer): Buffer {
  const width = random.pick([1, 2, 4, 8])
  if (frame.length < width) return frame
  const at = random.below(frame.length - width + 1)
  const value = random.chance(0.5) ? random.pick(sizesOfInterest) : random.below(frame.length + 4)
  if (width === 8) frame.writeBigUInt64BE((BigInt(random.pick([0, 1, 0x1fffff, 0x200000, 0xffffffff])) << 32n) | BigInt(value), at)
  else frame.writeUIntBE(value % 2 ** (8 * width), at, width)
  return frame
}

function truncate(random: Random, frame: Buffer): Buffer {
  return frame.subarray(0, random.below(frame.length + 1))
}

function grow(random: Random, frame: Buffer): Buffer {
  const at = random.below(frame.length + 1)
  return Buffer.concat([frame.subarray(0, at), Buffer.alloc(1 + random.below(20), random.pick(bytesOfInterest)), frame.subarray(at)])
}

function cutOut(random: Random, frame: Buffer): Buffer {
  const at = random.below(frame.length + 1)
  return Buffer.concat([frame.subarray(0, at), frame.subarray(Math.min(frame.length, at + 1 + random.below(8)))])
}

/** The beginning of this one and the end of another. */
function splice(random: Random, frame: Buffer, corpus: readonly Buffer[]): Buffer {
  const other = random.pick(corpus)
  return Buffer.concat([frame.subarray(0, random.below(frame.length + 1)), other.subarray(random.below(other.length + 1))])
}

function noise(random: Random, frame: Buffer): Buffer {
  for (let at = random.below(frame.length + 1), end = Math.min(frame.length, at + random.below(16)); at < end; at++)
    frame[at] = random.below(256)
  return frame
}
