/** A bad byte anywhere in the data of a broker, 4 KiB of zeroes, a file that ends too early, and what its consumers see of it after a restart. */
import { crc32 } from 'node:zlib'
import t, { type Test } from 'tap'
import type { SimDisk } from '../../dist/sim/disk.js'
import { DiskStage } from '../stage/disk-stage.js'
import type { Peer } from '../stage/peer.js'

const KiB = 1024
const queues = ['left', 'right', 'other']
/** Messages in a frame, which is in one block. */
const frameCount = 20

/** A body that says which message it is, and whether it is whole. */
function bodyOf(serial: number): string {
  const text = `${serial} ${'.'.repeat(40 + (serial % 90))}`
  return `${text} ${crc32(text).toString(16)}`
}

function serialOf(body: string): number {
  const at = body.lastIndexOf(' ')
  return crc32(body.slice(0, at)).toString(16) === body.slice(at + 1) ? Number(body.split(' ', 1)[0]) : Number.NaN
}

function publish(peer: Peer, exchange: string, routingKey: string, first: number): void {
  const records = Array.from({ length: frameCount }, (_, i) => ({ exchange, routingKey, persistent: true, text: bodyOf(first + i) }))
  peer.say({ type: 'PUBLISH', channel: 1, flags: [], firstSequence: peer.nextSequence(1, frameCount), records })
}

interface Sample {
  readonly disk: SimDisk
  /** By queue what is to be delivered, in its order. */
  readonly left: ReadonlyMap<string, readonly number[]>
}

/** A broker that was killed: a snapshot, messages before and behind it, some of which are settled. */
async function makeSample(): Promise<Sample> {
  const stage = await DiskStage.open({ segmentSize: 48 * 1024 })
  const peer = stage.connect().open()
  const ask = (type: string, json: object) => {
    peer.say({ type, channel: 1, correlation: 1, json })
    stage.pass(5)
    peer.heard()
  }
  ask('DECLARE_EXCHANGE', { exchange: 'both', type: 'fanout', durable: true })
  for (const queue of queues) ask('DECLARE_QUEUE', { queue, durable: true })
  for (const queue of ['left', 'right']) ask('BIND_QUEUE', { queue, exchange: 'both' })
  const left = new Map<string, number[]>(queues.map((queue) => [queue, []]))
  let serial = 0
  const publishSome = (frames: number) => {
    for (let i = 0; i < frames; i++, serial += frameCount) {
      const isBoth = i % 3 > 0
      publish(peer, isBoth ? 'both' : '', isBoth ? '' : 'other', serial)
      for (const queue of isBoth ? ['left', 'right'] : ['other']) {
        for (let k = 0; k < frameCount; k++) left.get(queue)!.push(serial + k)
      }
      stage.pass(2)
    }
  }
  publishSome(40)
  ask('CONSUME', { consumer: 1, queue: 'left', prefetch: 150 })
  peer.settle(1, 1, 70)
  peer.settle(1, 100, 20)
  stage.pass(5)
  stage.turn.snapshots!.ask(() => undefined)
  stage.pass(50)
  publishSome(20)
  peer.settle(1, 71, 10)
  stage.pass(200)
  left.get('left')!.splice(99, 20)
  left.get('left')!.splice(0, 80)
  return { disk: stage.disk.kill(), left }
}

function counts(peer: Peer, queue: string): { restoredCount: number; lostCount: number } {
  const { items } = peer.request('LIST', 0, { kind: 'queues', prefix: queue }) as { items: [{ restoredCount: number; lostCount: number }] }
  return items[0]
}

/** What each queue delivers, by serial number, and what the broker has told of its data. */
async function delivered(disk: SimDisk): Promise<{ serials: Map<string, number[]>; told: string[] }> {
  const stage = await DiskStage.open({ segmentSize: 48 * 1024 }, disk)
  const serials = new Map<string, number[]>()
  for (const queue of queues) {
    const peer = stage.connect().open()
    peer.say({ type: 'CONSUME', channel: 1, correlation: 9, json: { consumer: 1, queue, prefetch: 65_535 } })
    stage.pass(50)
    const frames = peer.heard().filter(({ type }) => type === 'DELIVER')
    const bodies = frames.flatMap(({ records }) => (records as { body: string }[]).map(({ body }) => Buffer.from(body, 'hex').toString()))
    serials.set(queue, bodies.map(serialOf))
    const found = counts(peer, queue)
    if (found.restoredCount !== bodies.length + found.lostCount)
      throw new Error(`${queue} began with ${found.restoredCount}, delivered ${bodies.length} and lost ${found.lostCount}`)
  }
  const told = stage.log.filter(({ event }) => event === 'data-damaged' || event === 'data-torn-tail')
  return { serials, told: told.map((entry) => JSON.stringify(entry)) }
}

/** What somebody may find wrong who compares what is delivered of damaged data with what is to be delivered. */
interface Look {
  /** Messages that no queue delivers any more, counted once. */
  readonly lostCount: number
  readonly told: readonly string[]
}

