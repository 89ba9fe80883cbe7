import t from 'tap'
import { isUtf8 as nodeIsUtf8 } from 'node:buffer'
import { isAscii, isUtf8 } from '@waybill/protocol'
import { Random, seeds } from './seeds.js'

t.test('utf8 - every sequence of one and two bytes is judged as Node judges it', async (t) => {
  const bytes = Buffer.alloc(2)
  let different = 0
  for (let i = 0; i < 0x10000; i++) {
    bytes.writeUInt16BE(i)
    if (isUtf8(bytes, 0, 2) !== nodeIsUtf8(bytes)) different++
    if (isUtf8(bytes, 1, 2) !== nodeIsUtf8(bytes.subarray(1))) different++
  }
  t.equal(different, 0)
})

t.test('utf8 - every lead with the edges of what may follow is judged as Node judges it', async (t) => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
  let different = 0
  for (let lead = 0xc0; lead <= 0xff; lead++) {
    for (const second of edges) {
      for (const third of edges) {
        for (const fourth of edges) {
          const bytes = Buffer.from([lead, second, third, fourth])
          for (let size = 1; size <= 4; size++) if (isUtf8(bytes, 0, size) !== nodeIsUtf8(bytes.subarray(0, size))) different++
        }
      }
    }
  }
  t.equal(different, 0)
})

t.test('utf8 - random text with random faults is judged as Node judges it', async (t) => {
  const letters = ['a', 'z', '\0', 'é', '߿', 'ࠀ', '€', '퟿', '', '￿', '𐀀', '\u{10ffff}']
  for (const seed of seeds(2000)) {
    const random = new Random(seed)
    const bytes = Buffer.from(Array.from({ length: random.below(20) }, () => random.pick(letters)).join(''))
    for (let faults = random.below(3); faults > 0 && bytes.length > 0; faults--) bytes[random.below(bytes.length)] = random.below(256)
    if (isUtf8(bytes, 0, bytes.length) !== nodeIsUtf8(bytes)) t.fail(`seed ${seed}: ${bytes.toString('hex')}`)
  }
  t.pass('2,000 texts')
})

t.test('utf8 - bytes beyond the range are not looked at', async (t) => {
  t.notOk(isUtf8(Buffer.from('€'), 0, 2))
  t.ok(isUtf8(Buffer.from('a€'), 0, 1))
  t.ok(isUtf8(Buffer.alloc(0), 0, 0))
})

t.test('utf8 - one byte above 7F is found wherever it stands', async (t) => {
  for (let size = 0; size < 40; size++) {
    const bytes = Buffer.alloc(size + 8, 0xff)
    bytes.fill(0x61, 3, 3 + size)
    t.ok(isAscii(bytes, 3, 3 + size), `${size} letters`)
    for (let at = 0; at < size; at++) {
      bytes[3 + at] = 0x80
      if (isAscii(bytes, 3, 3 + size)) t.fail(`byte ${at} of ${size}`)
      bytes[3 + at] = 0x61
    }
  }
})
