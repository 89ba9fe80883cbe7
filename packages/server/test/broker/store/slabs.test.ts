import t from 'tap'
import { Slabs, slabSize } from '../../../dist/broker/store/slabs.js'

function text(slabs: Slabs, slab: number, offset: number, size: number): string {
  return slabs.buffer(slab).toString('latin1', offset, offset + size)
}

function append(slabs: Slabs, content: string): { slab: number; offset: number; size: number } {
  const bytes = Buffer.from(content, 'latin1')
  slabs.append(bytes, 0, bytes.length)
  slabs.retain(slabs.slab, bytes.length)
  return { slab: slabs.slab, offset: slabs.offset, size: bytes.length }
}

t.test('slabs - what is appended lies back to back', async (t) => {
  const slabs = new Slabs()
  const first = append(slabs, 'first')
  const second = append(slabs, 'second')
  t.equal(second.slab, first.slab)
  t.equal(second.offset, first.offset + first.size)
  t.equal(text(slabs, first.slab, first.offset, 11), 'firstsecond')
  slabs.invariants()
})

t.test('slabs - the current slab is filled from its start again when nothing in it is used', async (t) => {
  const slabs = new Slabs()
  const first = append(slabs, 'gone soon')
  slabs.release(first.slab, first.size)
  const second = append(slabs, 'here')
  t.same(second, { slab: first.slab, offset: first.offset, size: 4 })
})

t.test('slabs - a pinned slab is not written again until the last pin goes', async (t) => {
  const slabs = new Slabs()
  const sent = append(slabs, 'under way')
  slabs.pin(sent.slab)
  slabs.pin(sent.slab)
  slabs.release(sent.slab, sent.size)
  const next = append(slabs, 'next')
  t.equal(text(slabs, sent.slab, sent.offset, sent.size), 'under way')
  slabs.release(next.slab, next.size)
  slabs.unpin(sent.slab)
  append(slabs, 'more')
  t.equal(text(slabs, sent.slab, sent.offset, sent.size), 'under way')
  slabs.invariants()
})

t.test('slabs - a full slab is given back with its last record, and its memory with it', async (t) => {
  const slabs = new Slabs()
  const piece = 'x'.repeat(200 * 1024)
  const held = Array.from({ length: 5 * 40 }, () => append(slabs, piece))
  t.equal(slabs.usedSize, 40 * slabSize, 'five pieces in a slab')
  for (const each of held.slice(0, -1)) slabs.release(each.slab, each.size)
  t.equal(slabs.usedSize, slabSize)
  slabs.invariants()
  for (const each of held.slice(-1)) slabs.release(each.slab, each.size)
  t.equal(append(slabs, 'again').offset, held.at(-1)!.offset - 4 * piece.length)
  slabs.invariants()
})

t.test('slabs - a large run has a buffer of its own size, gone with it', async (t) => {
  const slabs = new Slabs()
  append(slabs, 'small')
  const large = append(slabs, 'y'.repeat(3 * slabSize))
  t.equal(slabs.usedSize, 4 * slabSize)
  t.equal(text(slabs, large.slab, large.offset, 3), 'yyy')
  slabs.release(large.slab, large.size)
  t.equal(slabs.usedSize, slabSize)
  slabs.invariants()
})

t.test('slabs - a run that nobody retains is taken back by settle', async (t) => {
  const slabs = new Slabs()
  const bytes = Buffer.alloc(1000)
  slabs.append(bytes, 0, bytes.length)
  const { slab, offset } = slabs
  slabs.settle(slab)
  t.same(append(slabs, 'z'), { slab, offset, size: 1 })
})

t.test('slabs - a range of the same arena is copied as well as one from elsewhere', async (t) => {
  const slabs = new Slabs()
  const landing = slabs.reserve()
  const buffer = slabs.buffer(landing)
  const start = slabs.start(landing)
  buffer.write('from the landing', start, 'latin1')
  slabs.append(buffer, start, start + 16)
  t.equal(slabs.buffer(slabs.slab), buffer, 'landing and records lie in one buffer')
  t.equal(text(slabs, slabs.slab, slabs.offset, 16), 'from the landing')
  t.notOk(slabs.slab === landing)
  t.ok(slabs.isIdle(landing))
  slabs.unpin(landing)
})

t.test('slabs - live bytes tell which slabs are worth clearing out', async (t) => {
  const slabs = new Slabs()
  const piece = 'x'.repeat(100 * 1024)
  const held = Array.from({ length: 20 }, () => append(slabs, piece))
  const [first] = held
  t.notOk(slabs.isSparse(first!.slab))
  for (const each of held.slice(1, 9)) slabs.release(each.slab, each.size)
  t.ok(slabs.isSparse(first!.slab))
  t.equal(slabs.liveSize(first!.slab), 2 * piece.length)
  t.notOk(slabs.isSparse(held.at(-1)!.slab), 'the current one is still being filled')
})
