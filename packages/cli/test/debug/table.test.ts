import t from 'tap'
import { tableLines } from '../../dist/debug/table.js'

t.test('table - columns in the order of the fields; numbers to the right, texts to the left', async (t) => {
  const items = [
    { queue: 'emails', messageCount: 3, owner: '' },
    { queue: 'images-of-all', messageCount: 12_000, extra: { a: [1] } },
  ]
  t.same(tableLines(items), [
    'queue          messageCount  owner  extra',
    'emails                    3  ""',
    'images-of-all         12000         {"a":[1]}',
  ])
})

t.test('table - what is 0 or false everywhere stands in one line', async (t) => {
  t.same(
    tableLines([
      { queue: 'a', durable: false, readyCount: 0 },
      { queue: 'b', durable: false, readyCount: 1 },
    ]),
    ['queue  readyCount', 'a               0', 'b               1', '0 or false: durable'],
  )
})

t.test('table - long and dangerous texts are made harmless', async (t) => {
  const [, row] = tableLines([{ queue: `\u001b[2J${'x'.repeat(100)}` }])
  t.equal(row, `\\u001b[2J${'x'.repeat(38)}…`)
})
