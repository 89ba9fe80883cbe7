import t from 'tap'
import { rowsOf } from '../dist/summary.js'
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

t.test('summary - a backlog is told above what the broker had before', async (t) => {
  const backlog = { count: 10, idleMemory: 50e6, memory: 120e6, memoryMax: 180e6, disk: 1e6, restartMs: 400 }
  const [row] = rowsOf(resultsOf({ workload: 'durable-backlog-1m', peer: 'waybill', run: 1, backlog }), workload('durable-backlog-1m'))
  t.equal(row?.backlogMemory?.median, 70e6)
  t.equal(row?.backlogMemoryMax?.median, 130e6)
  t.equal(row?.restartMs?.median, 400)
})
