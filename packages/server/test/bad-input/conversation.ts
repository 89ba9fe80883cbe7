/**
 * Whole conversations of good frames, what may be made of them on their way, and what the broker answers.
 *
 *     good      OPENING  DECLARE  PUBLISH  CONSUME  PUBLISH  ···  LIST        answered to the end
 *     mutated   OPENING  DECLARE  PUBLI░H  CONSUME  CONSUME  ··               what stands before the first bad byte is answered in the same way;
 *                                                                             behind it anything may follow, but for nothing
 *
 * A conversation is over when its last request has been answered, or when the broker has ended it and has said why. Each is one of these.
 */
import { FrameReader, frameFault, preface, prefaceSize, refusedPreface } from '@waybill/protocol'
import { describeFrame, type FrameNotation } from '@waybill/protocol/testing'
import assert from 'node:assert'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Random } from '../seeds.js'
import { bytesOf } from '../stage/peer.js'
import { rawPublish } from '../stage/records.js'
import { Attacker } from './siege.js'

const spec = JSON.parse(readFileSync(new URL('../../../../spec/errors.json', import.meta.url), 'utf8')) as {
  errors: readonly { code: number; name: string }[]
}
/** The code of each error that may be told. */
const codes = new Map(spec.errors.map(({ code, name }) => [name, code]))

/** So long nothing may be said that ends it; the last request is made again and again: something before it may have swallowed it. */
const silenceMaxMs = 20_000
const againMs = 1_000
const last = { type: 'LIST', correlation: 0x7eed_0001, json: { kind: 'exchanges', prefix: 'none' } }

export const hello = { type: 'HELLO', correlation: 1, json: { client: { product: 'attacker', version: '1' } } }
/** How everybody begins: channel 1 is open then. */
export const opening = Buffer.concat([preface, bytesOf([hello, { type: 'OPEN', channel: 1, correlation: 2, json: {} }])])

interface Asked {
  readonly correlation: number
  /** Of its last byte in the conversation. */
  readonly end: number
  /** Whether it is answered in the same way however the bytes arrive, and even if the connection is about to end. */
  readonly isSure: boolean
}

export interface Conversation {
  readonly bytes: Buffer
  readonly asked: readonly Asked[]
  /** Messages whose confirm was asked for: the last of each frame. */
  readonly published: readonly { readonly sequence: number; readonly end: number }[]
}

/** What a client says, all of it good. Its queues are its own, by their names. */
export function conversation(random: Random, name: string): Conversation {
  const parts: Buffer[] = []
  const asked: Asked[] = []
  const published: { sequence: number; end: number }[] = []
  let size = 0
  const say = (bytes: Buffer): void => {
    parts.push(bytes)
    size += bytes.length
  }
  let correlation = 10
  const ask = (type: string, channel: number, json: object, isSure = true): void => {
    say(bytesOf([{ type, channel, correlation, json }]))
    asked.push({ correlation: correlation++, end: size, isSure })
  }
  say(opening)
  let sequence = 1
  for (let i = 0; i < 30; i++) {
    const queue = `${name} ${random.below(3)}`
    switch (random.below(9)) {
      case 0:
        ask('DECLARE_QUEUE', 1, { queue, exclusive: true })
        break
      case 1:
        ask('CONSUME', 1, { consumer: 1 + random.below(3), queue })
        break
      case 2: {
        const entries = [{ firstTag: 1 + random.below(5), count: 1 + random.below(3), outcome: 'ack' }]
        say(bytesOf([{ type: 'SETTLE', channel: 1, entries }]))
        break
      }
      case 3: {
        const window = { consumer: random.below(3), messageCount: random.below(10), size: random.below(10_000) }
        say(bytesOf([{ type: 'WINDOW', channel: 1, ...window }]))
        break
      }
      case 4:
        // These wait for their turn, as do those of a connection that ends.
        ask('LIST', 0, { kind: 'queues', prefix: name }, false)
        break
      case 5:
        ask('GET', 1, { consumer: 9, queue, waitMs: random.below(100) }, false)
        break
      default: {
        const flags = random.below(16) & 0x0e
        const records = Array.from({ length: 1 + random.below(5) }, () => ({ key: queue, body: Buffer.alloc(random.below(500)) }))
        say(rawPublish(1, sequence, records, flags))
        sequence += records.length
        if ((flags & 0x02) !== 0) published.push({ sequence: sequence - 1, end: size })
      }
    }
  }
  return { bytes: Buffer.concat(parts), asked, published }
}

/** The same with a few faults. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes)
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(mutated.length)
    switch (random.below(6)) {
      case 0:
        mutated[at]! ^= 1 << random.below(8)
        break
      case 1:
        if (at + 4 <= mutated.length) mutated.writeUInt32BE(random.pick([0, 1, 0x7fff_ffff, 0xffff_ffff, random.below(100_000)]), at)
        break
      case 2:
        mutated = mutated.subarray(0, at + 1)
        break
      case 3:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(Math.max(0, at - random.below(300)))])
        break
      case 4:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(Math.min(mutated.length, at + random.below(50)))])
        break
      default:
        mutated = Buffer.concat([mutated.subarray(0, at), Buffer.alloc(1 + random.below(20), random.below(256)), mutated.subarray(at)])
    }
  }
  return mutated
}

/** What the broker made of a conversation. */
export interface Course {
  /** RESULT, or the name of an error: the first answer to each request. */
  readonly answers: ReadonlyMap<number, string>
  /** All messages up to this one have an outcome. */
  readonly confirmedThrough: number
  /** The reason for which the broker has ended it. Undefined: it goes on. */
  readonly end: string | undefined
}

