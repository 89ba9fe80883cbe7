import t from 'tap'
import { spareName } from '../../../dist/storage/local/names.js'
import { Spares } from '../../../dist/storage/local/spares.js'
import { PaperDisk } from '../../stage/paper-disk.js'
import { PaperTime } from './paper-time.js'

const segmentSize = 8 << 20

function spares() {
  const time = new PaperTime()
  const disk = new PaperDisk(time.later)
  const dropped = (name: string) => {
    disk.files.set(name, Buffer.alloc(segmentSize, 7))
    return name
  }
  return { time, disk, dropped, spares: new Spares({ disk, later: time.later, segmentSize, countMax: 1 }) }
}

t.test('spares - one that is made is as large as a segment, of zeros, and becomes one', async (t) => {
  const { time, disk, spares: made } = spares()
  made.make()
  time.pass(1_000)
  t.strictSame(disk.list(), [spareName(1)])
  t.ok(disk.files.get(spareName(1))?.equals(Buffer.alloc(segmentSize)))
  t.equal(made.size, segmentSize)
  t.ok(made.take('segment'))
  t.strictSame(disk.list(), ['segment'])
  t.equal(made.size, 0)
  t.notOk(made.take('another'), 'there was but one')
})

t.test('spares - a segment that is dropped while one is being made takes its place', async (t) => {
  for (const passed of [0, 1, 2, 4]) {
    const { time, disk, dropped, spares: both } = spares()
    both.make()
    time.pass(passed)
    both.recycle(dropped('old'), segmentSize)
    time.pass(1_000)
    t.equal(disk.list().length, 1, `after ${passed} ms`)
    t.equal(both.size, segmentSize)
    t.ok(both.take('segment'))
    t.equal(disk.files.get('segment')?.[segmentSize - 1], 7, 'it is the old one')
    both.make()
    time.pass(1_000)
    t.ok(both.take('next'), 'and the next can be made')
  }
})

t.test('spares - what is not wanted, or of another size, is removed', async (t) => {
  const { disk, dropped, spares: full } = spares()
  full.recycle(dropped('first'), segmentSize)
  full.recycle(dropped('second'), segmentSize)
  full.recycle(dropped('small'), segmentSize - 1)
  t.strictSame(disk.list(), [spareName(1)])
  t.equal(full.size, segmentSize)
})

t.test('spares - while somebody else reads the files none is used again: a segment that is dropped is removed', async (t) => {
  const { disk, dropped, spares: some } = spares()
  let hasReaders = true
  Object.assign(disk, { hasReaders: () => hasReaders })
  some.recycle(dropped('first'), segmentSize)
  t.strictSame(disk.list(), [])
  t.equal(some.size, 0)
  hasReaders = false
  some.recycle(dropped('second'), segmentSize)
  t.strictSame(disk.list(), [spareName(1)])
})
