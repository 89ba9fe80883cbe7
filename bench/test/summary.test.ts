import t from 'tap'
import { rowsOf, verdictsOf } from '../dist/summary.js'
import { type Workload, workloads } from '../dist/workloads.js'
import { resultsOf, throughput } from './sample-results.js'

const workload = (name: string) => workloads.find((candidate) => candidate.name === name) as Workload
const transient = workload('transient-128')

t.test('summary - a row holds the median and the range of the runs that did not fail', async (t) => {
  const failed = { ...throughput('waybill', 9_999, 9, 4), failure: '3 deliveries expected, 2 came' }
  const runs = [throughput('waybill', 300, 1, 1), throughput('waybill', 100, 3, 2), throughput('waybill', 200, 2, 3), failed]
  const [row] = rowsOf(resultsOf(...runs), transient)
  t.equal(row?.runs, 3)
  t.same(row?.rate, { median: 200, min: 100, max: 300 })
  t.same(row?.cpu, { median: 2, min: 1, max: 3 })
  t.same(row?.failures, ['3 deliveries expected, 2 came'])
})

t.test('summary - a bound against NATS is judged against each NATS that ran', async (t) => {
  const rows = rowsOf(resultsOf(throughput('waybill', 300, 0.2), throughput('nats', 100, 0.9), throughput('nats2', 150, 0.5)), transient)
  t.same(verdictsOf(transient, rows), [
    { text: 'msg/s 3.00 x nats, at least 2.50 wanted', met: true },
    { text: 'broker CPU a message 0.22 x nats, at most 0.33 wanted', met: true },
    { text: 'msg/s 2.00 x nats2, at least 2.50 wanted', met: false },
    { text: 'broker CPU a message 0.40 x nats2, at most 0.33 wanted', met: false },
  ])
})

t.test('summary - a bound against the best is judged against the fastest of the others', async (t) => {
  const large = workload('transient-64k')
  const one = (peer: string, rate: number) => ({ ...throughput(peer, rate, 1), workload: large.name })
  const rows = rowsOf(resultsOf(one('waybill', 90), one('redis', 80), one('rabbitmq', 100)), large)
  t.same(verdictsOf(large, rows), [{ text: 'msg/s 0.90 x rabbitmq, at least 1.00 wanted', met: false }])
})

t.test('summary - a connection is judged by its own size, and nothing is judged when Waybill did not run', async (t) => {
  const idle = workload('idle-2000')
  const size = (bytes: number) => ({ connections: 10, connectionSize: bytes, openMs: 1, deliverMs: 1 })
  const one = (peer: string, bytes: number) => ({ workload: idle.name, peer, run: 1, idle: size(bytes) })
  t.same(verdictsOf(idle, rowsOf(resultsOf(one('waybill', 20_480)), idle)), [
    { text: '20.0 KiB a connection, at most 20 wanted', met: true },
  ])
  t.equal(verdictsOf(idle, rowsOf(resultsOf(one('waybill', 20_481)), idle))[0]?.met, false)
  t.same(verdictsOf(idle, rowsOf(resultsOf(one('nats', 1)), idle)), [])
})
