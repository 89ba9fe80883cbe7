/**
 * The tarballs as a stranger meets them: installed with npm in an empty folder outside the repository, then used from
 * ESM, from `require()`, from TypeScript in both ways, and by the command.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from '../prepare.mjs'

const folder = mkdtempSync(join(tmpdir(), 'waybill-pack-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const tarballs = join(folder, 'tarballs')
const consumer = join(folder, 'consumer')
install()

/** One message through a broker in the same process; the same text runs as a module and as a script. */
const roundTrip = `
async function main() {
  const broker = await createBroker({ listen: false })
  const connection = await connect(broker)
  await connection.declareQueue('emails')
  await connection.sendToQueue('emails', { to: 'ann@example.org' })
  const message = await connection.get('emails')
  console.log(message.body.to)
  message.ack()
  await connection.close()
  await broker.close()
}
main()
`

t.test('pack - a tarball holds what it needs and nothing of the tests', async (t) => {
  t.same(readdirSync(tarballs).sort(), ['cli', 'client', 'protocol', 'server'].map((name) => `waybill-${name}-${version()}.tgz`).sort())
  for (const file of readdirSync(tarballs)) {
    const names = execFileSync('tar', ['-tzf', join(tarballs, file)], { encoding: 'utf8' })
      .trim()
      .split('\n')
    for (const name of ['package.json', 'LICENSE', 'dist/index.js', 'dist/index.d.ts'])
      t.ok(names.includes(`package/${name}`), `${file}: ${name}`)
    t.same(
      names.filter((name) => /dist-test|\.test\.|tsbuildinfo|node_modules/.test(name)),
      [],
      file,
    )
  }
})

t.test('pack - import works', async (t) => {
  const code = `import { connect } from '@waybill/client'\nimport { createBroker } from '@waybill/server'\n${roundTrip}`
  t.same(await node('use.mjs', code), { stdout: 'ann@example.org\n', stderr: '' })
})

t.test('pack - require() works', async (t) => {
  const code = `const { connect } = require('@waybill/client')\nconst { createBroker } = require('@waybill/server')\n${roundTrip}`
  t.same(await node('use.cjs', code), { stdout: 'ann@example.org\n', stderr: '' })
})

t.test('pack - a TypeScript consumer is checked, with our declarations checked too', async (t) => {
  const use = `
    interface Shop { queues: { emails: { to: string } } }
    export async function main(): Promise<void> {
      const broker = await createBroker({ listen: false })
      const connection = await connect<Shop>(broker)
      await connection.sendToQueue('emails', { to: 'ann@example.org' })
      // @ts-expect-error a queue that the shop has not got
      await connection.sendToQueue('e-mails', { to: 'ann@example.org' })
      // @ts-expect-error a body of another shape
      await connection.sendToQueue('emails', { subject: 1 })
      const message = await connection.get('emails')
      const to: string | undefined = message?.body.to
      console.log(to)
      await connection.close()
      await broker.close()
    }`
  const modules = `import { connect } from '@waybill/client'\nimport { createBroker } from '@waybill/server'`
  const scripts = `import client = require('@waybill/client')\nimport server = require('@waybill/server')\nconst { connect } = client\nconst { createBroker } = server`
  writeFileSync(join(consumer, 'use.mts'), `${modules}${use}`)
  writeFileSync(join(consumer, 'use.cts'), `${scripts}${use}`)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--skipLibCheck', 'false']
  t.same(await run(process.execPath, [tsc, ...options, 'use.mts', 'use.cts']), { stdout: '', stderr: '' })
})

t.test('pack - the command is there', async (t) => {
  const bin = join(consumer, 'node_modules', '@waybill', 'cli', 'dist', 'bin.js')
  t.match(readFileSync(bin, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  t.match(await run(process.execPath, [bin, '--version']), { stdout: version(), stderr: '' })
})

function install() {
  execFileSync(process.execPath, [join(root, 'scripts', 'pack.mjs'), tarballs], { stdio: 'pipe' })
  mkdirSync(consumer)
  const files = readdirSync(tarballs).map((file) => join(tarballs, file))
  const types = JSON.parse(readFileSync(join(root, 'node_modules', '@types', 'node', 'package.json'), 'utf8')).version
  const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', ...files, `@types/node@${types}`]
  execFileSync('npm', args, { cwd: consumer, stdio: 'pipe', shell: process.platform === 'win32' })
}

function version() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
}

function node(name, code) {
  writeFileSync(join(consumer, name), code)
  return run(process.execPath, [name])
}

/** What a program in the consumer's folder printed; a failing one is an outcome too, to be compared. */
async function run(program, args) {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: consumer })
    return { stdout, stderr }
  } catch (error) {
    return { stdout: error.stdout, stderr: `${error.stderr}${error.message}` }
  }
}
