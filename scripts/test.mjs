/**
 * `npm test`: every test file is a program; two run at a time, and each package gets one line.
 *
 *     protocol   212 passed   3.1 s
 *     server     640 passed, 1 failed   9.4 s
 *       <what failed, where, the seed if it printed one, and the command that runs it again>
 *     852 passed, 1 failed
 *
 * `npm test -- server` runs one package, `npm test -- packages/server/test/queue.test.ts` one file. The list of files is
 * taken from the sources. Counted are the assertions. The last line is always the sum; the exit code is 1 if any failed.
 */
import { spawn } from 'node:child_process'
import { relative, resolve } from 'node:path'
import { filesBelow, prepare, root } from './prepare.mjs'
import { readTap } from './tap.mjs'

const suites = [
  { name: 'protocol', directory: 'packages/protocol/test' },
  { name: 'server', directory: 'packages/server/test' },
  { name: 'client', directory: 'packages/client/test' },
  { name: 'cli', directory: 'packages/cli/test' },
  { name: 'examples', directory: 'examples/test' },
  { name: 'bench', directory: 'bench/test' },
  { name: 'workspace', directory: 'scripts/test' },
]
const filesAtOnce = 2
/** A file that takes longer hangs, and is stopped: first by tap, which says what it was waiting for, then by us. The longest take three minutes, on a slow machine more. */
const timeoutSeconds = Number(process.env.WAYBILL_TEST_TIMEOUT ?? 600)
const graceSeconds = 10
const linesMax = 60
const failuresMax = 10

await main(process.argv.slice(2))

async function main(wanted) {
  prepare()
  const chosen = choose(wanted)
  if (chosen.length === 0) {
    console.error(`no test is called ${wanted.join(' or ')}; name a package (server) or a file (packages/server/test/queue.test.ts)`)
    process.exit(1)
  }

  const sum = { passed: 0, failed: 0, skipped: 0 }
  for (const { name, runs } of startAll(chosen)) {
    const results = await Promise.all(runs)
    const counts = { passed: 0, failed: 0, skipped: 0 }
    for (const result of results) for (const kind in counts) counts[kind] += result[kind]
    for (const kind in sum) sum[kind] += counts[kind]

    const ms = Math.max(...results.map((result) => result.end)) - Math.min(...results.map((result) => result.start))
    console.log(`${name.padEnd(10)} ${inWords(counts, ['passed'])}   ${(ms / 1000).toFixed(1)} s`)
    for (const result of results) if (result.failed > 0) report(result)
  }
  console.log(inWords(sum, ['passed', 'failed']))
  process.exitCode = sum.failed > 0 ? 1 : 0
}

/** The test sources of each suite, or those of them that were asked for by suite, file or directory. */
function choose(wanted) {
  const paths = wanted.map((name) =>
    relative(root, resolve(name)).replaceAll('\\', '/').replace('/dist-test/', '/test/').replace(/\.js$/, '.ts'),
  )
  const isWanted = (suite, file) =>
    wanted.length === 0 || wanted.includes(suite.name) || paths.some((path) => `${file}/`.startsWith(`${path}/`))
  return suites
    .map((suite) => {
      const tests = [...filesBelow([suite.directory])].filter((file) => /\.test\.(ts|mjs)$/.test(file))
      return { name: suite.name, files: tests.filter((file) => isWanted(suite, file)).sort() }
    })
    .filter((suite) => suite.files.length > 0)
}

/** Puts all files in one line, in order, a few of them running at a time; the result of each is a promise. */
function startAll(chosen) {
  const waiting = []
  const started = chosen.map(({ name, files }) => ({
    name,
    runs: files.map((file) => new Promise((settle) => waiting.push(() => run(file).then(settle)))),
  }))
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next()
  }
  for (let i = 0; i < filesAtOnce; i++) lane()
  return started
}

/** Runs one test file to its end; never rejects, since a file that breaks down is a test that failed. */
function run(file) {
  const program = file.replace('/test/', '/dist-test/').replace(/\.ts$/, '.js')
  const start = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', file.endsWith('.mjs') ? file : program], {
    cwd: root,
    env: { ...process.env, TAP_TIMEOUT: String(timeoutSeconds) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), (timeoutSeconds + graceSeconds) * 1000)
  const output = { stdout: '', stderr: '' }
  for (const name in output) child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))

  return new Promise((settle) => {
    child.once('close', (code, signal) => {
      clearTimeout(killer)
      const result = { file, start, end: performance.now(), stderr: output.stderr, ...readTap(output.stdout) }
      const ran = result.passed + result.failed + result.skipped
      if (code !== 0 && result.failed === 0) breakDown(result, signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)
      else if (ran === 0) breakDown(result, 'tested nothing')
      settle(result)
    })
  })
}

function breakDown(result, what) {
  result.failed += 1
  result.failures.push({ name: `the file ${what}`, lines: [] })
}

function report({ file, failures, comments, stderr }) {
  const lines = [`✗ ${file}`]
  for (const failure of failures.slice(0, failuresMax)) {
    lines.push('', `  ✗ ${failure.name}`, ...diagnosis(failure.lines).map((line) => `    ${line}`))
  }
  if (failures.length > failuresMax) lines.push('', `  … and ${failures.length - failuresMax} more`)
  if (comments.length > 0) lines.push('', ...comments.slice(-linesMax).map((comment) => `  # ${comment}`))
  if (stderr !== '')
    lines.push(
      '',
      ...stderr
        .trimEnd()
        .split('\n')
        .slice(-linesMax)
        .map((line) => `  ${line}`),
    )
  lines.push('', `  run it again: npm test -- ${file}`)
  console.log(`${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`)
}

/** Tap's diagnosis without its copy of the source; where it happened in one line, and the stack only if that is unknown. */
function diagnosis(lines) {
  const sections = []
  for (const line of lines) {
    if (/^\S/.test(line)) sections.push([line])
    else sections.at(-1)?.push(line)
  }
  const at = sections.find(([title]) => title === 'at:')
  const dropped = at === undefined ? ['source:'] : ['source:', 'at:', 'stack:']
  const kept = sections.filter(([title]) => !dropped.includes(title.split(' ')[0])).flat()
  const field = (name) => at?.find((line) => line.trim().startsWith(`${name}: `))?.split(': ')[1]
  if (at !== undefined) kept.push(`at ${field('fileName')}:${field('lineNumber')}:${field('columnNumber')}`)
  return kept.length > linesMax ? [...kept.slice(0, linesMax), '…'] : kept
}

function inWords(counts, always) {
  const kinds = Object.keys(counts).filter((kind) => counts[kind] > 0 || always.includes(kind))
  return kinds.map((kind) => `${counts[kind]} ${kind}`).join(', ')
}
