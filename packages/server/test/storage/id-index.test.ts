import t from 'tap'
import { IdIndex } from '../../dist/storage/id-index.js'

t.test('id index - the mark at or below an id, whatever is between', async (t) => {
  const index = new IdIndex()
  t.equal(index.find(1), 0, 'nothing is there')
  for (let i = 0; i < 1_000; i++) index.add(i * 10, i + 1, 16 * 1024, 1)
  t.equal(index.count, 250, 'a mark for each 64 KiB')
  t.equal(index.find(0), 1)
  t.equal(index.find(39), 1)
  t.equal(index.find(40), 5)
  t.equal(index.find(45), 5)
  t.equal(index.find(1_000_000), 997)
})

t.test('id index - the first records of a segment have a mark, however few they are', async (t) => {
  const index = new IdIndex()
  index.add(10, 100, 500, 1)
  index.add(20, 101, 500, 1)
  index.add(30, 200, 500, 2)
  index.add(40, 300, 500, 4)
  t.equal(index.count, 3)
  t.equal(index.firstFrom(1), 10)
  t.equal(index.firstFrom(101), 30)
  t.equal(index.firstFrom(200), 30)
  t.equal(index.firstFrom(301), Infinity)
})

t.test('id index - marks of what is gone are forgotten, the others are found as before', async (t) => {
  const index = new IdIndex()
  for (let i = 0; i < 100; i++) index.mark(i * 10, i + 1)
  index.forget((position) => position > 20 && position <= 60)
  t.equal(index.count, 60)
  t.equal(index.find(195), 20)
  t.equal(index.find(400), 20, 'what lay there is gone: the one before')
  t.equal(index.find(605), 61)
  t.strictSame([...index.marks()].slice(19, 22), [
    { id: 190, position: 20 },
    { id: 600, position: 61 },
    { id: 610, position: 62 },
  ])
})
