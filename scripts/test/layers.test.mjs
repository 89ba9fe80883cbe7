// Who may import whom: the import lines of every source file against the table of ARCHITECTURE.md, types included; and no cycle of files.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = ['protocol', 'server', 'client', 'cli']

/** `layer → what it may import`, as the table says. */
function readTable() {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| `[a-z/-]+` \|/.test(line) && line.split('|').length === 5)
  return new Map(rows.map((row) => [names(row.split('|')[1])[0], names(row.split('|')[3])]))
}

function names(cell) {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1])
}

function* filesBelow(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) yield* filesBelow(path)
    else if (name.endsWith('.ts')) yield path
  }
}

/** `packages/server/src/broker/queues/queue.ts` → `server/broker`; files at the top of a package are layers of their own where the table has them. */
function layerOf(file, table) {
  const [name, , ...inner] = relative(join(root, 'packages'), file).split(sep)
  const layer = `${name}/${inner[0].replace(/\.ts$/, '')}`
  if (table.has(layer)) return layer
  return name === 'server' ? 'server/create-broker' : name
}

/** What a file imports or re-exports, as files of this repository or as package names. */
function importsOf(file) {
  const text = readFileSync(file, 'utf8')
  const found = [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?'([^']+)'/g),
    ...text.matchAll(/\bimport\('([^']+)'\)/g),
  ]
  return found.map((match) => match[1]).map((name) => (name.startsWith('.') ? resolve(dirname(file), name).replace(/\.js$/, '.ts') : name))
}

function allows(allowed, target) {
  return allowed.some((each) => (each.endsWith('*') ? target.startsWith(each.slice(0, -1)) : each === target))
}

const table = readTable()
const files = packages.flatMap((name) => [...filesBelow(join(root, 'packages', name, 'src'))])
const imports = new Map(files.map((file) => [file, importsOf(file)]))

t.test('layers - every file imports only what the table of ARCHITECTURE.md allows its layer', (t) => {
  t.ok(table.size >= 12, 'the table has been read')
  t.ok(files.length > 60, 'the sources have been found')
  for (const [file, targets] of imports) {
    const layer = layerOf(file, table)
    const refused = targets
      .map((target) => (target.startsWith(root) ? layerOf(target, table) : target.replace(/^@waybill\/([a-z]+).*/, '$1')))
      .filter((target) => target !== layer && !allows(table.get(layer), target))
    t.strictSame(refused, [], `${relative(root, file)} (${layer})`)
  }
  t.end()
})

t.test('layers - every layer of the table has files', (t) => {
  const there = new Set(files.map((file) => layerOf(file, table)))
  for (const layer of table.keys()) t.ok(there.has(layer), layer)
  t.end()
})

t.test('layers - no file imports itself by way of others, types included', (t) => {
  const state = new Map()
  const cycles = []
  const visit = (file, path) => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].map((each) => relative(root, each)).join(' → '))
      return
    }
    state.set(file, 'open')
    for (const target of imports.get(file) ?? []) if (imports.has(target)) visit(target, [...path, file])
    state.set(file, 'done')
  }
  for (const file of files) visit(file, [])
  t.strictSame(cycles, [])
  t.end()
})
