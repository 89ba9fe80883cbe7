import { Outcome } from '@waybill/protocol'
import assert from 'node:assert'
import t from 'tap'
import { pageSize } from '../../dist/broker/queues/page.js'
import type { Queue } from '../../dist/broker/queues/queue.js'
import type { Delivery } from '../broker/recorder.js'
import { forSeeds } from '../seeds.js'
import { PagedRecorder } from './paged-recorder.js'

/** What the evictor rests after a look that was in vain. */
const turnMs = 10
const wide = { prefetch: 1_000_000, prefetchSize: 2 ** 40 }

/** Publishes messages whose bodies are their numbers, with something behind them; a turn for every `turnCount`. Returns what was delivered meanwhile. */
function publish(recorder: PagedRecorder, queue: string, from: number, to: number, bodySize = 8, turnCount = 500): Delivery[] {
  const delivered: Delivery[] = []
  for (let i = from; i < to; i++) {
    recorder.publish('', queue, `${i} `.padEnd(bodySize, '.'), undefined, true)
    if ((i + 1) % turnCount === 0) delivered.push(...recorder.turn(turnMs))
  }
  delivered.push(...recorder.turn(turnMs))
  return delivered
}

function numbers(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(({ body }) => Number.parseInt(body, 10))
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

/** Consumes all that there is, each delivery settled before the next turn. */
function drain(recorder: PagedRecorder, queue: string, prefetch = 1_000): Delivery[] {
  const consumer = recorder.consume(queue, { prefetch, prefetchSize: 2 ** 40 })
  const all: Delivery[] = []
  for (;;) {
    const some = recorder.turn(turnMs)
    if (some.length === 0) break
    all.push(...some)
    for (const delivery of some) recorder.settle(delivery, Outcome.ack)
  }
  recorder.broker.cancel(consumer)
  return all
}

/** Everything that came is somewhere. */
function sumsAgree({ readyCount, unsettledCount, delayedCount, counters }: Queue): void {
  const { published, restored, acked, rejected, purged, lost } = counters
  assert.equal(readyCount + unsettledCount + delayedCount + acked + rejected + purged + lost, published + restored)
}

t.test('pager - what has left memory is delivered in its order, once, as if it had never left', async (t) => {
  const recorder = new PagedRecorder()
  const queue = recorder.queue('q')
  publish(recorder, 'q', 0, 10_000)
  t.equal(recorder.chill('q'), 10)
  t.match(queue, { readyCount: 10_000, liveCount: 10_000, coldCount: 10 })
  t.equal(recorder.broker.slabs.usedSize, 2 ** 20, 'one slab is left, the one that is being filled')
  const all = drain(recorder, 'q')
  t.same(numbers(all), range(0, 10_000))
  t.notOk(all.some(({ redelivered, deliveryCount }) => redelivered || deliveryCount !== 1))
  t.match(queue, { readyCount: 0, liveCount: 0, coldCount: 0, readySize: 0, liveSize: 0 })
  sumsAgree(queue)
})

t.test('pager - after a restart everything is cold, and redelivered when it comes', async (t) => {
  const before = new PagedRecorder()
  before.queue('q')
  publish(before, 'q', 0, 5_000)
  const recorder = await before.restarted()
  const queue = recorder.host.queue('q')!
  t.match(queue, { readyCount: 5_000, coldCount: 5 })
  publish(recorder, 'q', 5_000, 6_000)
  const all = drain(recorder, 'q')
  t.same(numbers(all), range(0, 6_000))
  t.ok(all.every(({ redelivered }, i) => redelivered === i < 5_000))
  t.equal(new Set(all.map(({ id }) => id)).size, 6_000, 'no id is given twice')
  sumsAgree(queue)
})

t.test('pager - a page that is back and not consumed may leave again, and keeps what it says of its messages', async (t) => {
  const before = new PagedRecorder()
  before.queue('q')
  publish(before, 'q', 0, 3_000)
  const recorder = await before.restarted()
  const [first] = drainSome(recorder, 1)
  t.match(first, { redelivered: true, deliveryCount: 1 })
  const { coldCount } = recorder.host.queue('q')!
  t.ok(coldCount < 3, 'something is warm')
  t.ok(recorder.chill('q') > 0)
  recorder.settle(first!, Outcome.requeue)
  const all = drain(recorder, 'q')
  t.same(numbers(all), range(0, 3_000))
  t.ok(all.every(({ redelivered, deliveryCount }, i) => redelivered && deliveryCount === (i === 0 ? 2 : 1)))
})

function drainSome(recorder: PagedRecorder, prefetch: number): Delivery[] {
  const consumer = recorder.consume('q', { prefetch })
  const some = recorder.turn()
  recorder.broker.cancel(consumer)
  return some
}

t.test('pager - a durable backlog of any length stays within its memory, on its way in and out, and publishers never wait', async (t) => {
  const memorySize = 4 * 2 ** 20
  const recorder = new PagedRecorder({ memorySize })
  const queue = recorder.queue('q')
  publish(recorder, 'q', 0, 100_000, 100)
  t.ok(queue.liveSize > 2.5 * memorySize)
  t.ok(recorder.mostUsed <= memorySize * 0.75, `${recorder.mostUsed} bytes of ${memorySize}`)
  recorder.mostUsed = 0
  const all = drain(recorder, 'q')
  t.ok(recorder.mostUsed <= memorySize * 0.75, `${recorder.mostUsed} bytes of ${memorySize}`)
  t.same(numbers(all), range(0, 100_000))
  t.ok(recorder.log.readSize < 2 * recorder.journal.appendedSize, 'a block is read once, or twice')
  sumsAgree(queue)
})

t.test('pager - the same while it is published to and consumed, by two queues at once', async (t) => {
  const memorySize = 4 * 2 ** 20
  const recorder = new PagedRecorder({ memorySize })
  const queues = ['a', 'b']
  for (const name of queues) recorder.queue(name)
  for (let i = 0; i < 30_000; i += 500) for (const name of queues) publish(recorder, name, i, i + 500, 200)
  for (const [id, name] of queues.entries()) recorder.consume(name, { id: id + 1, prefetch: 300, prefetchSize: 2 ** 40 })
  const got: Delivery[][] = [[], []]
  let next = 30_000
  do {
    if (next < 40_000)
      for (const name of queues) for (let i = 0; i < 250; i++) recorder.publish('', name, `${next + i} `.padEnd(200), undefined, true)
    next += 250
    for (const delivery of recorder.turn(turnMs)) {
      got[delivery.consumer.id - 1]!.push(delivery)
      recorder.settle(delivery, Outcome.ack)
    }
  } while (next < 40_000 || queues.some((name) => recorder.host.queue(name)!.liveCount > 0))
  for (const of of got) t.same(numbers(of), range(0, 40_000))
  t.ok(recorder.mostUsed <= memorySize, `${recorder.mostUsed} bytes of ${memorySize}`)
})

t.test('pager - what is not kept, not synced, or has been given to somebody stays in memory', async (t) => {
  const recorder = new PagedRecorder()
  recorder.queue('q')
  for (let i = 0; i < 2 * pageSize; i++) recorder.publish('', 'q', String(i), undefined, i < pageSize)
  t.equal(recorder.host.queue('q')!.chill(10, 10, 0), 0, 'nothing is written yet')
  t.equal(recorder.chill('q'), 1, 'the page of those that are kept')
  recorder.turn()
  const queue = recorder.queue('r')
  publish(recorder, 'r', 0, 2 * pageSize)
  recorder.consume('r', { prefetch: 10 })
  const [first, second] = recorder.turn()
  recorder.settle(first!, Outcome.requeue)
  recorder.broker.cancel(first!.consumer)
  recorder.settle(second!, Outcome.retry, 1_000)
  recorder.turn()
  t.equal(recorder.chill('r'), 1, 'the page in which nobody has touched anything')
  t.equal(queue.coldCount, 1)
})

t.test('pager - a page with gaps comes back with each message in its place', async (t) => {
  const recorder = new PagedRecorder()
  recorder.queue('q')
  publish(recorder, 'q', 0, 900)
  const consumer = recorder.consume('q', { prefetch: 300 })
  const taken = recorder.turn()
  recorder.broker.cancel(consumer)
  for (const delivery of taken) recorder.settle(delivery, Outcome.ack)
  t.equal(recorder.chill('q'), 1)
  const [next] = drainSome(recorder, 1)
  t.match(next, { body: '300 ....', place: 300 })
  recorder.settle(next!, Outcome.requeue)
  t.same(numbers(drain(recorder, 'q')), range(300, 900))
})

t.test('pager - a GET that does not wait gets a message that is not in memory', async (t) => {
  const recorder = new PagedRecorder()
  const queue = recorder.queue('q')
  publish(recorder, 'q', 0, 100)
  recorder.chill('q')
  recorder.consume('q', { id: 5, once: true, prefetch: 1, prefetchSize: 1 })
  recorder.deliveries = []
  recorder.handOut(queue)
  t.same(numbers(recorder.deliveries), [0])
  t.same(recorder.gets, ['5 true'])
})

t.test('pager - queues whose messages lie among one another are read together', async (t) => {
  const recorder = new PagedRecorder({ memorySize: 256 * 2 ** 20 })
  const names = range(0, 20).map((i) => `q${i}`)
  for (const name of names) recorder.queue(name)
  for (let i = 0; i < 1_000; i++) {
    for (const name of names) recorder.publish('', name, `${i} `.padEnd(200), undefined, true)
    if (i % 50 === 0) recorder.turn()
  }
  recorder.turn()
  for (const name of names) t.ok(recorder.chill(name) > 0)
  for (const [id, name] of names.entries()) recorder.consume(name, { id: id + 1, ...wide })
  const got = recorder.turn()
  for (const [id] of names.entries()) t.same(numbers(got.filter(({ consumer }) => consumer.id === id + 1)), range(0, 1_000))
  t.ok(recorder.log.readSize < 2 * recorder.journal.appendedSize, `${recorder.log.readSize} bytes read of ${recorder.journal.appendedSize}`)
})

t.test('pager - what was written, and left memory, while the end of the log was read is not missed there', async (t) => {
  const recorder = new PagedRecorder()
  recorder.queue('a')
  const late = recorder.queue('b')
  publish(recorder, 'a', 0, 100)
  recorder.chill('a')
  recorder.consume('a', { id: 1, ...wide })
  recorder.broker.dispatch()
  t.equal(recorder.pager.readCount, 0, 'what was read to the end of the log has not arrived')
  for (let i = 0; i < 100; i++) recorder.publish('', 'b', `${i}`, undefined, true)
  t.equal(recorder.chill('b'), 1)
  recorder.consume('b', { id: 2, ...wide })
  const got = recorder.turn()
  for (const id of [1, 2]) t.same(numbers(got.filter(({ consumer }) => consumer.id === id)), range(0, 100))
  t.equal(late.counters.lost, 0)
  t.same(recorder.reports, [])
})

t.test('pager - a fan-out is kept once and comes back to each queue', async (t) => {
  const recorder = new PagedRecorder()
  const names = ['a', 'b', 'c']
  const exchange = recorder.host.addExchange('all', {
    type: 'fanout',
    durable: true,
    autoDelete: false,
    internal: false,
    alternate: undefined,
  })
  for (const name of names) recorder.host.bind(exchange, { key: '', headers: undefined, match: undefined, target: recorder.queue(name) })
  for (let i = 0; i < 3_000; i++) recorder.publish('all', '', `${i}`, undefined, true)
  recorder.turn()
  for (const name of names) recorder.chill(name)
  for (const name of names) t.same(numbers(drain(recorder, name)), range(0, 3_000))
})

t.test('pager - large messages make small pages', async (t) => {
  const recorder = new PagedRecorder({ memorySize: 32 * 2 ** 20 })
  recorder.queue('q')
  publish(recorder, 'q', 0, 300, 200_000, 10)
  t.ok(recorder.mostUsed <= 32 * 2 ** 20, `${recorder.mostUsed} bytes`)
  recorder.mostUsed = 0
  const all = drain(recorder, 'q', 10)
  t.same(numbers(all), range(0, 300))
  t.ok(recorder.mostUsed <= 32 * 2 ** 20, `${recorder.mostUsed} bytes`)
})

t.test('pager - purging and deleting read nothing, and leave nothing to a restart', async (t) => {
  const recorder = new PagedRecorder()
  const queue = recorder.queue('q')
  recorder.queue('r')
  for (const name of ['q', 'r']) {
    publish(recorder, name, 0, 3_500)
    recorder.chill(name)
    publish(recorder, name, 3_500, 4_000)
  }
  t.equal(queue.purge(), 4_000)
  t.match(queue, { readyCount: 0, liveCount: 0, readySize: 0, liveSize: 0, coldCount: 0 })
  sumsAgree(queue)
  t.equal(recorder.broker.dropQueue(recorder.host.queue('r')!), 4_000)
  recorder.turn()
  t.equal(recorder.pager.readCount, 0)
  const next = await recorder.restarted()
  t.match(next.host.queue('q'), { readyCount: 0 })
  t.equal(next.host.queue('r'), undefined)
})

t.test('pager - a page that is purged, or whose queue goes, while it is read is not missed', async (t) => {
  for (const ends of ['purge', 'delete'] as const) {
    const recorder = new PagedRecorder()
    const queue = recorder.queue('q')
    publish(recorder, 'q', 0, 3_000)
    recorder.chill('q')
    recorder.consume('q', wide)
    recorder.broker.dispatch()
    t.ok(queue.isReading)
    if (ends === 'purge') t.equal(queue.purge(), 3_000)
    else recorder.broker.dropQueue(queue)
    t.same(recorder.turn(), [])
    t.notOk(queue.isReading)
    t.same(recorder.reports, [])
    if (ends === 'delete') continue
    recorder.publish('', 'q', '7', undefined, true)
    t.same(numbers(recorder.turn()), [7])
  }
})

t.test('pager - messages that the log has no more are named and counted, the others go on', async (t) => {
  const recorder = new PagedRecorder()
  const queue = recorder.queue('q')
  publish(recorder, 'q', 0, 5_000, 200, 100)
  recorder.chill('q')
  recorder.log.bad.add(20)
  const all = numbers(drain(recorder, 'q'))
  const missing = range(0, 5_000).filter((i) => !all.includes(i))
  t.equal(missing.length, 100)
  t.same(missing, range(missing[0]!, missing[0]! + 100), 'those of the block that cannot be read')
  t.same(
    all,
    [...all].sort((a, b) => a - b),
  )
  t.match(queue, { readyCount: 0, liveCount: 0, readySize: 0, liveSize: 0 })
  t.equal(queue.counters.lost, 100)
  sumsAgree(queue)
  t.ok(recorder.reports.some(({ event, fields }) => event === 'data-damaged' && fields.queue === 'q' && fields.messageCount === 100))
})

t.test('pager - what has been written again elsewhere is found there', async (t) => {
  const recorder = new PagedRecorder()
  const queue = recorder.queue('q')
  publish(recorder, 'q', 0, 3_000, 50, 100)
  recorder.chill('q')
  const { log, moved } = recorder
  // The blocks with messages 1,000 to 1,199 are copied to the end, as moved, the second before the first; then the first ones go.
  for (const at of [13, 12]) {
    const bytes = Buffer.from(log.appended[at - 1]!.bytes)
    const run = bytes.indexOf(Buffer.from([2, 0, 0, 0]))
    bytes[run + 1] = 1
    const first = Number(bytes.readBigUInt64BE(run + 8))
    moved.add(first, first + bytes.readUInt32BE(run + 20) - 1, log.append([bytes], 'sync'))
    log.bad.add(at)
  }
  log.sync()
  const all = drain(recorder, 'q')
  t.same(numbers(all), range(0, 3_000))
  t.equal(queue.counters.lost, 0)
})

t.test('pager - random leaving, coming back, restarting and settling never loses, repeats or mixes up anything', async (t) => {
  await forSeeds(t, 15, async (random) => {
    let recorder = new PagedRecorder({ memorySize: 4 * 2 ** 20 })
    recorder.queue('q')
    let next = 0
    /** Numbers that are not settled; those that have been delivered before. */
    const there = new Set<number>()
    const seen = new Set<number>()
    /** Those that a restart ends. */
    const fleeting = new Set<number>()
    let held: Delivery[] = []
    let consumer = recorder.consume('q', { prefetch: 50 })
    for (let step = 0; step < 80; step++) {
      const got: Delivery[] = []
      const dice = random.below(10)
      if (dice < 4) {
        const count = 1 + random.below(1_000)
        const bodySize = random.pick([8, 8, 300])
        for (const end = next + count; next < end; next++) {
          const isKept = !random.chance(0.01)
          recorder.publish('', 'q', `${next} `.padEnd(bodySize), undefined, isKept)
          there.add(next)
          if (!isKept) fleeting.add(next)
          if (random.chance(0.003)) got.push(...recorder.turn(turnMs))
        }
      } else if (dice < 6) recorder.chill('q')
      else if (dice < 9) {
        for (const delivery of held.splice(0, random.below(held.length + 1))) {
          const outcome = random.pick([Outcome.ack, Outcome.ack, Outcome.requeue])
          recorder.settle(delivery, outcome)
          if (outcome === Outcome.ack) there.delete(Number.parseInt(delivery.body, 10))
        }
      } else if (random.chance(0.3)) {
        recorder = await recorder.restarted({ memorySize: 4 * 2 ** 20 })
        for (let i = 0; i < next; i++) seen.add(i)
        for (const number of fleeting) there.delete(number)
        held = []
        consumer = recorder.consume('q', { prefetch: 50 })
      } else {
        recorder.broker.cancel(consumer)
        for (const delivery of held) recorder.settle(delivery, Outcome.requeue)
        held = []
        consumer = recorder.consume('q', { prefetch: random.pick([1, 50, 2_000]) })
      }
      got.push(...recorder.turn(turnMs))
      for (const { body, redelivered } of got) {
        const number = Number.parseInt(body, 10)
        assert(there.has(number) && !held.some((other) => other.body === body), `${body} is delivered to one at a time`)
        assert(!seen.has(number) || redelivered, `${body} has been delivered before`)
        seen.add(number)
      }
      held.push(...got)
      assert.equal(recorder.host.queue('q')!.liveCount, there.size)
      sumsAgree(recorder.host.queue('q')!)
    }
    recorder.broker.cancel(consumer)
    for (const delivery of held) recorder.settle(delivery, Outcome.requeue)
    assert.deepEqual(
      numbers(drain(recorder, 'q')),
      [...there].sort((a, b) => a - b),
    )
    assert.deepEqual(recorder.reports, [])
  })
})
