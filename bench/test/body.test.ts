import t from 'tap'
import { addMark, BodyReader, BodyRing, markOf } from '../dist/body.js'

const sizes = [16, 17, 128, 1_024, 65_536]

t.test('body - what the ring makes, the reader takes: count and sum agree', async (t) => {
  for (const size of sizes) {
    const ring = new BodyRing(size, 3)
    const reader = new BodyReader(size, 1, true)
    let sum = 0
    for (let sequence = 0; sequence < 10; sequence++) {
      t.equal(reader.read(0, ring.body(sequence)), sequence)
      sum = addMark(sum, sequence)
    }
    t.same(reader.received(), { count: 10, sum, damaged: 0, disordered: 0 })
  }
})

t.test('body - a sum over many deliveries is the sum over each of them', async (t) => {
  let [once, tenTimes] = [0, 0]
  for (let sequence = 0; sequence < 1_000; sequence++) {
    tenTimes = addMark(tenTimes, sequence, 10)
    for (let each = 0; each < 10; each++) once = addMark(once, sequence)
  }
  t.equal(once, tenTimes)
})

t.test('body - a sequence past 2^24 comes back whole', async (t) => {
  const ring = new BodyRing(16, 1)
  t.equal(new BodyReader(16, 1, false).read(0, ring.body(0xfedcba98)), 0xfedcba98)
})

t.test('body - each of these counts as damaged', async (t) => {
  const damages: Record<string, (body: Buffer) => Buffer> = {
    cut: (body) => body.subarray(0, -1),
    'longer by one byte': (body) => Buffer.concat([body, Buffer.alloc(1)]),
    'the sequence of another': (body) => {
      body.writeUInt32BE(6, 0)
      return body
    },
    'the tail of another': (body) => {
      body.writeUInt32BE(markOf(6), 124)
      return body
    },
    'a fill overwritten': (body) => body.fill(0, 8, 72),
  }
  for (const [name, damage] of Object.entries(damages)) {
    const reader = new BodyReader(128, 1, true)
    reader.read(0, damage(new BodyRing(128, 1).body(5)))
    t.equal(reader.received().damaged, 1, name)
  }
})

t.test('body - a gap, a repetition and a step back are out of order where every message goes to every lane', async (t) => {
  const read = (gapless: boolean, ...sequences: number[]) => {
    const ring = new BodyRing(16, 1)
    const reader = new BodyReader(16, 2, gapless)
    for (const sequence of sequences) reader.read(1, ring.body(sequence))
    return reader.received().disordered
  }
  t.equal(read(true, 0, 1, 2), 0)
  t.equal(read(true, 0, 2), 1)
  t.equal(read(true, 0, 0), 1)
  t.equal(read(true, 1), 1)
  t.equal(read(false, 3, 5, 5, 9), 0)
  t.equal(read(false, 3, 2), 1)
})
