/**
 * Bad input of every kind, at a broker in a process of its own: whoever is at fault is told so by name, everybody else is served
 * meanwhile, and the broker's memory stays where it was.
 */
import { limits, preface } from '@waybill/protocol'
import { hashPassword } from '@waybill/server'
import assert from 'node:assert'
import t, { type Test } from 'tap'
import { forSeeds, Random } from '../seeds.js'
import { bytesOf } from '../stage/peer.js'
import { rawPublish, rawRecord } from '../stage/records.js'
import { commonSize, compare, conversation, converse, hello, mutate, opening } from './conversation.js'
import { Attacker, besiege, checkMemory } from './siege.js'

const KiB = 1 << 10
const MiB = 1 << 20

/** One that has got in, with channel 1. */
async function insider(port: number, reads = true): Promise<Attacker> {
  const attacker = new Attacker(port)
  await attacker.send(opening)
  await attacker.hears(/creditSize/)
  if (!/creditSize/.test(attacker.text)) throw new Error(`somebody does not get in: ${attacker.text}`)
  if (!reads) {
    attacker.socket.removeAllListeners('data')
    attacker.socket.pause()
  }
  attacker.text = ''
  return attacker
}

/** Milliseconds from nothing to an open channel. */
async function timeToGetIn(port: number): Promise<number> {
  const startedAt = performance.now()
  const one = await insider(port)
  const ms = performance.now() - startedAt
  one.end()
  return ms
}

function header(size: number, type: number, flags = 0, channel = 0): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(size)
  bytes[4] = type
  bytes[5] = flags
  bytes.writeUInt16BE(channel, 6)
  return bytes
}

/** Each says its bytes, and hears why that was wrong. */
async function accuse(t: Test, attackers: readonly [what: string, attacker: Attacker, bytes: Buffer, error: RegExp][]): Promise<void> {
  await Promise.all(
    attackers.map(async ([what, attacker, bytes, error]) => {
      await attacker.send(bytes)
      await attacker.hears(error)
      t.match(attacker.text, error, what)
      attacker.end()
    }),
  )
}

t.test('bad input - garbage: a line for each, and nobody else notices', (t) =>
  besiege(t, {}, async ({ port }) => {
    const random = new Random(7)
    for (let round = 0; round < 10; round++) {
      const cases: [string, Attacker, Buffer, RegExp][] = []
      for (let i = 0; i < 50; i++) {
        const bytes = Buffer.from(Array.from({ length: 40_000 }, () => random.below(256)))
        bytes[0] = 1 + random.below(80)
        cases.push(['garbage', new Attacker(port), bytes, /Waybill port/])
      }
      await accuse(t, cases)
    }
  }),
)

t.test('bad input - lying sizes, of frames, records, names, counts, before HELLO and after it', (t) =>
  besiege(t, {}, async ({ port }) => {
    const sizes = [0, 1, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff]
    const cases: [string, Attacker, Buffer, RegExp][] = []
    for (const size of [...sizes, 16_385]) {
      cases.push([
        `${size} before HELLO`,
        new Attacker(port),
        Buffer.concat([preface, header(size, 0x10, 1)]),
        /frameMalformed|frameTooLarge/,
      ])
    }
    for (const size of [...sizes, 16_842_753])
      cases.push([`${size} after HELLO`, await insider(port), header(size, 0x01, 0, 1), /frameMalformed|frameTooLarge/])
    for (const type of [0x03, 0x06, 0x20, 0x55])
      cases.push([`type ${type} of 1 MiB + 1`, await insider(port), header(MiB + 1, type, 0, 1), /frameTooLarge/])
    cases.push(['a PUBLISH beyond the credit', await insider(port), header(1_000_000, 0x01, 0, 1), /frameTooLarge/])
    for (const count of [0, 2, 1_000, 0x7fff_ffff, 0xffff_ffff]) {
      cases.push([`count ${count}`, await insider(port), rawPublish(1, 1, [{}], 2, count), /frameMalformed/])
    }
    for (const size of [0, 11, 14, 1_000, 0x7fff_ffff, 0xffff_ffff]) {
      cases.push([`a record of ${size}`, await insider(port), rawPublish(1, 1, [{ size }]), /frameMalformed/])
    }
    const entry = Buffer.from('000000000000000100000001010000ffffffffff', 'hex')
    cases.push([
      'a reason beyond its frame',
      await insider(port),
      Buffer.concat([header(4 + entry.length, 0x03, 0, 1), entry]),
      /frameMalformed/,
    ])
    await accuse(t, cases)
  }),
)

