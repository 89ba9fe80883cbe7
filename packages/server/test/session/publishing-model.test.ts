/**
 * Publishing, whose records are judged together and compared with their neighbours, against one that takes each record by itself: the same fate for each
 * message, the same messages in the queues, in the same order.
 */
import { checkRecord, ErrorCode, readRecord } from '@waybill/protocol'
import t from 'tap'
import { forSeeds, type Random } from '../seeds.js'
import type { Peer } from '../stage/peer.js'
import { rawPublish, rawRecord, type RawRecord } from '../stage/records.js'
import { Stage } from '../stage/stage.js'

const Flag = { confirm: 0x02, mandatory: 0x04, atomic: 0x08 }
const messageSizeMax = 20_000

/** One message by itself: where it goes, or why it does not. */
function decide(record: Buffer, flags: number, credit: { left: number; count: number }): readonly string[] | number {
  if (record.length > messageSizeMax) return ErrorCode.messageTooLarge.code
  if (credit.count <= 0 || record.length > credit.left) return ErrorCode.creditExceeded.code
  const fault = checkRecord(record, 0, record.length)
  if (fault !== 0) return fault
  const { exchange, routingKey, headers } = readRecord(record, 0)
  const queues = route(exchange, routingKey, headers)
  if (typeof queues === 'number') return queues
  return queues.length === 0 && (flags & Flag.mandatory) !== 0 ? ErrorCode.unroutable.code : queues
}

/** The topology of `declare`, in plain words. */
function route(exchange: string, key: string, headers: Readonly<Record<string, unknown>>): readonly string[] | number {
  switch (exchange) {
    case '':
      return ['a', 'b', 'c'].includes(key) ? [key] : []
    case 'fan':
      return ['a', 'b', 'c']
    case 'topic':
      return key.split('.').at(-1) === 'x' ? ['a'] : ['c']
    case 'headers':
      return headers.colour === 'red' ? ['b'] : []
    case 'inside':
      return ErrorCode.forbidden.code
    default:
      return ErrorCode.notFound.code
  }
}

function declare(peer: Peer): void {
  for (const queue of ['a', 'b', 'c']) peer.request('DECLARE_QUEUE', 1, { queue })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'fan', type: 'fanout' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'rest', type: 'fanout' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'topic', type: 'topic', alternate: 'rest' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'headers', type: 'headers' })
  peer.request('DECLARE_EXCHANGE', 1, { exchange: 'inside', type: 'fanout', internal: true })
  for (const queue of ['a', 'b', 'c']) peer.request('BIND_QUEUE', 1, { queue, exchange: 'fan' })
  peer.request('BIND_QUEUE', 1, { queue: 'c', exchange: 'rest' })
  peer.request('BIND_QUEUE', 1, { queue: 'a', exchange: 'topic', key: '#.x' })
  peer.request('BIND_QUEUE', 1, { queue: 'b', exchange: 'headers', headers: { colour: 'red' } })
}

function header(name: string, value: string): Buffer {
  const size = Buffer.alloc(2)
  size.writeUInt16BE(value.length)
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.of(5), size, Buffer.from(value)])
}

let bodies = 0

function randomRecord(random: Random): RawRecord {
  const body = Buffer.from(`${bodies++} ${'.'.repeat(random.chance(0.02) ? messageSizeMax : random.below(200))}`)
  const good = (): RawRecord => ({
    exchange: random.pick(['', '', 'fan', 'topic', 'headers', 'inside', 'missing']),
    key: random.pick(['a', 'b', 'c', 'nobody', 'p.x', 'p.y', '', 'é.x']),
    flags: random.below(2),
    body,
  })
  switch (random.below(14)) {
    case 0:
      return { ...good(), flags: 4 }
    case 1:
      return { ...good(), key: Buffer.of(0xff) }
    case 2:
      return { ...good(), mask: 1, properties: Buffer.from([1, 97]) }
    case 3:
      return { ...good(), mask: 1 << random.below(16), properties: Buffer.from([1, 97]) }
    case 4:
      return { ...good(), headers: header('colour', random.pick(['red', 'blue'])) }
    case 5:
      return { ...good(), headers: Buffer.from([3, 1, 2]) }
    default:
      return good()
  }
}

