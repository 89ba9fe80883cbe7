import t from 'tap'
import { hexdump } from '../../dist/debug/hexdump.js'

t.test('hexdump - 16 bytes a line, with the offset and what is printable', async (t) => {
  const bytes = Buffer.from('00000014050000010000000000000100000000004142207e7f80ff', 'hex')
  t.same(hexdump(bytes), [
    '0000  00 00 00 14 05 00 00 01  00 00 00 00 00 00 01 00  |................|',
    '0010  00 00 00 00 41 42 20 7e  7f 80 ff                 |....AB ~...|',
  ])
})

t.test('hexdump - a dump that is cut says how much is missing', async (t) => {
  t.same(hexdump(Buffer.alloc(40), 17), [
    '0000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|',
    '0010  00                                                |.|',
    '…     23 bytes more',
  ])
  t.equal(hexdump(Buffer.alloc(16), 16).length, 1)
})

t.test('hexdump - nothing is nothing, and large offsets get more digits', async (t) => {
  t.same(hexdump(Buffer.alloc(0)), [])
  t.match(hexdump(Buffer.alloc(65_537)).at(-1), /^10000 {2}00 /)
})
