import t from 'tap'
import { all, define, findCommand, maybe, place, readValues, usage } from '../../dist/debug/command.js'
import { commands } from '../../dist/debug/commands.js'
import { body, boolean, choice, count, flag, hex, integer, tags, text } from '../../dist/debug/kinds.js'
import { readWords } from '../../dist/debug/words.js'

const paint = define({
  name: 'paint',
  summary: 'paints',
  places: { what: place(text('what')), color: place(choice('red', 'blue')), note: maybe(text('note')) },
  options: { coats: count('count', 1, 9), thick: flag, dry: boolean, at: integer('place', -5, 5) },
  takesHeaders: true,
  *run() {},
})
const sum = define({ name: 'sum up', summary: 'adds', places: { numbers: all(count('number')) }, options: {}, *run() {} })

function values(command: typeof paint, line: string) {
  return { ...readValues(command, readWords(line)) } as Record<string, unknown>
}

t.test('command - words fill the places in order; options stand anywhere', async (t) => {
  t.strictSame(
    values(paint, 'coats=3 wall dry=false blue thick "two words" header.x=1 header.y=1.5 header.z=true header.n=null header.s="1"'),
    {
      what: 'wall',
      color: 'blue',
      note: 'two words',
      options: Object.assign(Object.create(null), { coats: 3, dry: false, thick: true }),
      headers: Object.assign(Object.create(null), { x: 1, y: 1.5, z: true, n: null, s: '1' }),
    },
  )
})

t.test('command - a needed place takes any word, an optional one leaves the name of a flag alone', async (t) => {
  t.match(values(paint, 'thick red'), { what: 'thick', options: {} })
  t.match(values(paint, 'wall red thick'), { note: undefined, options: { thick: true } })
  t.match(values(paint, 'wall red "thick"'), { note: 'thick' })
  t.match(values(paint, 'wall red thick=false'), { options: { thick: false } })
})

t.test('command - the last place may take all that is left', async (t) => {
  t.match(values(sum, '1 2 3_000'), { numbers: [1, 2, 3000] })
})

t.test('command - what does not fit is said, with where it stands', async (t) => {
  const problems: [line: string, message: string, at?: number][] = [
    [
      'wall',
      'the red|blue is missing: paint <what> <red|blue> [note] [coats=count] [thick] [dry=true|false] [at=place] [header.NAME=VALUE]',
    ],
    ['wall green', "one of red, blue was expected, not 'green'", 5],
    ['wall red a b', 'one word too many: paint <what>', 11],
    ['wall red coats=0', 'a number from 1 to 9 was expected', 9],
    ['wall red coats=1.5', "a whole number was expected, not '1.5'", 9],
    ['wall red at=-6', "a number from -5 to 5 was expected, not '-6'", 9],
    ['wall red dry=maybe', "true or false was expected, not 'maybe'", 9],
    ['wall red gloss=1', "paint has no option 'gloss'; it takes coats, thick, dry, at, header.NAME", 9],
    ['wall red constructor=1', "paint has no option 'constructor'", 9],
    ['wall red header.big=9223372036854775808', 'an integer of at most 64 bits was expected', 9],
  ]
  for (const [line, message, at] of problems) {
    const begin = new RegExp(`^${message.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`)
    t.throws(() => readValues(paint, readWords(line)), { name: 'LineProblem', message: begin, ...(at === undefined ? {} : { at }) }, line)
  }
})

t.test('command - a header may be called anything', async (t) => {
  t.strictSame(Object.entries(values(paint, 'wall red header.__proto__=1 header.constructor=2').headers as object), [
    ['__proto__', 1],
    ['constructor', 2],
  ])
  t.strictSame(
    values(paint, 'wall red header.big=9007199254740993').headers,
    Object.assign(Object.create(null), { big: 9007199254740993n }),
  )
})

t.test('command - the longest name wins, and a name in quotes is none', async (t) => {
  const found = (line: string) => findCommand(commands, readWords(line)).command.name
  t.equal(found('declare queue emails'), 'declare queue')
  t.equal(found('bind exchange audit orders'), 'bind exchange')
  t.equal(found('bind "exchange" orders'), 'bind')
  t.throws(() => found('declare'), { message: 'declare what? There is declare exchange, declare queue' })
  t.throws(() => found('delete everything'), { message: 'delete what? There is delete queue, delete exchange', at: 7 })
  t.throws(() => found('"list" queues'), { message: "no command 'list'; type help for all of them" })
  t.throws(() => found('dance'), { message: "no command 'dance'; type help for all of them", at: 0 })
})

t.test('kinds - tags are one, a range, or all', async (t) => {
  const read = (line: string) => tags.read(readWords(line)[0])
  t.same(read('3'), { from: 3, through: 3 })
  t.same(read('1-7'), { from: 1, through: 7 })
  t.equal(read('all'), 'all')
  t.throws(() => read('7-1'), { message: "a range from the lower tag to the higher was expected, not '7-1'" })
  t.throws(() => read('x'), { message: "a tag such as 3, a range such as 1-7, or 'all' was expected, not 'x'" })
})

t.test('kinds - bytes are hexadecimal digits, with marks between them', async (t) => {
  const read = (line: string) => Buffer.from(hex.read(readWords(line)[0])).toString('hex')
  t.equal(read('0x00_ff:Ab-12'), '00ffab12')
  t.equal(read('""'), '')
  t.throws(() => read('0'), { message: "an even number of hexadecimal digits was expected, not '0'" })
  t.throws(() => read('zz'), { message: "hexadecimal digits was expected, not 'zz'" })
})

t.test('kinds - a body knows its content type by how it is written', async (t) => {
  const read = (line: string) => {
    const { bytes, contentType } = body.read(readWords(line)[0])
    return [Buffer.from(bytes).toString(), contentType]
  }
  t.same(read('{"id": 1}'), ['{"id": 1}', 'application/json'])
  t.same(read('"{}"'), ['{}', 'text/plain'])
  t.same(read('hällo'), ['hällo', 'text/plain'])
})

t.test('commands - each has a name of its own, a summary, a usage, and examples that can be read', async (t) => {
  t.equal(new Set(commands.map(({ name }) => name)).size, commands.length)
  for (const command of commands) {
    t.match(command.summary, /^[a-z].*[^.]$/, command.name)
    t.ok(usage(command).startsWith(command.name))
    for (const example of command.examples ?? []) {
      const { command: found, rest } = findCommand(commands, readWords(example))
      t.equal(found, command, example)
      t.doesNotThrow(() => readValues(found, rest), example)
    }
  }
})
