// docs/coverage.md: what is promised, and the test that holds it. That each of those tests is there under that very name, and that every limit has one.
//
//     ## server
//     - a promise in a few words
//       - `packages/server/test/x.test.ts`: the name of a test, as it stands in its source
//       - run `npm run bench`: what is to be seen there, where a test cannot hold it
//       - not yet: what is missing
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { filesBelow, root } from '../prepare.mjs'

const readText = (path) => readFileSync(join(root, path), 'utf8')
const lines = readText('docs/coverage.md').split('\n')
const headings = [
  'The workspace',
  'spec',
  'protocol',
  'server',
  'client',
  'cli',
  'Durability',
  'Examples',
  'Speed',
  'Bad input',
  'Shown as a whole',
]

/** The promises with what holds each; lines that are neither are left over. */
function readRows() {
  const rows = []
  const left = []
  let heading
  for (const [i, line] of lines.entries()) {
    if (line.startsWith('## ')) heading = line.slice(3)
    if (heading === undefined || line === '' || line.startsWith('#')) continue
    const test = /^ {2}- `([^`]+\.(?:ts|mjs))`: (.+)$/.exec(line)
    const command = /^ {2}- run `([^`]+)`: .+$/.exec(line)
    const gap = /^ {2}- not yet: (.+)$/.exec(line)
    if (/^- \S/.test(line)) rows.push({ heading, promise: line.slice(2), line: i + 1, tests: [], commands: [], gaps: [] })
    else if (test !== null) rows.at(-1).tests.push({ file: test[1], title: test[2] })
    else if (command !== null) rows.at(-1).commands.push(command[1])
    else if (gap !== null) rows.at(-1).gaps.push(gap[1])
    else left.push(`${i + 1}: ${line}`)
  }
  return { rows, left }
}

/** Whether a source has this text as a whole string of its own. */
function hasTitle(source, title) {
  return ["'", '"', '`'].some((quote) => source.includes(quote + title + quote))
}

const { rows, left } = readRows()

t.test('coverage - every line is a promise or what holds one, and no promise is without', async (t) => {
  t.ok(rows.length > 100, `${rows.length} promises`)
  t.same(left, [])
  for (const { promise, line, tests, commands, gaps } of rows) t.ok(tests.length + commands.length + gaps.length > 0, `${line}: ${promise}`)
  t.same([...new Set(rows.map(({ heading }) => heading))], headings)
})

t.test('coverage - every test that is named is there under that name', async (t) => {
  for (const { line, tests } of rows) {
    for (const { file, title } of tests) t.ok(existsSync(join(root, file)) && hasTitle(readText(file), title), `${line}: ${file}: ${title}`)
  }
})

t.test('coverage - what is missing is said', async (t) => {
  const missing = rows.flatMap(({ line, gaps }) => gaps.map((gap) => `${line}: ${gap}`))
  for (const gap of missing) t.comment(`not yet, ${gap}`)
  t.ok(missing.length < rows.length / 10, 'and is little')
})

t.test('coverage - every limit of the specification has a test under its name', async (t) => {
  const suites = ['protocol', 'server', 'client', 'cli'].map((name) => `packages/${name}/test`)
  const sources = [...filesBelow(suites)].filter((file) => file.endsWith('.test.ts')).map(readText)
  const titles = sources.flatMap((source) => [...source.matchAll(/\btest\(\s*(['"`])(.+?)\1/g)].map((match) => match[2]))
  // Tests made in a loop: `limit ${name} - …` in a source that names the limit in quotes.
  const inLoops = sources.filter((source) => /`limit \$\{name\} - /.test(source))
  for (const { name } of JSON.parse(readText('spec/limits.json')).limits) {
    const isThere = titles.some((title) => title.includes(`limit ${name} `)) || inLoops.some((source) => source.includes(`'${name}'`))
    t.ok(isThere, `limit ${name}`)
  }
})
