import t from 'tap'
import { NameReader } from '../../dist/consuming/name-reader.js'
import { Run } from '../../dist/consuming/run.js'
import { RunList } from '../../dist/consuming/run-list.js'

const receiver = {
  queue: 'q',
  exchangeNames: new NameReader(),
  keyNames: new NameReader(),
  typeNames: new NameReader(),
  settled: () => {},
  settledInVain: () => {},
}

function runs(count: number): Run[] {
  return Array.from({ length: count }, (_, i) => new Run(receiver, 'log', i + 1, 1, 1, false, 1, 0))
}

t.test('run list - keeps the order whichever runs leave it', async (t) => {
  for (const leaving of [[0], [4], [2], [0, 1], [3, 4], [1, 3], [4, 2, 0], [0, 1, 2, 3, 4]]) {
    const list = new RunList()
    const all = runs(5)
    for (const run of all) list.add(run)
    for (const index of leaving) list.remove(all[index])
    const [again] = runs(1)
    list.add(again)
    const staying = all.filter((_, index) => !leaving.includes(index))
    t.same(
      list.takeAll().map(({ firstTag }) => firstTag),
      [...staying, again].map(({ firstTag }) => firstTag),
      `without ${leaving}`,
    )
    t.same(list.takeAll(), [])
  }
})
