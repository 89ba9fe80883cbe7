/** What holds for the repository as a whole: its dependencies, its lock file, and what its files may name. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../prepare.mjs'

const packages = ['protocol', 'server', 'client', 'cli']
const readText = (path) => readFileSync(join(root, path), 'utf8')
const readPackage = (name) => JSON.parse(readText(`packages/${name}/package.json`))

t.test('workspace - the packages depend on lru-cache, ajv and one another alone', async (t) => {
  for (const name of packages) {
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = readPackage(name)
    const outside = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).filter((d) => !d.startsWith('@waybill/'))
    t.same(
      outside.filter((dependency) => dependency !== 'lru-cache' && dependency !== 'ajv'),
      [],
      name,
    )
  }
})

t.test('workspace - every entry that a package offers is there, for import and require alike', async (t) => {
  for (const name of packages) {
    const { exports, bin = {} } = readPackage(name)
    const targets = [
      ...Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? entry : Object.values(entry))),
      ...Object.values(bin),
    ]
    for (const target of targets) t.ok(existsSync(join(root, 'packages', name, target)), `${name}: ${target}`)
    for (const [path, entry] of Object.entries(exports)) {
      if (typeof entry !== 'string') t.same(Object.keys(entry), ['types', 'default'], `${name}: ${path}`)
    }
  }
})

t.test('workspace - all packages have one version, one licence and one least Node', async (t) => {
  const { version, license, engines } = JSON.parse(readText('package.json'))
  for (const name of packages) t.match(readPackage(name), { version, license, engines, type: 'module' }, name)
})

t.test('workspace - the lock file names no registry host', async (t) => {
  const named = readText('pnpm-lock.yaml')
    .split('\n')
    .filter((line) => /:\/\/|registry\.|tarball:/.test(line))
  t.same(named, [])
})

t.test("workspace - no file names a path of a developer's machine", async (t) => {
  if (!existsSync(join(root, '.git'))) return t.skip('not a git checkout: which files are ours is not known')
  const places = ['root', 'home', 'Users', 'work', 'mnt', 'private'].join('|')
  const path = new RegExp(`(?<![\\w./*-])(?:/(?:${places})/|[A-Za-z]:\\\\Users\\\\)\\w`)
  t.match(['', 'root', 'x'].join('/'), path, 'the pattern finds one')
  const found = []
  for (const file of execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0')) {
    if (file === '' || !existsSync(join(root, file))) continue
    for (const [index, line] of readText(file).split('\n').entries()) if (path.test(line)) found.push(`${file}:${index + 1}`)
  }
  t.same(found, [])
})
