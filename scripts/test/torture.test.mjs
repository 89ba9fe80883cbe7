// The torture in its short form: a few of each fault; what this machine cannot do (root, a C compiler) is skipped, with the reason. All of it: npm run torture
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { prepare, root } from '../prepare.mjs'
import { writeBody } from '../torture/body.mjs'
import { CrashStates } from '../torture/crash-states.mjs'
import { Delays } from '../torture/delays.mjs'
import { faults } from '../torture/faults/index.mjs'
import { Ledger, problemKinds } from '../torture/ledger.mjs'
import { Random } from '../torture/random.mjs'

prepare()

/** The rows of a printed table, the last one of each name: a figure for each column, or why it was skipped. */
function readTable(text) {
  const lines = text.split('\n')
  const columns = lines
    .find((line) => /^ +times {2}/.test(line))
    .trim()
    .split(/ {2,}/)
  const rows = new Map()
  for (const line of lines) {
    const [name, ...cells] = line.trim().split(/ {2,}/)
    if (cells[0]?.startsWith('skipped: ')) rows.set(name, { skipped: cells.join(' ').slice('skipped: '.length) })
    else if (cells.length === columns.length) rows.set(name, Object.fromEntries(columns.map((column, i) => [column, figure(cells[i])])))
  }
  return rows
}

const figure = (text) => (text === '-' ? undefined : Number(text.replaceAll(',', '')))

t.test('torture - a few of each fault that this machine can have: nothing that was confirmed is lost, and all goes on', async (t) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['scripts/torture/main.mjs', '--short'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 480_000,
  })
  if (status !== 0) t.comment(`${stdout}${stderr}`)
  t.equal(status, 0)
  t.match(stdout, /^nothing was lost \(seed \d+\)$/m)
  const rows = readTable(stdout)
  for (const { name, amountShort, skip } of faults) {
    const row = rows.get(name)
    const why = skip?.()
    t.equal(row?.skipped, why, `${name}: it is skipped only for want of what it needs`)
    if (why !== undefined) {
      t.pass(name, { skip: why })
      continue
    }
    t.ok(amountShort > 0 && row.times >= amountShort, `${name}: ${row.times} times`)
    t.ok(row.confirmed > 0 && row.delivered > 0, `${name}: ${row.confirmed} confirmed, ${row.delivered} delivered`)
    for (const kind of problemKinds) t.equal(row[kind], 0, `${name}: ${kind}`)
    if (name !== 'writes are short') t.ok(row['restart ms'] >= 0, `${name}: it went on within ${row['restart ms']} ms`)
  }
})

