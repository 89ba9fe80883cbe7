/**
 * The body of every benchmark message, and what the consumer checks of it:
 *
 *     u32 sequence | u32 producer | fill, the same in every body | u32 mark
 *
 * The mark follows from the sequence, so a body that was mixed up with another,
 * cut or overwritten does not pass. Reading touches each cache line of the body
 * (one byte in 64), the first word and the last: the same for every peer.
 */
const bodySizeMin = 16
const headSize = 8
const markSize = 4
const stride = 64

export function markOf(sequence: number): number {
  return (Math.imul(sequence, 0x9e3779b1) ^ 0x5bd1e995) >>> 0
}

/** The sum of many marks, modulo 2^32: exact however long a run is. */
export function addMark(sum: number, sequence: number, deliveries = 1): number {
  return (sum + Math.imul(markOf(sequence), deliveries)) >>> 0
}

/**
 * Bodies made once and used in turn. The ring is longer than the producer may run ahead of the consumer, so a
 * client that keeps the buffer until it has written it never sees it change.
 */
export class BodyRing {
  readonly #bodies: Buffer[]
  readonly #size: number

  constructor(size: number, count: number, producer = 0) {
    checkSize(size)
    this.#size = size
    const memory = Buffer.alloc(size * count)
    this.#bodies = Array.from({ length: count }, (_, index) => {
      const body = memory.subarray(index * size, (index + 1) * size)
      body.writeUInt32BE(producer, 4)
      for (let offset = headSize; offset < size - markSize; offset++) body[offset] = fillAt(offset)
      return body
    })
  }

  /** The body of message `sequence`; it belongs to the caller until the ring has gone round. */
  body(sequence: number): Buffer {
    const body = this.#bodies[sequence % this.#bodies.length] as Buffer
    const mark = markOf(sequence)
    body[0] = sequence >>> 24
    body[1] = sequence >>> 16
    body[2] = sequence >>> 8
    body[3] = sequence
    const end = this.#size
    body[end - 4] = mark >>> 24
    body[end - 3] = mark >>> 16
    body[end - 2] = mark >>> 8
    body[end - 1] = mark
    return body
  }
}

/** What arrived: how many, the sum of their marks modulo 2^32, and how many were damaged or out of order in their lane. */
export interface Received {
  readonly count: number
  readonly sum: number
  readonly damaged: number
  readonly disordered: number
}

/**
 * Reads bodies as they arrive. A lane is one queue or subscription; within a lane sequences rise, one by one where
 * every message goes to every lane (`gapless`).
 */
export class BodyReader {
  count = 0
  #sum = 0
  #damaged = 0
  #disordered = 0
  readonly #size: number
  readonly #gapless: boolean
  readonly #fillSum: number
  readonly #last: Float64Array

  constructor(size: number, lanes: number, gapless: boolean) {
    checkSize(size)
    this.#size = size
    this.#gapless = gapless
    this.#last = new Float64Array(lanes).fill(-1)
    let sum = 0
    for (let offset = headSize; offset < size - markSize; offset += stride) sum += fillAt(offset)
    this.#fillSum = sum
  }

  /** Reads one body and returns its sequence, or -1 for a damaged one. */
  read(lane: number, body: Uint8Array): number {
    this.count++
    const size = this.#size
    if (body.length !== size) return this.#damage()
    const sequence = word(body, 0)
    const mark = word(body, size - markSize)
    let fill = 0
    for (let offset = headSize; offset < size - markSize; offset += stride) fill += body[offset] as number
    if (mark !== markOf(sequence) || fill !== this.#fillSum) return this.#damage()
    this.#sum = (this.#sum + mark) >>> 0
    const last = this.#last[lane] as number
    // A message that matches two bindings of one lane may come twice in a row (NATS delivers to each subscription).
    if (this.#gapless ? sequence !== last + 1 : sequence < last) this.#disordered++
    this.#last[lane] = sequence
    return sequence
  }

  received(): Received {
    return { count: this.count, sum: this.#sum, damaged: this.#damaged, disordered: this.#disordered }
  }

  #damage(): number {
    this.#damaged++
    return -1
  }
}

function checkSize(size: number): void {
  if (size < bodySizeMin) throw new RangeError(`a body has at least ${bodySizeMin} bytes, not ${size}`)
}

function fillAt(offset: number): number {
  return 33 + ((Math.imul(offset, 2654435761) >>> 24) % 94)
}

function word(body: Uint8Array, at: number): number {
  return (
    (((body[at] as number) << 24) | ((body[at + 1] as number) << 16) | ((body[at + 2] as number) << 8) | (body[at + 3] as number)) >>> 0
  )
}
