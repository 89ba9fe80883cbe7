// The documents that a reader of the repository is promised, and that what they say of its commands and tools is so.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { filesBelow, root } from '../prepare.mjs'

const readText = (path) => readFileSync(join(root, path), 'utf8')
const readme = readText('README.md')
const sections = new Map(
  readme.split(/^## /m).map((part, i) => (i === 0 ? ['', part] : [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n'))])),
)

t.test('documents - the places of the repository are there, and each has its own name', async (t) => {
  for (const name of ['protocol', 'client', 'server', 'cli']) {
    t.equal(JSON.parse(readText(`packages/${name}/package.json`)).name, `@waybill/${name}`)
    t.match(JSON.parse(readText(`packages/${name}/package.json`)), { type: 'module' })
  }
  const places = ['spec/protocol.md', 'examples/package.json', 'bench/package.json', 'pnpm-workspace.yaml', 'tsconfig.base.json']
  for (const path of [...places, 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md']) t.ok(readText(path).length > 0, path)
  t.match(readText('LICENSE'), /Apache License\s+Version 2\.0/)
  t.equal(JSON.parse(readText('package.json')).license, 'Apache-2.0')
})

t.test('documents - TypeScript is strict, and no module of a package awaits at its top', async (t) => {
  t.equal(JSON.parse(readText('tsconfig.base.json').replace(/^\s*\/\/.*$/gm, '')).compilerOptions.strict, true)
  for (const name of ['protocol', 'client', 'server']) {
    const program = `const entry = require('@waybill/${name}'); if (Object.keys(entry).length === 0) process.exit(1)`
    execFileSync(process.execPath, ['--no-warnings', '-e', program], { cwd: root })
  }
})

t.test('documents - the README says what it is, the two commands, and when not to use it, with its tables', async (t) => {
  t.match(readme, /^# Waybill, a message broker\n/)
  t.match(sections.get(''), /^ {4}npm start +\S[\s\S]*^ {4}npm run demo +\S/m)
  t.match(sections.get('A tour'), /kill[\s\S]*again[\s\S]*watch orders order\.#/)
  t.ok(sections.get('When not to use it').match(/^- /gm).length >= 3)
  t.equal(tables(sections.get('What is guaranteed')), 1)
  const confirms = sections.get('What is guaranteed')
  for (const outcome of ["level: 'received'", "stored: 'no'", "stored: 'unknown'"]) t.ok(confirms.includes(outcome), outcome)
})

t.test('documents - the README has one table of figures, and says what a confirm means in them', async (t) => {
  t.equal(tables(sections.get('Figures')), 1)
  t.match(sections.get('Figures'), /confirm/)
})

t.test('documents - files and commands that they name are there', async (t) => {
  const scripts = Object.keys(JSON.parse(readText('package.json')).scripts)
  for (const document of ['README.md', 'CONTRIBUTING.md', 'examples/README.md']) {
    const text = readText(document)
    for (const [, script] of text.matchAll(/npm run ([a-z]+)/g)) t.ok(scripts.includes(script), `${document}: npm run ${script}`)
    for (const [, path] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
      t.ok(existsSync(join(root, document, '..', path)), `${document}: ${path}`)
  }
})

t.test('documents - the check of a change runs the test command of the README', async (t) => {
  t.match(sections.get('Tests'), /^ {4}npm test$/m)
  t.match(readText('.ci/run'), /^npm test$/m)
})

t.test('documents - the protocol has numbered clauses, drawings, states, and a row for each limit', async (t) => {
  const text = readText('spec/protocol.md')
  const clauses = [...text.matchAll(/^(\d+)\.(\d+) /gm)].map(([, section, clause]) => [Number(section), Number(clause)])
  t.ok(clauses.length > 50)
  for (const [i, [section, clause]] of clauses.entries()) {
    const [before, last] = clauses[i - 1] ?? [0, 0]
    t.ok(section > before || (section === before && clause === last + 1) || clause <= 1, `${section}.${clause} follows ${before}.${last}`)
  }
  for (const what of ['Connection', 'Channel', 'Consumer', 'Message in a queue']) t.match(text, new RegExp(`^11\\.\\d ${what}`, 'm'), what)
  t.ok(text.match(/┌─/g).length >= 10, 'layouts are drawn')
})

t.test('documents - the examples are short: no program or part of one is longer than 120 lines', async (t) => {
  const files = [...filesBelow(['examples/src'])].filter((file) => file.endsWith('.ts'))
  t.ok(files.length > 20)
  for (const file of files) t.ok(readText(file).split('\n').length <= 121, file)
})

t.test('documents - one tool formats and lints', async (t) => {
  const names = Object.keys(JSON.parse(readText('package.json')).devDependencies)
  t.same(
    names.filter((name) => /biome|eslint|prettier|oxlint|standard|dprint/.test(name)),
    ['@biomejs/biome'],
  )
})

function tables(text) {
  return text.match(/^\|(?: *:?-+:? *\|)+$/gm)?.length ?? 0
}