t.test('torture - docs/tests.md has each fault with its amount, and the figures of a run of so many', async (t) => {
  const text = readFileSync(join(root, 'docs/tests.md'), 'utf8')
  const amounts = faults.map(({ name, amount }) => [name, amount])
  const described = [...text.matchAll(/^\| ([a-z][^|`]+) \| ([\d,]+) \|/gm)]
  t.same(
    described.map(([, name, amount]) => [name.trim(), figure(amount)]),
    amounts,
  )
  const shown = readTable(text)
  for (const [name, amount] of amounts) t.ok(shown.get(name)?.times >= amount, `${name}: ${shown.get(name)?.times} of ${amount}`)
})

t.test('delays - what takes longer than it may is broken, by as much more as the machine is slower', async (t) => {
  const told = (freshStartMs, use) => {
    const ledger = new Ledger({ queues: [] })
    const delays = new Delays(ledger)
    delays.freshStartMs = freshStartMs
    use(delays)
    return ledger.counts.broken
  }
  const half = (delays) => {
    for (const ms of [100, 900, 1_100, 4_000]) delays.add('it', ms)
    delays.checkHalf('it', 800)
  }
  t.equal(
    told(100, (delays) => delays.add('it', 4_999)),
    0,
  )
  t.equal(
    told(100, (delays) => delays.add('it', 5_001)),
    1,
  )
  t.equal(
    told(700, (delays) => delays.add('it', 9_999)),
    0,
  )
  t.equal(
    told(700, (delays) => delays.add('it', 10_001)),
    1,
  )
  t.equal(
    told(100, (delays) => delays.add('it', 2_001, 2_000)),
    1,
  )
  t.equal(told(100, half), 1)
  t.equal(told(700, half), 0)
})

t.test('the ledger - each way to break a promise is seen', async (t) => {
  const queue = 'q'
  const delivery = (ledger, n, { redelivered = false, id = `log-${n}`, body = writeBody(ledger.run, 0, n, 40) } = {}) =>
    ledger.deliver(queue, { content: body, redelivered, id }, new Map())
  const begun = (options = {}) => {
    const ledger = new Ledger({ queues: [queue], ordered: [queue], strict: true, ...options })
    for (let i = 0; i < 3; i++) ledger.send(0, [queue])
    return ledger
  }
  const confirm = (ledger, n, more = {}) => ledger.confirm(0, n, { id: `log-${n}`, level: 'synced', queues: 1, ...more })

  const good = begun()
  for (const n of [1, 2, 3]) confirm(good, n)
  for (const n of [1, 2, 3]) good.ack(queue, delivery(good, n))
  delivery(good, 3, { redelivered: true })
  t.ok(good.close(), 'nothing is wrong with what is as it should be')
  t.equal(good.owedCount, 0)

  const wrongs = {
    lost: (ledger) => confirm(ledger, 1),
    invented: (ledger) => delivery(ledger, 4),
    damaged: (ledger) => {
      const body = writeBody(ledger.run, 0, 1, 40)
      body[20] ^= 1
      delivery(ledger, 1, { body })
    },
    disordered: (ledger) => {
      delivery(ledger, 2)
      delivery(ledger, 1)
    },
    unflagged: (ledger) => {
      delivery(ledger, 1)
      delivery(ledger, 1)
    },
    returned: (ledger) => {
      const said = delivery(ledger, 1)
      ledger.ack(queue, said)
      ledger.answer(queue, said)
      delivery(ledger, 1, { redelivered: true })
    },
    misrouted: (ledger) => {
      delivery(ledger, 1)
      ledger.ack(queue, { producer: 0, n: 1 })
      confirm(ledger, 1, { queues: 0 })
    },
    misnamed: (ledger) => {
      delivery(ledger, 1, { id: 'log-9' })
      ledger.ack(queue, { producer: 0, n: 1 })
      confirm(ledger, 1)
    },
    weak: (ledger) => confirm(ledger, 1, { level: 'received' }),
    broken: (ledger) => ledger.broke('it ended'),
  }
  for (const [kind, wrong] of Object.entries(wrongs)) {
    const ledger = begun()
    wrong(ledger)
    t.notOk(ledger.close(), kind)
    t.ok(ledger.counts[kind] > 0, kind)
  }
})

t.test('crash states - what was synced is in each of them, what was not may be in any', async (t) => {
  const bytes = (text) => Buffer.from(text.repeat(600))
  const events = [
    { kind: 'make', name: 'a', file: 1 },
    { kind: 'write', file: 1, at: 0, bytes: bytes('s') },
    { kind: 'syncBegun', file: 1 },
    { kind: 'write', file: 1, at: 600, bytes: bytes('x') },
    { kind: 'syncEnded', begun: 2 },
    { kind: 'namesBegun' },
    { kind: 'namesEnded', begun: 5 },
    { kind: 'write', file: 1, at: 1_200, bytes: bytes('y') },
    { kind: 'rename', name: 'a', to: 'b' },
  ]
  const states = new CrashStates(events)
  const random = new Random(1)
  t.same([...states.build(events.length, 'none', random)], [['a', bytes('s')]])
  t.same([...states.build(events.length, 'all', random)], [['b', Buffer.concat([bytes('s'), bytes('x'), bytes('y')])]])
  t.same([...states.build(5, 'none', random)], [], 'a name that is not synced is not there for sure')

  const seen = new Set()
  for (let i = 0; i < 200; i++) {
    const [[name, content]] = [...states.build(events.length, random.pick(['one less', 'some', 'torn 512', 'rubbish 512']), random)]
    t.ok(content.subarray(0, 600).equals(bytes('s')))
    seen.add(name)
    seen.add(`${content.length}`)
    if (content.length > 1_200 && content[700] === 0) seen.add('the later write without the earlier one')
  }
  for (const state of ['a', 'b', '600', '1200', '1800', 'the later write without the earlier one']) t.ok(seen.has(state), state)
})