t.test('bad input - parts of records that are larger than the record, bad UTF-8, and more: an outcome of that message alone', (t) =>
  besiege(t, {}, async ({ port }) => {
    const attacker = await insider(port)
    const wrong = [
      { format: 0 },
      { flags: 0x02 },
      { flags: 0xff },
      { key: Buffer.from([0xc0, 0x80]) },
      { exchange: Buffer.from([0xed, 0xa0, 0x80]) },
      { key: Buffer.from([0xf4, 0x90, 0x80, 0x80]) },
      { mask: 0x01, properties: Buffer.from([5, 97]) },
      { mask: 0x03, properties: Buffer.from([1, 97]) },
      { mask: 0x00, properties: Buffer.from([1, 97]) },
      { mask: 0x8000_0000 },
      { headers: Buffer.from([0]) },
      { headers: Buffer.from([1, 97, 9]) },
      { headers: Buffer.from([1, 97, 5, 255, 255, 97]) },
      { headers: Buffer.from([1, 97, 0, 1, 97, 0]) },
      { headers: Buffer.alloc(9_000, Buffer.from([1, 97, 0])) },
    ]
    let sequence = 1
    for (let round = 0; round < 20; round++) {
      await attacker.send(rawPublish(1, sequence, wrong))
      sequence += wrong.length
    }
    const truncated = rawRecord({ key: 'k', body: 'x'.repeat(20) })
    truncated[7] = 200
    const bytes = Buffer.concat([
      header(20 + truncated.length, 0x01, 2, 1),
      Buffer.from('0000000000000000' + '00000001' + '00000000', 'hex'),
      truncated,
    ])
    bytes.writeBigUInt64BE(BigInt(sequence), 8)
    await attacker.send(bytes)
    await attacker.send(bytesOf([{ type: 'DECLARE_QUEUE', channel: 1, correlation: 9, json: { queue: 'still here' } }]))
    await attacker.hears(/still here/)
    t.match(attacker.text, /still here/, 'the connection goes on')
    t.notMatch(attacker.text, /"scope":"connection"/)
    attacker.end()
  }),
)

t.test('bad input - wrong order, wrong direction, wrong place', (t) =>
  besiege(t, {}, async ({ port }) => {
    const cases: [string, Attacker, Buffer, RegExp][] = []
    for (let type = 0; type < 256; type++) {
      if (type === 0x10 || type === 0x07) continue
      cases.push([`type ${type} before HELLO`, new Attacker(port), Buffer.concat([preface, header(4, type)]), /frameUnexpected/])
    }
    for (const type of [0x02, 0x04, 0x05, 0x11, 0x12, 0x15, 0x32])
      cases.push([`type ${type} is the broker's`, await insider(port), header(4, type, 0, 1), /frameUnexpected/])
    for (const type of [0x01, 0x03, 0x06])
      cases.push([`type ${type} on channel 0`, await insider(port), header(4, type, 0, 0), /frameUnexpected/])
    cases.push(['HELLO again', await insider(port), bytesOf([hello]), /frameUnexpected/])
    cases.push(['two prefaces', await insider(port), preface as Buffer, /frameTooLarge/])
    for (let i = 0; i < cases.length; i += 50) await accuse(t, cases.slice(i, i + 50))
  }),
)

t.test('bad input - reserved names, as exchange, queue, key, header, user, virtual host and option', (t) =>
  besiege(t, {}, async ({ port }) => {
    const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__']
    const attacker = await insider(port)
    let correlation = 10
    let sequence = 1
    for (const name of names) {
      const headers = Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.of(1)])
      await attacker.send(
        bytesOf([
          { type: 'DECLARE_EXCHANGE', channel: 1, correlation: correlation++, json: { exchange: name, type: 'headers' } },
          { type: 'DECLARE_QUEUE', channel: 1, correlation: correlation++, json: { queue: name } },
          {
            type: 'BIND_QUEUE',
            channel: 1,
            correlation: correlation++,
            json: { queue: name, exchange: name, key: name, headers: JSON.parse(`{"${name}":false}`) as object },
          },
          { type: 'LIST', correlation: correlation++, json: { kind: 'bindings', prefix: name } },
        ]),
      )
      await attacker.send(rawPublish(1, sequence++, [{ exchange: name, key: name, headers }]))
      await attacker.send(
        Buffer.concat([header(8 + 21, 0x29, 1, 1), Buffer.from('0000ffff', 'hex'), Buffer.from(`{"${'__proto__'}":{"a":1}}`.padEnd(21))]),
      )
      const stranger = new Attacker(port)
      await stranger.send(
        Buffer.concat([preface, bytesOf([{ ...hello, json: { ...hello.json, vhost: name, user: name, password: name } }])]),
      )
      await stranger.hears(/authenticationFailed/)
      t.match(stranger.text, /authenticationFailed/, name)
      stranger.end()
    }
    await attacker.send(bytesOf([{ type: 'CHECK_QUEUE', channel: 1, correlation: 9_999, json: { queue: '__proto__' } }]))
    await attacker.hears(/"messageCount":1/)
    t.match(attacker.text, /"messageCount":1/)
    attacker.end()
  }),
)

