import t from 'tap'
import { Copies } from '../../dist/storage/copies.js'
import { MovedIndex } from '../../dist/storage/moved-index.js'
import { RecordingLog } from './recording-log.js'
import { said } from './words.js'

function queues(...ids: number[]): Uint8Array {
  const bytes = Buffer.alloc(ids.length * 4)
  for (const [i, id] of ids.entries()) bytes.writeUInt32BE(id, i * 4)
  return bytes
}

t.test('copies - neighbours of one route are one run, each route is told once in a block', async (t) => {
  const log = new RecordingLog()
  const moved = new MovedIndex()
  const copies = new Copies(log, moved)
  const text = Buffer.from('abcdef')
  for (const [i, route] of [queues(1), queues(1), queues(1, 2), queues(1)].entries()) copies.add(10 + i, route, text, i, i + 1)
  copies.add(20, queues(1), text, 4, 6)
  t.same(log.appended, [], 'nothing is written before it is asked for')
  copies.flush()
  t.same(said(log), ['lazy: route 1, moved 10x2 by 0 ab, route 1+2, moved 12x1 by 1 c, moved 13x1 by 0 d, moved 20x1 by 0 ef'])
  t.same([...moved.marks()], [{ first: 10, last: 20, position: 1 }])
  copies.flush()
  t.equal(log.appended.length, 1)
})

t.test('copies - who goes back to lower ids begins a new block, so that what is in one is found by its ids', async (t) => {
  const log = new RecordingLog()
  const moved = new MovedIndex()
  const copies = new Copies(log, moved)
  const text = Buffer.from('abc')
  for (const id of [900, 901, 3, 4]) copies.add(id, queues(1), text, 0, 3)
  copies.flush()
  t.same(
    [...moved.marks()].map(({ first, last }) => [first, last]),
    [
      [3, 4],
      [900, 901],
    ],
  )
})

t.test('copies - a record that is larger than a block has one of its own', async (t) => {
  const log = new RecordingLog()
  const copies = new Copies(log, new MovedIndex())
  const large = Buffer.alloc(1_000_000, 'x')
  copies.add(1, queues(1), large, 0, 10)
  copies.add(2, queues(1), large, 0, large.length)
  copies.add(3, queues(1), large, 0, 10)
  copies.flush()
  t.same(
    log.appended.map(({ bytes }) => bytes.length > 900_000),
    [false, true, false],
  )
})
