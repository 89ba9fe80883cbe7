/** Who may use what, held by reading the sources: no time and no chance but from the clock, no network but in the transports, no cycles. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../src/', import.meta.url))
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

function importsOf(file: string): string[] {
  return [...(sources.get(file) ?? '').matchAll(/(?:from|import) '([^']+)'/g)].map((match) => match[1])
}

t.test('imports - time and chance come from the clock alone', async (t) => {
  for (const [file, source] of sources) {
    if (file === 'clock.ts') continue
    const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    const found = code.match(/\bDate\.now|Math\.random|performance\.|(?<![.\w])set(Timeout|Interval|Immediate)\(|new Date\(\)/)
    t.equal(found, null, `${file}: ${found?.[0]}`)
  }
})

t.test('imports - the network is in the transports, the server nowhere', async (t) => {
  for (const file of files) {
    for (const name of importsOf(file)) {
      if (name === 'node:net' || name === 'node:tls') t.ok(file.startsWith('transport/'), `${file} imports ${name}`)
      const allowed = name.startsWith('.') || name.startsWith('node:') || name === '@waybill/protocol'
      t.ok(allowed, `${file} imports ${name}`)
    }
  }
})

t.test('imports - nothing is imported in a circle, types included', async (t) => {
  const state = new Map<string, 'open' | 'done'>()
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      t.fail([...path.slice(path.indexOf(file)), file].join(' → '))
      return
    }
    state.set(file, 'open')
    for (const name of importsOf(file)) {
      if (name.startsWith('.')) visit(relative(root, join(root, dirname(file), name.replace(/\.js$/, '.ts'))), [...path, file])
    }
    state.set(file, 'done')
  }
  for (const file of files) visit(file, [])
  t.ok(files.length > 30)
})
