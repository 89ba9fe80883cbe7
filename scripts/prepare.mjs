/**
 * Everything a command of this repository needs before it can run: what is installed, and what is compiled.
 *
 *     installing … done in 12 s
 *     building … done in 2 s
 *
 * A step that has nothing to do says nothing and costs milliseconds: a stamp in `node_modules` keeps what it was done
 * for (the lock file; the sources and what was made of them). The lines go to standard error, so that a command's
 * output can be piped. A step that fails prints what its tool said, and ends the process with 1.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const installStamp = join(root, 'node_modules', '.waybill-installed')
const buildStamp = join(root, 'node_modules', '.waybill-built')
const sourceRoots = ['packages', 'examples', 'bench']

/** Installs what the lock file asks for, if it is not there; then compiles what has changed, unless told not to. */
export function prepare({ build = true } = {}) {
  requireNode()
  const lock = hash([readFileSync(join(root, 'pnpm-lock.yaml')), process.platform, process.arch])
  if (readStamp(installStamp) !== lock) {
    step('installing', ...pnpmCommand('install', '--frozen-lockfile'))
    writeFileSync(installStamp, lock)
  }
  if (!build) return

  const sources = fingerprint('source')
  if (readStamp(buildStamp) === lock + sources + fingerprint('output')) return
  step('building', process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-b'])
  removeOrphans()
  writeFileSync(buildStamp, lock + sources + fingerprint('output'))
}

/** Runs pnpm, at the version this repository names, and returns what it printed. */
export function pnpm(args) {
  return run(...pnpmCommand(...args))
}

/** `--package` is said aloud: an npx further up, if there is one, has left its own in our environment. */
function pnpmCommand(...args) {
  return ['npx', ['--yes', `--package=${packageManager}`, '--', 'pnpm', ...args]]
}

/** Our packages are ESM alone, and are used from `require()` too: Node has to be one that allows it. */
function requireNode() {
  if (process.features.require_module === true) return
  console.error(`Waybill needs Node 20.19, 22.12 or later; this is ${process.version}`)
  process.exit(1)
}

function step(name, command, args) {
  const start = performance.now()
  process.stderr.write(`${name} … `)
  run(command, args)
  process.stderr.write(`done in ${Math.max(1, Math.round((performance.now() - start) / 1000))} s\n`)
}

function run(command, args) {
  // npx is a script on Windows, which only a shell can start.
  const shell = command === 'npx' && process.platform === 'win32'
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, { cwd: root, shell, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status === 0) return stdout
  process.stderr.write(
    `failed (${command} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`})\n${stdout ?? ''}${stderr ?? ''}`,
  )
  process.exit(1)
}

/** The names, sizes and times of what the compiler reads (`source`), or of its own notes on what it wrote (`output`). */
function fingerprint(kind) {
  const facts = []
  for (const file of filesBelow(sourceRoots, kind === 'source' ? sourceOnly : () => true)) {
    const wanted = kind === 'source' ? /\.(ts|json)$/.test(file) : file.endsWith('.tsbuildinfo')
    if (!wanted) continue
    const { size, mtimeMs } = statSync(join(root, file))
    facts.push(`${file} ${size} ${mtimeMs}`)
  }
  if (kind === 'source') for (const file of ['tsconfig.json', 'tsconfig.base.json']) facts.push(readFileSync(join(root, file)))
  return hash(facts)
}

/** What was compiled from a source that is gone would still be imported, tested and packed. */
function removeOrphans() {
  for (const file of filesBelow(sourceRoots, () => true)) {
    const made = /^(.*\/)(dist|dist-test)(\/.*?)(\.d\.ts|\.js)(\.map)?$/.exec(file)
    if (made === null) continue
    const [, project, out, name] = made
    if (!existsSync(join(root, `${project}${out === 'dist' ? 'src' : 'test'}${name}.ts`))) rmSync(join(root, file))
  }
}

const sourceOnly = (directory) => directory !== 'dist' && directory !== 'dist-test'

/** Paths from the root, with `/`, of all files below these directories; never what was installed. */
export function* filesBelow(directories, enter = sourceOnly) {
  for (const directory of directories) {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = `${directory}/${entry.name}`
      if (entry.isFile()) yield path
      else if (entry.isDirectory() && entry.name !== 'node_modules' && enter(entry.name)) yield* filesBelow([path], enter)
    }
  }
}

function readStamp(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

function hash(parts) {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part).update('\0')
  return sum.digest('hex')
}
