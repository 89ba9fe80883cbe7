import t from 'tap'
import { reportOf, table } from '../dist/report.js'
import { resultsOf, throughput } from './sample-results.js'

t.test('report - names the machine, the peers, who is absent, and each bound met or missed', async (t) => {
  const text = reportOf(resultsOf(throughput('waybill', 3_000_000, 0.5), throughput('nats', 1_000_000, 1)))
  const lines = text.split('\n')
  t.ok(lines.includes('2 x Abacus, 4 GiB, Slate, linux 1, Node v20, loopback'))
  t.ok(lines.includes('- abaci: not installed'))
  t.ok(lines.includes('- nats: nats 1.0, nats-client 2.0; a confirm means: there is none'))
  t.ok(lines.includes('- met: msg/s 3.00 x nats, at least 2.50 wanted'))
  t.ok(lines.includes('- MISSED: broker CPU a message 0.50 x nats, at most 0.33 wanted'))
  const nats = lines.find((line) => line.startsWith('| nats')) ?? ''
  t.same(
    nats
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, 7),
    ['nats', '1,000,000', '128', '3.00', '1.00', '0.50'],
  )
})

t.test('report - durable figures taken in memory are called so', async (t) => {
  const results = resultsOf(throughput('waybill', 1, 1))
  const on = (dataOn: string) => reportOf({ ...results, machine: { ...results.machine, dataOn } })
  t.match(on('ext4'), /loopback, data on ext4\n/)
  t.notMatch(on('ext4'), /mean nothing/)
  t.match(on('tmpfs'), /kept their data in memory: the durable figures mean nothing/)
})

t.test('report - a peer whose confirm comes before the sync is marked in a durable table, and its confirm is told', async (t) => {
  const durable = (peer: string) => ({ ...throughput(peer, 1, 1), workload: 'durable-16' })
  const results = resultsOf(durable('waybill'), durable('cached'))
  const peers = results.peers.map((peer) => ({ ...peer, durable: { confirm: `what ${peer.name} says`, syncs: peer.name === 'waybill' } }))
  const lines = reportOf({ ...results, peers }).split('\n')
  t.ok(lines.some((line) => line.startsWith('| cached (not synced) |')))
  t.ok(lines.some((line) => line.startsWith('| waybill             |')))
  t.ok(lines.includes('- cached: cached 1.0, cached-client 2.0; of a durable message: what cached says (NOT synced first)'))
})

t.test('report - a failed run is named and gives no figure', async (t) => {
  const text = reportOf(resultsOf({ workload: 'transient-128', peer: 'waybill', run: 1, failure: 'the broker ended\n  at a stack' }))
  t.ok(text.split('\n').includes('- waybill FAILED: the broker ended'))
  t.notOk(text.includes('NaN'))
})

t.test('report - a table is aligned and valid Markdown', async (t) => {
  const columns = [
    { title: 'a', cell: (row: string) => row },
    { title: 'length', cell: (row: string) => String(row.length) },
  ]
  t.equal(
    table(columns, ['x', 'yyyyy']),
    ['| a     | length |', '|-------|--------|', '| x     | 1      |', '| yyyyy | 5      |'].join('\n'),
  )
})