t.test('bad input - a million distinct keys, and as many names of queues that are not there', (t) =>
  besiege(t, {}, async (victim, honest) => {
    const before = await victim.memory()
    const attacker = await insider(victim.port)
    await attacker.send(
      bytesOf([
        { type: 'DECLARE_EXCHANGE', channel: 1, correlation: 3, json: { exchange: 'topic', type: 'topic' } },
        { type: 'DECLARE_QUEUE', channel: 1, correlation: 4, json: { queue: 'q' } },
        { type: 'BIND_QUEUE', channel: 1, correlation: 5, json: { queue: 'q', exchange: 'topic', key: '#.never.*' } },
      ]),
    )
    await attacker.hears(/bindingCount/)
    const publisher = new CreditedPublisher(attacker)
    for (let i = 0; i < 1_000_000; i += 200) {
      const records = Array.from({ length: 200 }, (_, n) => ({ exchange: n % 2 === 0 ? 'topic' : '', key: `key.number.${i + n}` }))
      await publisher.publish(records)
      if (i % 200_000 === 0) await checkMemory(t, victim, before, `${i} keys`)
    }
    await honest.serve(5)
    attacker.end()
  }),
)

t.test('bad input - 2,000 slow sockets before HELLO: with nothing, half a preface, half a HELLO', (t) =>
  // In less time than this they all come: who goes does so because there are others, and not because its own time is up.
  besiege(t, { limits: { handshakeMs: 60_000 } }, async (victim, honest) => {
    const before = await victim.memory()
    const placeCount = limits.unauthenticatedCountMax.value
    const half = Buffer.concat([preface, header(16_384, 0x10, 1), Buffer.alloc(15_000, '{')])
    const kinds = [
      { says: Buffer.alloc(0), hears: /^This is a Waybill port/ },
      { says: preface.subarray(0, 5), hears: /^This is a Waybill port/ },
      // What it holds of a frame takes memory: there may be no more of that before there are no more places.
      { says: half, hears: /"handshakeTimeout"|"resourceExhausted"/ },
    ]
    const attackers: Attacker[] = []
    const connectMs: number[] = []
    for (let i = 0; i < 2_000; i++) {
      const attacker = new Attacker(victim.port)
      attackers.push(attacker)
      await attacker.send(kinds[i % 3]!.says)
      // From now on somebody has to go for it.
      if (i >= placeCount && i % 25 === 24) connectMs.push(await timeToGetIn(victim.port))
    }
    await checkMemory(t, victim, before, '2,000 slow sockets')

    const gone = () => attackers.filter(({ socket }) => socket.destroyed)
    for (const endsAt = performance.now() + 30_000; gone().length < 2_000 - placeCount && performance.now() < endsAt; )
      await honest.serve(1)
    const heldCount = 2_000 - gone().length
    t.ok(heldCount <= placeCount && heldCount >= placeCount - 5, `${heldCount} are held, ${placeCount} may be, ${gone().length} had to go`)
    const untold = attackers.filter(({ socket, text }, i) => socket.destroyed && !kinds[i % 3]!.hears.test(text))
    t.equal(untold.length, 0, 'each of those that had to go was told why')
    for (const [i, rest] of [opening, opening.subarray(5)].entries()) {
      const attacker = attackers[1_998 + i]!
      await attacker.send(rest)
      await attacker.hears(/creditSize/)
      t.match(attacker.text, /creditSize/, 'one of those that are held says the rest, and is in')
    }

    connectMs.sort((a, b) => a - b)
    const medianMs = connectMs[connectMs.length / 2]!
    t.ok(medianMs < 100, `somebody else gets in within ${medianMs.toFixed(1)} ms`)
    t.comment(`somebody else gets in within ${medianMs.toFixed(1)} ms, at most ${connectMs.at(-1)!.toFixed(1)} ms; ${heldCount} are held`)
    await honest.serve(20)
    for (const attacker of attackers) attacker.end()
  }),
)

