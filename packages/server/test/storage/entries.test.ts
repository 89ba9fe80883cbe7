import t from 'tap'
import {
  EntryFlag,
  EntryKind,
  EntryProblem,
  entryHeaderSize,
  goneHeaderSize,
  goneRangeSize,
  runHeaderSize,
  writeEntryHeader,
  writeGoneHeader,
  writeGoneRange,
  writeRunHeader,
} from '../../dist/storage/entries.js'
import { wordsOf } from './words.js'

t.test('entries - each kind has the bytes that are written down, and is read back', async (t) => {
  const bytes = Buffer.from(
    [
      '01 00 0000 00000008 00000007 0000000a', // ROUTE: queues 7 and 10
      '02 00 0000 00000013 0000000100000002 00000000 00000003 616263', // RUN: from 2^32 + 2, route 0, 3 records 'abc'
      '02 01 0000 00000011 0000000000000009 00000000 00000001 7a', // the same, moved
      '03 00 0000 00000028 00000007 00000000 0000000000000005 0000000000000008 00000003 00000000 000000000000012c', // GONE: queue 7, 5 to 8: 3 of 300 bytes
      '04 00 0000 00000002 7b7d', // TOPOLOGY
      '05 00 0000 00000008 0000000000001000', // IDS
      '06 00 0000 00000004 00000004', // DROP
    ]
      .join('')
      .replaceAll(' ', ''),
    'hex',
  )
  t.strictSame(wordsOf(bytes), [
    'route 7+10',
    'run 4294967298x3 by 0 abc',
    'moved 9x1 by 0 z',
    'gone 7: 5-8 x3 300',
    '{}',
    'ids 4096',
    'drop 4',
  ])

  const written = Buffer.alloc(entryHeaderSize + runHeaderSize)
  t.equal(writeRunHeader(written, 0, EntryFlag.moved, 9, 0, 1, 1), written.length)
  t.ok(bytes.includes(written), 'the writer of a RUN writes those bytes')
  const gone = Buffer.alloc(entryHeaderSize + goneHeaderSize + goneRangeSize)
  t.equal(writeGoneRange(gone, writeGoneHeader(gone, 0, 7, 1), 5, 8, 3, 300), gone.length)
  t.ok(bytes.includes(gone), 'and that of a GONE')
})

t.test('entries - a kind of a newer version and a cut entry are named, with their place', async (t) => {
  const newer = Buffer.alloc(entryHeaderSize)
  writeEntryHeader(newer, 0, 77, 0, 0)
  t.throws(() => wordsOf(newer), new EntryProblem(0, 'there is no kind 77; it was written by a newer version'))
  const long = Buffer.alloc(entryHeaderSize)
  writeEntryHeader(long, 0, EntryKind.ids, 0, 8)
  t.throws(() => wordsOf(long), { message: 'entry at 0 of its block: it is longer than its block' })
  t.throws(() => wordsOf(Buffer.alloc(3)), { message: 'entry at 0 of its block: a header is cut' })
})
