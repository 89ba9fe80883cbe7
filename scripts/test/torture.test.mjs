// The torture in its short form: a few of each fault that needs neither root nor long pauses. All of it: npm run torture
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { prepare, root } from '../prepare.mjs'
import { CrashStates } from '../torture/crash-states.mjs'
import { faults } from '../torture/faults/index.mjs'
import { Ledger } from '../torture/ledger.mjs'
import { writeBody } from '../torture/body.mjs'
import { Random } from '../torture/random.mjs'

prepare()

const named = (name) => faults.find((fault) => fault.name === name)

t.test('torture - kills, crash states and cut connections lose nothing that was confirmed', async (t) => {
  const names = ['kill -9', 'crash states', 'connections cut', 'writes fail', 'sync fails'].join(',')
  const { stdout, stderr, status } = spawnSync(process.execPath, ['scripts/torture/main.mjs', '--short', '--only', names], {
    cwd: root,
    encoding: 'utf8',
    timeout: 280_000,
  })
  if (status !== 0) t.comment(`${stdout}${stderr}`)
  t.equal(status, 0)
  t.match(stdout, /^nothing was lost \(seed \d+\)$/m)
  const [, times] = /^kill -9 +(\d+) /m.exec(stdout)
  t.equal(Number(times), named('kill -9').amountShort)
})

t.test('torture - one run has the faults, and the amounts, that are asked of it', async (t) => {
  t.ok(named('kill -9').amount >= 25)
  t.ok(named('power cut').amount >= 20)
  t.ok(named('crash states').amount >= 2_000)
  const rows = [...readFileSync(join(root, 'docs/tests.md'), 'utf8').matchAll(/^\| ([a-z][^|`]+) \| ([\d,]+) \|/gm)]
  t.same(
    rows.map(([, name, amount]) => [name.trim(), Number(amount.replaceAll(',', ''))]),
    faults.map(({ name, amount }) => [name, amount]),
    'docs/tests.md has them',
  )
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