/**
 * Says it all, in pieces of so many bytes, and waits until the broker has ended it or has answered each request that can be read there, whatever has become
 * of it. Throws if there is nothing but silence.
 */
export async function converse(port: number, bytes: Buffer, pieceSize: () => number): Promise<Course> {
  const attacker = new Attacker(port, false)
  const hearing = new Hearing()
  let fault: unknown
  attacker.socket.on('data', (piece) => {
    try {
      hearing.take(piece)
    } catch (error) {
      fault = error
      attacker.end()
    }
  })
  const said = Buffer.concat([bytes, bytesOf([last])])
  const awaited = [...requestsIn(said), last.correlation]
  const hasAll = () => awaited.every((correlation) => hearing.answers.has(correlation))
  for (let at = 0; at < said.length; ) {
    const size = pieceSize()
    await attacker.send(said.subarray(at, at + size))
    at += size
  }
  const startedAt = performance.now()
  let isSilent = false
  const again = setInterval(() => {
    isSilent = performance.now() - startedAt > silenceMaxMs
    if (isSilent) attacker.end()
    else void attacker.send(bytesOf([last]))
  }, againMs)
  while (!attacker.socket.destroyed && !hasAll())
    await Promise.race([once(attacker.socket, 'data').catch(() => undefined), attacker.closed])
  clearInterval(again)
  const isClosed = attacker.socket.destroyed
  attacker.end()
  if (fault !== undefined) throw fault
  assert(!isSilent, `silence: ${hearing}`)
  return { answers: hearing.answers, confirmedThrough: hearing.confirmedThrough, end: isClosed ? hearing.reason() : undefined }
}

/** The correlation ids of all requests, up to where nothing can be read any more. */
function requestsIn(bytes: Buffer): number[] {
  const correlations: number[] = []
  const frame = (_: Uint8Array, _type: number, _flags: number, _channel: number, correlation: number) => {
    if (correlation !== 0) correlations.push(correlation)
  }
  new FrameReader({ frame }, 2 ** 30).scan(bytes, prefaceSize, bytes.length)
  return correlations
}

/** Throws unless a conversation whose first `untouched` bytes are good went like the good one, as far as these go. */
export function compare(good: Course, { asked, published }: Conversation, untouched: number, course: Course): void {
  for (const { correlation, end, isSure } of asked) {
    if (end > untouched || (!isSure && course.end !== undefined)) continue
    const answer = course.answers.get(correlation)
    assert(answer !== undefined, `request ${correlation} was good and has no answer; the end was ${course.end}`)
    if (isSure) assert.equal(answer, good.answers.get(correlation), `the answer to request ${correlation}`)
  }
  for (const { sequence, end } of published) {
    if (end <= untouched)
      assert(sequence <= course.confirmedThrough, `message ${sequence} was good and has no outcome; the end was ${course.end}`)
  }
}

/** So many bytes at the start are the same in both. */
export function commonSize(one: Uint8Array, other: Uint8Array): number {
  let size = 0
  while (size < one.length && size < other.length && one[size] === other[size]) size++
  return size
}

/** What a client hears; throws if the broker says what it may not say. */
class Hearing {
  readonly answers = new Map<number, string>()
  confirmedThrough = 0
  #bytes = Buffer.alloc(0)
  #began = false
  #last: FrameNotation | undefined
  readonly #reader = new FrameReader(
    {
      frame: (bytes, type, flags, channel, correlation, from, to) => {
        const fault = frameFault(type, flags, channel, 'server')
        assert(fault === undefined, fault?.message)
        this.#take(describeFrame(bytes, type, flags, channel, correlation, from, to))
      },
    },
    2 ** 30,
  )

  take(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    if (!this.#began) {
      if (!this.#bytes.subarray(0, prefaceSize).equals(preface)) return
      this.#began = true
      this.#bytes = this.#bytes.subarray(prefaceSize)
    }
    const used = this.#reader.scan(this.#bytes, 0, this.#bytes.length)
    assert(used >= 0, this.#reader.fault?.message)
    this.#bytes = this.#bytes.subarray(used)
  }

  /** Why the broker has ended it. Throws if it has not said that. */
  reason(): string {
    const rest = this.#bytes.toString('latin1')
    if (!this.#began) {
      if (this.#bytes.equals(refusedPreface)) return 'version'
      assert(/^[^\r\n]*Waybill port[^\r\n]*\r\n$/.test(rest), `closed, and what was said is '${rest}'`)
      return 'line'
    }
    assert.equal(rest, '', 'closed in the middle of a frame')
    if (isEnd(this.#last)) return (this.#last!.json as { name: string }).name
    const isClosed = this.#last?.type === 'RESULT' && this.#last.channel === 0 && JSON.stringify(this.#last.json) === '{}'
    assert(isClosed, `closed without a reason, behind ${JSON.stringify(this.#last)}`)
    return 'CLOSE'
  }

  toString(): string {
    return `${this.answers.size} answers, the last frame ${JSON.stringify(this.#last)}`
  }

  #take(frame: FrameNotation): void {
    const { type, correlation, json } = frame
    assert(!isEnd(this.#last), `${type} behind the error that ended the connection`)
    this.#last = frame
    if (type === 'ERROR') {
      const { code, name } = json as { code: number; name: string }
      assert.equal(code, codes.get(name), `the code of ${name}`)
    }
    if (type === 'CONFIRM') this.confirmedThrough = Math.max(this.confirmedThrough, frame.through as number)
    if (correlation === undefined || this.answers.has(correlation)) return
    this.answers.set(correlation, type === 'ERROR' ? (json as { name: string }).name : type)
  }
}

function isEnd(frame: FrameNotation | undefined): boolean {
  return frame?.type === 'ERROR' && (frame.json as { scope?: string }).scope === 'connection'
}