/**
 * What consumers see of `rotten`. Fails if a message is wrong, comes twice or out of order, or if one is missed, or comes back that was settled, and the file
 * is not named for it.
 */
async function look(t: Test, rotten: SimDisk, left: Sample['left'], name: string, place: string): Promise<Look> {
  const { serials, told } = await delivered(rotten).catch((error: unknown) => {
    throw new Error(`${place}: ${(error as Error).message}`, { cause: error })
  })
  const isNamed = told.some((line) => line.includes(name))
  const lost = new Set<number>()
  for (const queue of queues) {
    const expected = left.get(queue)!
    const found = serials.get(queue)!
    for (const [i, serial] of found.entries()) {
      if (Number.isNaN(serial)) t.fail(`${place}: a wrong message in ${queue}`)
      else if (i > 0 && serial <= found[i - 1]!) t.fail(`${place}: ${serial} again, or out of order, in ${queue}`)
      else if (!expected.includes(serial) && !isNamed) t.fail(`${place}: ${serial} was settled, and nothing tells of it: ${told.join(' ')}`)
    }
    const there = new Set(found)
    for (const serial of expected) if (!there.has(serial)) lost.add(serial)
  }
  if (lost.size > 0 && !isNamed) t.fail(`${place}: ${lost.size} messages are missed, and nothing tells of it: ${told.join(' ')}`)
  return { lostCount: lost.size, told }
}

t.test('rot - whatever byte is bad: no message is wrong or invented, and none is missed that is not told of', async (t) => {
  const { disk, left } = await makeSample()
  const whole = await delivered(disk.copy())
  t.same([...whole.serials], [...left])
  t.same(whole.told, [])

  let tries = 0
  let toldCount = 0
  for (const name of disk.list()) {
    const { length } = disk.bytes(name)
    for (let offset = 0; offset < length; offset += name.endsWith('.log') ? 4_096 : Math.max(1, Math.ceil(length / 12))) {
      const rotten = disk.copy()
      rotten.flip(name, offset, tries++ % 8)
      const place = `${name} offset ${offset}`
      const { lostCount, told } = await look(t, rotten, left, name, place)
      if (told.length > 0) toldCount++
      if (lostCount > frameCount)
        t.fail(`${place}: ${lostCount} messages are missed, more than were in a block; told was ${told.join(' ')}`)
    }
  }
  t.comment(`${tries} bytes, ${toldCount} told`)
  t.ok(toldCount > 10)
})

/** Where a file is damaged: more often than each 64 KiB, as all is smaller here than it is in life, and at places that are no boundary of anything. */
function placesIn(length: number): number[] {
  const places = [0, 1, 511, 4_095, 5_000, length - 4_096, length - 513, length - 1]
  for (let offset = 8 * KiB; offset < length; offset += 8 * KiB) places.push(offset, offset + 777)
  return [...new Set(places)].filter((place) => place >= 0 && place < length)
}

/** 4 KiB are nothing any more. False: they were nothing before. */
function zero(disk: SimDisk, name: string, offset: number): boolean {
  const bytes = disk.bytes(name).subarray(offset, offset + 4 * KiB)
  if (bytes.every((byte) => byte === 0)) return false
  const file = disk.open(name)
  file.write([Buffer.alloc(bytes.length)], offset)
  file.close()
  return true
}

/** The file ends at `length`. */
function cut(disk: SimDisk, name: string, length: number): void {
  const bytes = Buffer.from(disk.bytes(name).subarray(0, length))
  disk.remove(name)
  const file = disk.open(name)
  file.write([bytes], 0)
  file.close()
}

t.test('rot - 4 KiB of zeroes, or an end before its time, anywhere in any file: told by the name of the file, or harmless', async (t) => {
  const { disk, left } = await makeSample()
  const seen = { segment: 0, snapshot: 0, waybill: 0 }
  let tries = 0
  for (const name of disk.list()) {
    const kind = /^[a-z]+/.exec(name)![0] as keyof typeof seen
    for (const offset of placesIn(disk.bytes(name).length)) {
      const zeroed = disk.copy()
      if (zero(zeroed, name, offset)) {
        tries++
        const { lostCount, told } = await look(t, zeroed, left, name, `${name} offset ${offset} zeroed`)
        if (told.length > 0) seen[kind]++
        if (lostCount > 5 * frameCount)
          t.fail(`${name} offset ${offset} zeroed: ${lostCount} messages are missed, more than were there: ${told.join(' ')}`)
      }
      const short = disk.copy()
      cut(short, name, offset)
      tries++
      const { told } = await look(t, short, left, name, `${name} cut at ${offset}`)
      if (told.length > 0) seen[kind]++
    }
  }
  t.comment(`${tries} damages, told: ${JSON.stringify(seen)}`)
  t.ok(seen.segment > 10 && seen.snapshot > 4 && seen.waybill > 4, 'all kinds of files are told of')
})