t.test('bad input - 2,000 sockets that got in and hold half a frame open: requests, settlements, publishes', (t) =>
  besiege(t, {}, async (victim, honest) => {
    const before = await victim.memory()
    const attackers: Attacker[] = []
    for (let i = 0; i < 2_000; i += 50) {
      const group = await Promise.all(Array.from({ length: 50 }, () => insider(victim.port)))
      for (const [n, attacker] of group.entries()) {
        const settle = Buffer.concat([header(MiB, 0x03, 0, 1), Buffer.alloc(n % 10 === 0 ? 500 * KiB : 6_000)])
        const request = Buffer.concat([header(60_000, 0x28, 1, 1), Buffer.alloc(6_000)])
        void attacker.send(n % 2 === 0 ? settle : request)
      }
      attackers.push(...group)
    }
    await honest.serve(20)
    await checkMemory(t, victim, before, '2,000 half frames')
    t.ok(
      attackers.some(({ text }) => text.includes('resourceExhausted')),
      'those that wanted too much were told',
    )
    for (const attacker of attackers) attacker.end()
  }),
)

t.test('bad input - floods that ask and do not read the answers', (t) =>
  besiege(t, { limits: { outboxSizeMax: 256 * KiB } }, async (victim, honest) => {
    const before = await victim.memory()
    const attackers = await Promise.all(Array.from({ length: 30 }, () => insider(victim.port, false)))
    const list = { type: 'LIST', correlation: 7, json: { kind: 'connections', limit: 1_000 } }
    const check = { type: 'CHECK_QUEUE', channel: 1, correlation: 7, json: { queue: 'x'.repeat(200) } }
    const unknown = header(4, 0x55, 0, 1)
    const floods = [
      bytesOf(new Array(2_000).fill(list)),
      bytesOf(new Array(500).fill(check)),
      Buffer.concat(new Array(10_000).fill(unknown)),
    ]
    for (const [n, attacker] of attackers.entries()) {
      const flood = floods[n % floods.length]!
      for (let i = 0; i < 40; i++) if (attacker.socket.writableLength < 4 * MiB) attacker.socket.write(flood)
    }
    await honest.serve(20)
    await checkMemory(t, victim, before, 'floods')
    for (const attacker of attackers) attacker.end()
  }),
)

/** Guesses a password; whether it was refused by name. */
async function guess(port: number, user: string, password: string): Promise<boolean> {
  const attacker = new Attacker(port)
  await attacker.send(Buffer.concat([preface, bytesOf([{ ...hello, json: { ...hello.json, user, password } }])]))
  await attacker.hears(/authenticationFailed|handshakeTimeout/)
  attacker.end()
  return /authenticationFailed|handshakeTimeout/.test(attacker.text)
}

t.test('bad input - passwords are guessed by hundreds at a time: each is refused by name, and whoever is in is served', async (t) => {
  const ada = { name: 'ada', passwordHash: await hashPassword('right'), permissions: { configure: ['*'], write: ['*'], read: ['*'] } }
  await besiege(
    t,
    { users: [ada] },
    async (victim, honest) => {
      const { port } = victim
      const guesses = Array.from({ length: 300 }, (_, i) => guess(port, i % 2 === 0 ? 'ada' : `user ${i}`, `guess ${i}`))
      await honest.serve(50)
      t.ok((await Promise.all(guesses)).every(Boolean))
      // A check works in 32 MiB, and goes on when nobody waits for it any more.
      await victim.hash()
      await victim.hash()
    },
    { user: 'ada', password: 'right' },
  )
})

