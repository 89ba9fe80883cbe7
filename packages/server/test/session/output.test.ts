import t from 'tap'
import { Slabs } from '../../dist/broker/store/slabs.js'
import { Outbox } from '../../dist/session/outbox.js'
import { Output, outputSize } from '../../dist/session/output.js'
import { forSeeds, type Random } from '../seeds.js'
import { PaperTransport } from '../stage/paper-transport.js'

/** A connection whose reader is as slow as the seed says. */
class Connection {
  readonly transport = new PaperTransport('paper:1', true)
  readonly outbox: Outbox
  readonly pins: number[] = []
  readonly expected: Buffer[] = []

  constructor(slabs: Slabs, capacity: number) {
    this.outbox = new Outbox(slabs)
    this.transport.capacity = capacity
    this.transport.handler = {
      ingest() {},
      landing: () => undefined,
      written: () => this.outbox.release(this.transport),
      ended() {},
      closed() {},
    }
  }

  get arrived(): Buffer {
    return Buffer.concat(this.transport.arrived)
  }
}

function store(slabs: Slabs, random: Random): { slab: number; from: number; to: number } {
  const size = 1 + random.below(random.chance(0.1) ? 400_000 : random.chance(0.3) ? 40_000 : 300)
  const bytes = Buffer.alloc(size, random.below(256))
  for (let i = 0; i < Math.min(size, 64); i++) bytes[i] = random.below(256)
  slabs.append(bytes, 0, size)
  slabs.retain(slabs.slab, size)
  return { slab: slabs.slab, from: slabs.offset, to: slabs.offset + size }
}

function play(random: Random): void {
  const slabs = new Slabs()
  const output = new Output(slabs)
  const connections = Array.from({ length: 4 }, (_, i) => new Connection(slabs, i === 0 ? Infinity : random.below(100_000)))
  for (let turn = 0; turn < 60; turn++) {
    for (const { outbox, transport, pins, expected } of connections) {
      if (random.chance(0.3)) continue
      output.begin(transport, pins)
      for (let part = random.below(random.chance(0.1) ? 200 : 8); part > 0; part--) {
        if (random.chance(0.3)) {
          const bytes = Buffer.alloc(1 + random.below(random.chance(0.05) ? 60_000 : 300), random.below(256))
          output.bytes(bytes)
          expected.push(bytes)
        } else if (random.chance(0.4)) {
          const size = 1 + random.below(5_000)
          output.reserve(size)
          output.buffer.fill(turn, output.at, output.at + size)
          output.at += size
          expected.push(Buffer.alloc(size, turn))
        } else {
          const { slab, from, to } = store(slabs, random)
          slabs.pin(slab)
          pins.push(slab)
          expected.push(Buffer.from(slabs.buffer(slab).subarray(from, to)))
          output.range(slabs.buffer(slab), from, to)
          // Settled, purged or expired before it has gone: somebody else's record may come there.
          slabs.release(slab, to - from)
        }
      }
      const taken = output.end()
      if (taken !== (transport.pendingSize === 0)) throw new Error('end() says whether everything was taken')
      outbox.gave(output.sentSize, pins, taken)
      slabs.invariants()
    }
    for (const { transport } of connections) if (random.chance(0.4)) transport.take(random.below(200_000))
  }
  for (const { transport, outbox, expected, arrived } of connections) {
    transport.take(Infinity)
    void arrived
    const bytes = Buffer.concat(transport.arrived)
    if (!bytes.equals(Buffer.concat(expected))) throw new Error('bytes have changed under way')
    if (outbox.givenSize !== bytes.length) throw new Error(`${outbox.givenSize} bytes were given, ${bytes.length} arrived`)
  }
  slabs.invariants()
  // What is left is the current slab and the one that output gathers in.
  if (slabs.usedSize > 2 << 20) throw new Error(`${slabs.usedSize} bytes are still pinned`)
}

t.test('output - what is written arrives as it was, however slowly it is taken and whatever becomes of it', (t) => forSeeds(t, 60, play))

t.test('output - everything of a turn is one system call', async (t) => {
  const slabs = new Slabs()
  const output = new Output(slabs)
  const { transport } = new Connection(slabs, Infinity)
  output.begin(transport, [])
  for (let i = 0; i < 100; i++) output.bytes(Buffer.alloc(100, i))
  slabs.append(Buffer.alloc(100_000), 0, 100_000)
  output.range(slabs.buffer(slabs.slab), slabs.offset, slabs.offset + 100_000)
  output.bytes(Buffer.of(1))
  t.ok(output.end())
  t.equal(transport.writeCount, 1)
  t.equal(output.sentSize, 110_001)
})

t.test('output - more than fits is sent in pieces, and its buffer is used again when they are taken at once', async (t) => {
  const slabs = new Slabs()
  const output = new Output(slabs)
  const { transport } = new Connection(slabs, Infinity)
  const before = slabs.usedSize
  output.begin(transport, [])
  for (let i = 0; i < 5_000; i++) output.bytes(Buffer.alloc(1_000, i))
  output.end()
  t.equal(transport.writeCount, Math.ceil(5_000_000 / Math.floor(outputSize / 1_000) / 1_000))
  t.equal(slabs.usedSize, before)
})

t.test('output - many connections that take nothing share a slab for what was gathered for them', async (t) => {
  const slabs = new Slabs()
  const output = new Output(slabs)
  const connections = Array.from({ length: 50 }, () => new Connection(slabs, 0))
  for (const { transport, outbox, pins } of connections) {
    output.begin(transport, pins)
    output.bytes(Buffer.alloc(10_000))
    outbox.gave(output.sentSize, pins, output.end())
  }
  t.ok(slabs.usedSize <= 2 << 20, `${slabs.usedSize} bytes for 500,000`)
  for (const { outbox } of connections) outbox.close()
  t.ok(slabs.usedSize <= 1 << 20)
  slabs.invariants()
})
