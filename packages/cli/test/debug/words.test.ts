import t from 'tap'
import { readWords } from '../../dist/debug/words.js'

function words(line: string): string[] {
  return readWords(line).map(({ text, form, option }) => `${option === undefined ? '' : `${option}=`}${text} (${form})`)
}

t.test('words - a line is cut at spaces, and JSON stays in one piece', async (t) => {
  t.same(words('  publish orders order.eu.created {"id": 1, "to": [2, "}"]}  '), [
    'publish (bare)',
    'orders (bare)',
    'order.eu.created (bare)',
    '{"id": 1, "to": [2, "}"]} (json)',
  ])
})

t.test('words - JSON is kept as it was typed, large numbers too', async (t) => {
  t.same(words('send q [ 9007199254740993 ,1.0]')[2], '[ 9007199254740993 ,1.0] (json)')
})

t.test('words - quotes are those of JSON: escapes mean something, and an empty word can be said', async (t) => {
  t.same(words('publish "" "a \\"b\\"\\n\\u00e9"'), ['publish (bare)', ' (quoted)', 'a "b"\né (quoted)'])
})

t.test('words - name=value is an option wherever it stands, with a value in any form', async (t) => {
  t.same(words('send q header.x="a b" priority=3 header.y={"z":1} header.empty= ok'), [
    'send (bare)',
    'q (bare)',
    'header.x=a b (quoted)',
    'priority=3 (bare)',
    'header.y={"z":1} (json)',
    'header.empty= (bare)',
    'ok (bare)',
  ])
})

t.test('words - in quotes a word with = is a word', async (t) => {
  t.same(words('publish orders "a=b"'), ['publish (bare)', 'orders (bare)', 'a=b (quoted)'])
})

t.test('words - an empty line and a comment have none; a pattern # has', async (t) => {
  t.same(words(''), [])
  t.same(words('   \t'), [])
  t.same(words('  # declare queue emails'), [])
  t.same(words('bind audit orders #'), ['bind (bare)', 'audit (bare)', 'orders (bare)', '# (bare)'])
})

t.test('words - what is not closed, not JSON, or glued together is pointed at', async (t) => {
  const problems: [line: string, message: string, at: number][] = [
    ['send q "abc', 'this " is never closed', 7],
    ['send q {"a":[1}}', 'not JSON: {"a":[1}}', 7],
    ['send q {"a":1', 'this { is never closed', 7],
    ['send q {"a":"}', 'this { is never closed', 7],
    ['send q {a:1}', 'not JSON: {a:1}', 7],
    ['send q "a"b', 'a space is missing here', 10],
    ['send q header.x="a', 'this " is never closed', 16],
  ]
  for (const [line, message, at] of problems) {
    t.throws(() => readWords(line), { name: 'LineProblem', message, at }, line)
  }
})
