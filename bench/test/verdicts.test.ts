import t from 'tap'
import type { Measurement } from '../dist/results.js'
import { rowsOf } from '../dist/summary.js'
import { verdictsOf } from '../dist/verdicts.js'
import { type Workload, workloads } from '../dist/workloads.js'
import { resultsOf, throughput } from './sample-results.js'

const workload = (name: string) => workloads.find((candidate) => candidate.name === name) as Workload
const transient = workload('transient-128')
const verdicts = (name: string, measurements: readonly Measurement[], syncs: Record<string, boolean> = {}) =>
  verdictsOf(workload(name), rowsOf(resultsWith(measurements, syncs), workload(name)))

/** Results whose peers keep messages, synced or not. */
function resultsWith(measurements: readonly Measurement[], syncs: Record<string, boolean>) {
  const results = resultsOf(...measurements)
  const peers = results.peers.map((peer) => ({ ...peer, durable: { confirm: '', syncs: syncs[peer.name] ?? true } }))
  return { ...results, peers }
}

t.test('verdicts - a bound against NATS is judged against each NATS that ran', async (t) => {
  const rows = rowsOf(resultsOf(throughput('waybill', 300, 0.2), throughput('nats', 100, 0.9), throughput('nats2', 150, 0.5)), transient)
  t.same(verdictsOf(transient, rows), [
    { text: 'msg/s 3.00 x nats, at least 2.50 wanted', met: true },
    { text: 'broker CPU a message 0.22 x nats, at most 0.33 wanted', met: true },
    { text: 'msg/s 2.00 x nats2, at least 2.50 wanted', met: false },
    { text: 'broker CPU a message 0.40 x nats2, at most 0.33 wanted', met: false },
  ])
})

t.test('verdicts - a bound against the best is judged against the fastest of the others', async (t) => {
  const large = workload('transient-64k')
  const one = (peer: string, rate: number) => ({ ...throughput(peer, rate, 1), workload: large.name })
  const rows = rowsOf(resultsOf(one('waybill', 90), one('redis', 80), one('rabbitmq', 100)), large)
  t.same(verdictsOf(large, rows), [{ text: 'msg/s 0.90 x rabbitmq, at least 1.00 wanted', met: false }])
})

t.test('verdicts - a connection is judged by its own size, and nothing is judged when Waybill did not run', async (t) => {
  const idle = workload('idle-2000')
  const size = (bytes: number) => ({ connections: 10, connectionSize: bytes, openMs: 1, deliverMs: 1 })
  const one = (peer: string, bytes: number) => ({ workload: idle.name, peer, run: 1, idle: size(bytes) })
  t.same(verdictsOf(idle, rowsOf(resultsOf(one('waybill', 20_480)), idle)), [
    { text: '20.0 KiB a connection, at most 20 wanted', met: true },
  ])
  t.equal(verdictsOf(idle, rowsOf(resultsOf(one('waybill', 20_481)), idle))[0]?.met, false)
  t.same(verdictsOf(idle, rowsOf(resultsOf(one('nats', 1)), idle)), [])
})

t.test('verdicts - a durable rate is judged against the best that syncs and against the best that does not', async (t) => {
  const one = (peer: string, rate: number) => ({ ...throughput(peer, rate, 1), workload: 'durable-16' })
  const measurements = [one('waybill', 1_000), one('slow', 100), one('synced', 250), one('cached', 300), one('older', 200)]
  t.same(verdicts('durable-16', measurements, { cached: false, older: false }), [
    { text: 'msg/s 4.00 x synced, at least 5.00 wanted', met: false },
    { text: 'msg/s 3.33 x cached, at least 3.00 wanted', met: true },
  ])
})

t.test('verdicts - a confirm may take what the disk takes and our own way there and back', async (t) => {
  const of = (p50: number, p99 = 0) => ({ p50, p99, p999: 0, count: 1 })
  const one = (confirm: number) => ({
    ...throughput('waybill', 2_000, 1),
    workload: 'durable-latency',
    latency: of(0),
    confirmLatency: of(confirm, 900),
    transientLatency: of(80),
    syncLatency: of(100),
  })
  const quorum = { ...throughput('rabbitmq-quorum', 2_000, 1), workload: 'durable-latency', confirmLatency: of(0, 1_000) }
  t.same(verdicts('durable-latency', [one(230), quorum]), [
    { text: 'confirm p50 230 µs, at most transient p50 80 + 1.5 x sync 100 = 230 µs wanted', met: true },
    { text: 'confirm p99 0.90 x rabbitmq-quorum, at most 1.00 wanted', met: true },
  ])
  t.equal(verdicts('durable-latency', [one(231)])[0]?.met, false)
})

t.test('verdicts - a backlog is judged by memory, restart and drain', async (t) => {
  const one = (peer: string, drained: number, memory: number, restartMs: number) => ({
    workload: 'durable-backlog-1m',
    peer,
    run: 1,
    deliveredPerSecond: drained,
    backlog: { count: 1, idleMemory: 50e6, memory: 50e6 + memory, memoryMax: 0, disk: 0, restartMs },
  })
  t.same(verdicts('durable-backlog-1m', [one('waybill', 300, 150e6, 1_001), one('rabbitmq', 100, 0, 0)]), [
    { text: '150 MB above idle, at most 150 wanted', met: true },
    { text: '1001 ms from the restart to the first delivery, at most 1000 wanted', met: false },
    { text: 'msg/s 3.00 x rabbitmq, at least 3.00 wanted', met: true },
  ])
})
