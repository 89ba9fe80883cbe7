import t from 'tap'
import { copyBytes, readU16, readU32, readU64, u64Max, writeU16, writeU32, writeU64 } from '@waybill/protocol'

t.test('bytes - integers are read and written as Buffer does', async (t) => {
  const bytes = Buffer.alloc(16)
  const wanted = Buffer.alloc(16)
  for (const value of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff]) {
    writeU16(bytes, 3, value)
    wanted.writeUInt16BE(value, 3)
    t.equal(readU16(bytes, 3), value)
  }
  for (const value of [0, 1, 0xff, 0x10000, 0x7fffffff, 0x80000000, 0xdeadbeef, 0xffffffff]) {
    writeU32(bytes, 5, value)
    wanted.writeUInt32BE(value, 5)
    t.same(bytes, wanted)
    t.equal(readU32(bytes, 5), value)
  }
  for (const value of [0, 1, 0xffffffff, 0x100000000, 0x100000001, 2 ** 52, 2 ** 53 - 2, u64Max]) {
    writeU64(bytes, 7, value)
    wanted.writeBigUInt64BE(BigInt(value), 7)
    t.same(bytes, wanted)
    t.equal(readU64(bytes, 7), value)
  }
})

t.test('bytes - limit u64: 2^53 - 1 is read, 2^53 and more is not', async (t) => {
  const bytes = Buffer.alloc(8)
  for (const [value, read] of [
    [2n ** 53n - 1n, u64Max],
    [2n ** 53n, -1],
    [2n ** 53n + 1n, -1],
    [2n ** 63n, -1],
    [2n ** 64n - 1n, -1],
  ] as const) {
    bytes.writeBigUInt64BE(value)
    t.equal(readU64(bytes, 0), read, String(value))
  }
})

t.test('bytes - ranges of every size are copied, whole sources and parts of them', async (t) => {
  const source = Buffer.from(Array.from({ length: 200 }, (_, i) => i))
  for (let size = 0; size <= 200; size += size < 40 ? 1 : 17) {
    const target = new Uint8Array(220)
    t.equal(copyBytes(target, 5, source, 0, size), 5 + size)
    t.same(Buffer.from(target.subarray(5, 5 + size)), source.subarray(0, size))
    t.equal(target[5 + size], 0, 'nothing behind it')
    if (size <= 100) {
      copyBytes(target, 0, source, 50, 50 + size)
      t.same(Buffer.from(target.subarray(0, size)), source.subarray(50, 50 + size))
    }
  }
})
