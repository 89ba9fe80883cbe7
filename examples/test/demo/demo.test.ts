import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const program = fileURLToPath(new URL('../../dist/demo.js', import.meta.url))

/** Runs the demo to its end, with a directory of its own for its files. */
function demo(tmpdir: string, onLine: (line: string, pid: number) => void = () => {}) {
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: tmpdir } })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    for (const line of text.split('\n')) onLine(line, child.pid!)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise<{ lines: string[]; stderr: string; code: number | null }>((resolve) => {
    child.once('close', (code) => resolve({ lines: stdout.trimEnd().split('\n'), stderr, code }))
  })
}

t.test('demo - four parts, each with a sum, all of which agree, in 60 s and 40 lines', async (t) => {
  const tmpdir = t.testdir({})
  const start = performance.now()
  const { lines, stderr, code } = await demo(tmpdir)
  const text = lines.join('\n')

  t.equal(code, 0, text)
  t.equal(stderr, '')
  t.ok(performance.now() - start < 60_000)
  t.ok(lines.length <= 40, `${lines.length} lines`)
  t.ok(lines.every((line) => line.length <= 140))
  t.same(
    lines.flatMap((line) => /^(\w+): /.exec(line)?.[1] ?? []),
    ['email', 'images', 'orders', 'rpc'],
    'the titles',
  )
  t.match(text, /300 accepted over HTTP, 300 in the mailbox, each once, 300 written right, (3\d\d) mails came, \1 new or flagged/)
  t.match(text, /12 uploaded, 12 made smaller, 12 with every pixel, 12 files in all, 1 killed in the middle, 1 done by another/)
  t.match(text, /(\d+) begun, \1 new or flagged/)
  t.match(text, /200 published, (\d+) delivered, \1 expected, (\d+) with repeats, \2 new or flagged, 4 queues as expected, 4 in all/)
  t.equal(text.match(/the broker was killed \(-9\).* back after \d+ ms/g)?.length, 3, 'in three parts the broker is killed in the middle')
  t.match(text, /120 asked, 120 answered, 3191400 cents quoted, 3191400 by hand/)
  t.equal(lines.at(-1), 'all sums agree')
  t.same(await readdir(tmpdir), [], 'no file is left')
})

t.test('demo - stopped in the middle, it says so by its exit code and leaves nothing behind', async (t) => {
  const tmpdir = t.testdir({})
  const { code, lines } = await demo(tmpdir, (line, pid) => {
    if (line.startsWith('images: ')) process.kill(pid, 'SIGTERM')
  })
  t.equal(code, 1)
  t.not(lines.at(-1), 'all sums agree')
  t.same(await readdir(tmpdir), [])
})
