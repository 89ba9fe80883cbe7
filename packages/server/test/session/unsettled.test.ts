import t from 'tap'
import type { Consumer } from '../../dist/broker/queues/consumer.js'
import type { Page } from '../../dist/broker/queues/page.js'
import { Meter } from '../../dist/session/meter.js'
import { Unsettled } from '../../dist/session/unsettled.js'
import { forSeeds, type Random } from '../seeds.js'

interface Entry {
  readonly consumer: Consumer
  readonly place: number
  readonly size: number
}

/** The last two take in mode none: of what they settle only count and size are told. */
const consumers = Array.from({ length: 4 }, (_, id) => ({ id, ack: id < 2 ? 'manual' : 'none' }) as Consumer)

/** The same as a Map does it. */
class Model {
  readonly entries = new Map<number, Entry>()

  settle(first: number, last: number): Settled {
    const settled = new Settled()
    for (const [tag, { consumer, place, size }] of this.entries) {
      if (tag < first || tag > last) continue
      this.entries.delete(tag)
      if (consumer.ack === 'manual') settled.settled(consumer, place, size)
      else settled.returned(consumer, 1, size)
    }
    return settled
  }
}

/** As they stand in a page, from place `index` of it on. */
function pushRun(ring: Unsettled, tag: number, consumer: Consumer, place: number, sizes: readonly number[], index: number): void {
  const words = new Uint32Array((index + sizes.length) * 4)
  for (const [i, size] of sizes.entries()) words[(index + i) * 4 + 2] = size
  ring.pushRun(tag, consumer, place, sizes.length, { words } as Page, index)
}

function push(ring: Unsettled, tag: number, consumer: Consumer, place: number, size: number): void {
  pushRun(ring, tag, consumer, place, [size], 0)
}

class Settled {
  count = 0
  readonly #places: number[] = []
  readonly #returned = new Map<Consumer, { count: number; size: number }>()

  settled(_consumer: Consumer, place: number, _size: number): void {
    this.count++
    this.#places.push(place)
  }

  returned(consumer: Consumer, count: number, size: number): void {
    const sum = this.#returned.get(consumer) ?? { count: 0, size: 0 }
    this.count += count
    this.#returned.set(consumer, { count: sum.count + count, size: sum.size + size })
  }

  toString(): string {
    return JSON.stringify([this.#places, consumers.map((consumer) => this.#returned.get(consumer))])
  }
}

function play(random: Random): void {
  const meter = new Meter()
  const ring = new Unsettled(meter)
  const model = new Model()
  let lastTag = 0
  for (let step = 0; step < 400; step++) {
    if (random.chance(0.5)) {
      for (let runs = random.below(8); runs > 0; runs--) {
        const consumer = random.pick(consumers)
        const place = random.below(1e9)
        const sizes = Array.from({ length: 1 + random.below(random.chance(0.1) ? 500 : 4) }, () => 1 + random.below(1e6))
        pushRun(ring, lastTag + 1, consumer, place, sizes, random.below(5))
        for (const [i, size] of sizes.entries()) model.entries.set(++lastTag, { consumer, place: place + i, size })
      }
    } else {
      // Anything from the oldest on, in any order, with what is settled already.
      const first = random.chance(0.3) ? 1 : 1 + random.below(lastTag + 1)
      const last = random.chance(0.1) ? lastTag : first + random.below(random.chance(0.2) ? 300 : 4)
      const settled = new Settled()
      const outcome = 1 + random.below(4)
      const count = ring.settle(first, last, outcome, 7, {
        returned: (consumer, count, size) => settled.returned(consumer, count, size),
        settled(consumer, place, size, settledOutcome, delayMs) {
          settled.settled(consumer, place, size)
          if (settledOutcome !== outcome || delayMs !== 7) throw new Error('outcome and delay are handed on')
        },
      })
      const expected = model.settle(first, last)
      if (count !== expected.count || `${settled}` !== `${expected}`)
        throw new Error(`settling ${first} to ${last} gave ${settled}, not ${expected}`)
    }
    ring.invariants()
    if (ring.count !== model.entries.size) throw new Error(`${ring.count} are unsettled, not ${model.entries.size}`)
  }
  for (const consumer of consumers) {
    const expected = [...model.entries.values()].filter((entry) => entry.consumer === consumer).length
    if (ring.countOf(consumer) !== expected) throw new Error('a consumer holds another number')
  }
  ring.settle(1, lastTag, 1, -1, { settled: () => undefined, returned: () => undefined })
  ring.close()
  if (meter.size !== 0) throw new Error(`${meter.size} bytes are counted for nothing`)
}

t.test('unsettled - settles the same as a map, whatever is settled in whatever order', (t) => forSeeds(t, 60, play))

t.test('unsettled - one delivery that is never settled does not let the ring grow', async (t) => {
  const meter = new Meter()
  const ring = new Unsettled(meter)
  const nothing = { settled: () => undefined, returned: () => undefined }
  for (let tag = 1; tag <= 100_000; tag++) {
    push(ring, tag, consumers[0]!, tag, 1)
    if (tag > 1) ring.settle(tag, tag, 1, -1, nothing)
  }
  t.equal(ring.count, 1)
  t.equal(meter.size, 16 * 28, 'it is as large as at first')
})

t.test('unsettled - a ring that was large is counted while it is, and given back when it is empty', async (t) => {
  const meter = new Meter()
  const ring = new Unsettled(meter)
  for (let tag = 1; tag <= 200_000; tag++) push(ring, tag, consumers[0]!, tag, 1)
  t.ok(meter.size >= 200_000 * 28)
  ring.settle(1, 200_000, 1, -1, { settled: () => undefined, returned: () => undefined })
  t.equal(meter.size, 16 * 28)
  push(ring, 200_001, consumers[1]!, 5, 1)
  t.equal(ring.settle(1, 300_000, 1, -1, { settled: () => undefined, returned: () => undefined }), 1)
})

t.test('unsettled - neighbours of a consumer in mode none come back as one', async (t) => {
  const ring = new Unsettled(new Meter())
  const consumer = (id: number, ack: string) => ({ id, ack }) as unknown as (typeof consumers)[0]
  const [manual, first, second] = [consumer(1, 'manual'), consumer(2, 'none'), consumer(3, 'none')]
  for (const [i, each] of [first, first, manual, first, second, second, second].entries()) push(ring, i + 1, each!, i, 10 + i)
  const seen: string[] = []
  ring.settle(1, 6, 1, -1, {
    settled: ({ id }, place) => seen.push(`${id} settled ${place}`),
    returned: ({ id }, count, size) => seen.push(`${id} returned ${count} of ${size}`),
  })
  t.same(seen, ['1 settled 2', '2 returned 3 of 34', '3 returned 2 of 29'])
  t.equal(ring.count, 1)
})

t.test('unsettled - settling the same range again and again costs what is unsettled in it, not what was', async (t) => {
  const ring = new Unsettled(new Meter())
  const nothing = { settled: () => undefined, returned: () => undefined }
  for (let tag = 1; tag <= 1_000_000; tag++) push(ring, tag, consumers[0]!, tag, 1)
  ring.settle(2, 999_999, 1, -1, nothing)
  t.equal(ring.count, 2)
  const startedAt = performance.now()
  for (let i = 0; i < 10_000; i++) ring.settle(2, 999_999, 1, -1, nothing)
  t.ok(performance.now() - startedAt < 1_000, 'ten thousand times a million would take minutes')
  t.equal(ring.settle(1, 1_000_000, 1, -1, nothing), 2)
})