t.test('bad input - publishers that outrun everybody fill the budget and no more; a worker still gets its result through', (t) =>
  besiege(t, { limits: { memorySize: 24 * MiB, messageSizeMax: MiB } }, async (victim) => {
    const before = await victim.memory()
    const attacker = await insider(victim.port)
    await attacker.send(bytesOf([{ type: 'DECLARE_QUEUE', channel: 1, correlation: 3, json: { queue: 'full' } }]))
    const publisher = new CreditedPublisher(attacker)
    while (!/"blocked"/.test(attacker.text)) {
      if (!(await publisher.publish([{ key: 'full', body: Buffer.alloc(8_000) }], 2_000))) break
    }
    t.match(attacker.text, /"state":"blocked","reason":"memory"/)
    await checkMemory(t, victim, before, 'blocked')
    attacker.text = ''
    await attacker.send(bytesOf([{ type: 'PURGE_QUEUE', channel: 1, correlation: 4, json: { queue: 'full' } }]))
    await attacker.hears(/"state":"unblocked"/)
    t.match(attacker.text, /"state":"unblocked"/)
    attacker.end()
  }),
)

t.test('bad input - whole conversations, mutated: bits, sizes, cuts, repeats, splices', (t) =>
  besiege(t, { limits: { handshakeMs: 1_000, frameMs: 1_000 } }, async ({ port }, honest) => {
    const ends = new Map<string | undefined, number>()
    await forSeeds(t, 8, async (random, seed) => {
      const seeds = Array.from({ length: 50 }, () => random.below(2 ** 31))
      const talk = async (own: number, i: number) => {
        const good = conversation(new Random(own), `good ${seed} ${i}`)
        const course = await converse(port, good.bytes, () => 2 ** 16)
        assert.equal(course.end, undefined, 'a good conversation goes on')
        compare(course, good, good.bytes.length, course)

        const spoilt = conversation(new Random(own), `evil ${seed} ${i}`)
        const random = new Random(own + 1)
        const bytes = mutate(random, spoilt.bytes)
        const untouched = commonSize(bytes, spoilt.bytes)
        const pieceSize = () => (random.chance(0.3) ? 1 + random.below(10) : 1 + random.below(3_000))
        const found = await converse(port, bytes, pieceSize)
        compare(course, spoilt, untouched, found)
        ends.set(found.end, (ends.get(found.end) ?? 0) + 1)
      }
      await Promise.all(
        seeds.map((own, i) =>
          talk(own, i).catch((error: unknown) => {
            throw new Error(`conversation ${i}: ${(error as Error).message}`, { cause: error })
          }),
        ),
      )
    })
    await honest.serve(20)
    t.ok(
      ends.has(undefined) && ends.has('frameMalformed') && ends.has('frameTimeout'),
      'some went on, some were wrong, some were never whole',
    )
    t.comment(
      [...ends]
        .map(([end = 'goes on', count]) => `${end} ${count}`)
        .sort()
        .join(', '),
    )
  }),
)

/** Publishes within the credit that it hears of. */
class CreditedPublisher {
  readonly #attacker: Attacker
  #sequence = 1
  #size = 0
  #creditSequence = 256
  #creditSize = 65_536
  #bytes = Buffer.alloc(0)

  constructor(attacker: Attacker) {
    this.#attacker = attacker
    attacker.socket.on('data', (bytes) => this.#read(bytes))
  }

  /** False when there is no credit for so long. */
  async publish(records: readonly Parameters<typeof rawRecord>[0][], waitMs = 30_000): Promise<boolean> {
    const frame = rawPublish(1, this.#sequence, records, 0)
    const size = frame.length - 24
    const isCovered = () => this.#size + size <= this.#creditSize && this.#sequence + records.length - 1 <= this.#creditSequence
    if (!isCovered()) {
      await this.#attacker.send(bytesOf([{ type: 'WINDOW', channel: 1, consumer: 0, messageCount: 0, size }]))
      const endsAt = performance.now() + waitMs
      while (!isCovered() && performance.now() < endsAt && !this.#attacker.socket.destroyed)
        await new Promise((resolve) => setImmediate(resolve))
      if (!isCovered()) return false
    }
    this.#sequence += records.length
    this.#size += size
    await this.#attacker.send(frame)
    return true
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    while (this.#bytes.length >= 8 && this.#bytes.length >= 4 + this.#bytes.readUInt32BE(0)) {
      const size = 4 + this.#bytes.readUInt32BE(0)
      const at = this.#bytes[4] === 0x05 ? 8 : this.#bytes[4] === 0x04 ? 16 : -1
      if (at > 0) {
        this.#creditSequence = Number(this.#bytes.readBigUInt64BE(at))
        this.#creditSize = Number(this.#bytes.readBigUInt64BE(at + 8))
      }
      this.#bytes = this.#bytes.subarray(size)
    }
  }
}