/** Runs of records that are alike but for their bodies, as most are. */
function randomFrame(random: Random): RawRecord[] {
  const records: RawRecord[] = []
  while (records.length < 1 + random.below(40)) {
    const record = randomRecord(random)
    for (let count = random.chance(0.5) ? 1 + random.below(20) : 1; count > 0; count--)
      records.push({ ...record, body: Buffer.from(`${bodies++} ${'.'.repeat(random.below(60))}`) })
    if (random.chance(0.05)) records.push(record)
  }
  return records
}

function play(random: Random): void {
  const stage = new Stage({ limits: { messageSizeMax } })
  const peer = stage.connect().open()
  declare(peer)
  const expected = new Map<string, string[]>([
    ['a', []],
    ['b', []],
    ['c', []],
  ])
  let sequence = 1
  let publishedSize = 0
  let credit = { sequence: 256, size: 65_536 }
  for (let round = 0; round < 40; round++) {
    const records = randomFrame(random)
    const flags = random.below(8) << 1
    const bytes = records.map(rawRecord)
    const fates: (readonly string[] | number)[] = []
    for (const record of bytes) {
      fates.push(decide(record, flags, { left: credit.size - publishedSize, count: credit.sequence - (sequence + fates.length) + 1 }))
      publishedSize += record.length
    }
    const first = fates.find((fate) => typeof fate === 'number')
    const isAtomic = (flags & Flag.atomic) !== 0 && first !== undefined
    const told = new Map<number, string>()
    peer.send(rawPublish(1, sequence, records, flags))
    for (const frame of peer.heardAll()) {
      if (frame.type === 'ERROR') throw new Error(JSON.stringify(frame.json))
      if (frame.type === 'CONFIRM' || frame.type === 'CREDIT')
        credit = { sequence: frame.creditSequence as number, size: frame.creditSize as number }
      if (frame.type !== 'CONFIRM') continue
      for (const { firstSequence, count, queueCount } of frame.runs as { firstSequence: number; count: number; queueCount: number }[]) {
        for (let i = 0; i < count; i++) told.set(firstSequence + i, `${queueCount} queues`)
      }
      for (const { sequence, code } of frame.exceptions as { sequence: number; code: number }[])
        told.set(sequence, isAtomic ? 'refused' : `refused ${code}`)
    }
    for (const [i, fate] of fates.entries()) {
      const isRefused = isAtomic || typeof fate === 'number'
      const confirmed = (flags & Flag.confirm) === 0 ? undefined : `${(fate as readonly string[]).length} queues`
      const words = isRefused ? (isAtomic ? 'refused' : `refused ${fate as number}`) : confirmed
      if (told.get(sequence + i) !== words) throw new Error(`message ${sequence + i} is ${told.get(sequence + i)}, not ${words}`)
      if (isRefused) continue
      const body = Buffer.from(records[i]!.body!).toString()
      for (const queue of fate as readonly string[]) expected.get(queue)!.push(body)
    }
    sequence += records.length
    stage.turn.invariants()
  }
  const reader = stage.connect().open()
  for (const [queue, bodies] of expected) {
    const consumer = 1 + queue.charCodeAt(0)
    reader.say({
      type: 'CONSUME',
      channel: 1,
      correlation: 500 + consumer,
      json: { consumer, queue, prefetch: 4_000_000_000, prefetchSize: 4_000_000_000 },
    })
    const delivered = reader.delivered()
    if (delivered.join('\n') !== bodies.join('\n'))
      throw new Error(`queue ${queue} has ${delivered.length} messages, not ${bodies.length}, or others`)
  }
}

t.test('publishing - the fate of every message is what it would be by itself, and queues hold what was taken, in order', (t) =>
  forSeeds(t, 60, play),
)
