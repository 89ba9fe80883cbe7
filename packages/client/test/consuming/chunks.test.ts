import { encodeName, recordSizeOf, writeRecord } from '@waybill/protocol'
import t from 'tap'
import { Chunks, chunkSize } from '../../dist/consuming/chunks.js'

const name = encodeName('q')

function records(sizes: readonly number[]): Buffer {
  const parts = sizes.map((size, i) => {
    const body = Buffer.alloc(size, i)
    const bytes = Buffer.alloc(recordSizeOf(name, name, undefined, size))
    writeRecord(bytes, 0, name, name, undefined, false, body, 0, size)
    return bytes
  })
  return Buffer.concat(parts)
}

/** Takes everything, overwrites the source, and gives what was kept. */
function takeAll(chunks: Chunks, bytes: Buffer): Buffer {
  const source = Buffer.from(bytes)
  const kept: Buffer[] = []
  for (let at = 0; at < source.length; ) {
    const end = chunks.take(source, at, source.length)
    kept.push(chunks.chunk.subarray(chunks.at, chunks.at + end - at))
    at = end
  }
  source.fill(0xff)
  return Buffer.concat(kept)
}

t.test('chunks - what was taken stays as it came, whatever comes after it', async (t) => {
  const chunks = new Chunks()
  const kept: [Buffer, Buffer][] = []
  for (let round = 0; round < 50; round++) {
    const sizes = Array.from({ length: 40 }, (_, i) => ((i + round) * 7_919) % (i % 9 === 0 ? 20_000 : 600))
    const bytes = records(sizes)
    kept.push([bytes, takeAll(chunks, bytes)])
  }
  for (const [expected, actual] of kept) t.ok(expected.equals(actual))
})

t.test('chunks - one message keeps no more than a chunk, a large one nothing but itself', async (t) => {
  const chunks = new Chunks()
  takeAll(chunks, records([100]))
  t.equal(chunks.chunk.buffer.byteLength, chunkSize)
  takeAll(chunks, records([chunkSize / 4]))
  t.equal(chunks.chunk.buffer.byteLength, chunkSize / 4 + 18)
  takeAll(chunks, records([1_000_000]))
  t.equal(chunks.chunk.buffer.byteLength, 1_000_018)
})
