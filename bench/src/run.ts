/**
 * One measurement: a fresh broker, fresh clients, one workload. Throughput is counted between two marks in the
 * consumer; CPU of every process is read at the same two moments. Whatever the figures, the run fails unless all
 * that was published arrived, in order and undamaged.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Received } from './body.js'
import { isPeerName, loadPeer, type PeerName } from './peers/index.js'
import type { Broker, Peer } from './peers/peer.js'
import { syncTimes } from './disk-probe.js'
import { sizeOf } from './files.js'
import { type CpuTimes, cpuTimes, memoryMaxOf, memoryOf, processTree } from './process-usage.js'
import type { Cores, Latencies, Measurement, Sums } from './results.js'
import type { ConsumerRole, DrainerRole, FillerRole, IdleRole, LatencyRole, Mark, ProducerRole, Sent } from './roles/job.js'
import { RoleProcess } from './roles/role.js'
import { percentile } from './statistics.js'
import type { Backlog, Idle, Latency, Throughput, Timing, Workload } from './workloads.js'

type Figures = Omit<Measurement, 'workload' | 'peer' | 'run' | 'failure'>

/** What a process that has been killed takes to be gone, and to write no more. */
const dyingMs = 100
/** Of brokers that run now. A bench that is broken off leaves none: a backlog may be large. Brokers have been killed by then. */
const directories = new Set<string>()
process.once('exit', () => {
  if (directories.size > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, dyingMs)
  for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
})

export async function measure(name: PeerName, workload: Workload, run: number, timing: Timing): Promise<Measurement> {
  const peer = await loadPeer(name)
  const directory = mkdtempSync(join(tmpdir(), 'waybill-bench-'))
  directories.add(directory)
  let broker: Broker | undefined
  try {
    broker = await peer.start(directory)
    const figures = await runWorkload(peer, broker, directory, workload, timing)
    return {
      workload: workload.name,
      peer: name,
      run,
      ...figures,
      failure: figures.sums === undefined ? undefined : wrongSum(figures.sums),
    }
  } catch (error) {
    return { workload: workload.name, peer: name, run, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  } finally {
    await broker?.stop()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    directories.delete(directory)
  }
}

/** Why a peer cannot take part in a workload; undefined when it can. */
export function unsupported(peer: Peer, workload: Workload): string | undefined {
  if (workload.durable) return peer.durable === undefined ? 'keeps nothing, as it is set up here' : undefined
  if (!peer.transient) return 'set up for durable messages'
  if (workload.kind !== 'throughput') return undefined
  if (workload.acks && !peer.acks) return 'no acknowledgements'
  if (workload.shape === 'topic' && !peer.topics) return 'no wildcard bindings'
  return undefined
}

function runWorkload(peer: Peer, broker: Broker, directory: string, workload: Workload, timing: Timing): Promise<Figures> {
  if (workload.kind === 'throughput') return runThroughput(peer, broker, directory, workload, timing)
  if (workload.kind === 'latency') return runLatency(peer, broker, directory, workload, timing)
  if (workload.kind === 'backlog') return runBacklog(peer, broker, directory, workload, timing)
  return runIdle(peer, broker, workload, timing)
}

async function runThroughput(peer: Peer, broker: Broker, directory: string, workload: Throughput, timing: Timing): Promise<Figures> {
  const ahead = Math.min(workload.ahead, peer.aheadMax)
  const job = { peer: nameOf(peer), target: broker.target, workload, ahead, progress: join(directory, 'progress') }
  const consumer = new RoleProcess<ConsumerRole>('consumer')
  const producer = new RoleProcess<ProducerRole>('producer')
  try {
    await consumer.ask('start', job)
    await producer.ask('start', job)
    await sleep(timing.warmupMs)
    const trees = [processTree(broker.pid), [producer.pid], [consumer.pid], [process.pid]]
    const first = await sample(trees, [consumer.ask('mark'), producer.ask('mark')])
    await sleep(timing.windowMs)
    const last = await sample(trees, [consumer.ask('mark'), producer.ask('mark')])
    const memory = memoryOf(processTree(broker.pid))
    const sent = await producer.ask('stop')
    const received = await consumer.ask('finish', sent.deliveries)
    const left = workload.durable ? { left: await consumer.ask('leave') } : {}
    const delivered = between(first.marks[0], last.marks[0])
    const published = between(first.marks[1], last.marks[1])
    return {
      deliveredPerSecond: delivered.perSecond,
      publishedPerSecond: published.perSecond,
      confirmed: sent.confirmed > 0,
      ...brokerCpu(first, last, delivered.count),
      cores: coresBetween(first, last, delivered.seconds),
      brokerMemory: memory,
      sums: { ...sumsOf(sent, received), ...left },
    }
  } finally {
    await Promise.all([producer.stop(), consumer.stop()])
  }
}

/** Durable latency is told beside what the disk takes, and for Waybill beside its own transient latency, in the same minute. */
async function runLatency(peer: Peer, broker: Broker, directory: string, workload: Latency, timing: Timing): Promise<Figures> {
  if (!workload.durable) return probeLatency(peer, broker, workload, timing)
  const before = await syncTimes(directory, timing.syncs)
  const transient = peer.name === 'waybill' ? await probeLatency(peer, broker, { ...workload, durable: false }, timing) : undefined
  const failure = transient?.sums === undefined ? undefined : wrongSum(transient.sums)
  if (failure !== undefined) throw new Error(`transient messages: ${failure}`)
  const durable = await probeLatency(peer, broker, workload, timing)
  const times = [...before, ...(await syncTimes(directory, timing.syncs))].sort((a, b) => a - b)
  const pacedTimes = (await syncTimes(directory, timing.syncs, 1)).sort((a, b) => a - b)
  return {
    ...durable,
    syncLatency: latenciesOf(times),
    pacedSyncLatency: latenciesOf(pacedTimes),
    ...(transient?.latency === undefined ? {} : { transientLatency: transient.latency }),
  }
}

async function probeLatency(peer: Peer, broker: Broker, workload: Latency, timing: Timing): Promise<Figures> {
  const { bodySize, perSecond, durable } = workload
  const probe = new RoleProcess<LatencyRole>('latency')
  try {
    await probe.ask('start', { peer: nameOf(peer), target: broker.target, bodySize, perSecond, durable })
    await sleep(timing.warmupMs)
    await probe.ask('measure')
    await sleep(timing.latencyWindowMs)
    const young = await probe.ask('lap')
    await sleep(Math.max(0, timing.latencySettledMs - timing.warmupMs - timing.latencyWindowMs))
    const trees = [processTree(broker.pid), [probe.pid], [], [process.pid]]
    const first = await sample(trees, [probe.ask('measure')])
    await sleep(timing.latencyWindowMs)
    const last = await sample(trees, [probe.ask('mark')])
    const memory = memoryOf(processTree(broker.pid))
    const { latencies, confirmLatencies, sent, received } = await probe.ask('stop')
    const published = between(first.marks[0], last.marks[0])
    return {
      deliveredPerSecond: published.perSecond,
      latency: latenciesOf(latencies),
      ...(durable ? { confirmLatency: latenciesOf(confirmLatencies) } : {}),
      youngLatency: latenciesOf(durable ? young.confirmLatencies : young.latencies),
      ...brokerCpu(first, last, published.count),
      cores: coresBetween(first, last, published.seconds),
      brokerMemory: memory,
      sums: sumsOf(sent, received),
    }
  } finally {
    await probe.stop()
  }
}

function latenciesOf(sorted: readonly number[]): Latencies {
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99), p999: percentile(sorted, 99.9), count: sorted.length }
}

async function runBacklog(peer: Peer, broker: Broker, directory: string, workload: Backlog, timing: Timing): Promise<Figures> {
  const count = Math.min(workload.count, timing.backlogMax)
  const job = { peer: nameOf(peer), target: broker.target, bodySize: workload.bodySize, count }
  const filler = new RoleProcess<FillerRole>('filler')
  const drainer = new RoleProcess<DrainerRole>('drainer')
  try {
    await filler.ask('declare', job)
    await drainer.ask('prepare', job)
    await sleep(timing.settleMs)
    const idleMemory = memoryOf(processTree(broker.pid))
    const { ms, sent } = await filler.ask('fill')
    const tree = processTree(broker.pid)
    const [memory, memoryMax] = [memoryOf(tree), memoryMaxOf(tree)]
    // What a peer writes behind its confirm gets its time: a kill is not to find what it never promised.
    await sleep(timing.settleMs)
    const disk = sizeOf(directory)
    await filler.stop()
    await broker.kill()
    const startedAtMs = performance.timeOrigin + performance.now()
    await broker.startAgain()
    const begun = await drainer.ask('begin')
    const { last, received } = await drainer.ask('finish', sent.deliveries)
    const left = await drainer.ask('leave')
    return {
      deliveredPerSecond: between(begun, last).perSecond,
      publishedPerSecond: (sent.published / ms) * 1_000,
      confirmed: true,
      brokerMemory: memory,
      backlog: { count, idleMemory, memory, memoryMax, disk, restartMs: begun.atMs - startedAtMs },
      sums: { ...sumsOf(sent, received), left },
    }
  } finally {
    await Promise.all([filler.stop(), drainer.stop()])
  }
}

async function runIdle(peer: Peer, broker: Broker, workload: Idle, timing: Timing): Promise<Figures> {
  const connections = Math.ceil(workload.connections / timing.divisor)
  const holder = new RoleProcess<IdleRole>('idle')
  try {
    await sleep(timing.settleMs)
    const tree = processTree(broker.pid)
    const before = memoryOf(tree)
    const openMs = await holder.ask('start', { peer: nameOf(peer), target: broker.target, bodySize: workload.bodySize, connections })
    await sleep(timing.settleMs)
    const after = memoryOf(processTree(broker.pid))
    const trees = [processTree(broker.pid), [holder.pid], [], [process.pid]]
    const first = { ...cpuTimes(trees), atMs: Date.now() }
    await sleep(timing.settleMs)
    const last = { ...cpuTimes(trees), atMs: Date.now() }
    const { ms, sent, received } = await holder.ask('deliver')
    return {
      idle: { connections, connectionSize: (after - before) / connections, openMs, deliverMs: ms },
      cores: coresBetween(first, last, (last.atMs - first.atMs) / 1_000),
      brokerMemory: after,
      sums: sumsOf(sent, received),
    }
  } finally {
    await holder.stop()
  }
}

interface Sample extends CpuTimes {
  readonly marks: readonly Mark[]
}

async function sample(trees: readonly (readonly number[])[], asked: readonly Promise<Mark>[]): Promise<Sample> {
  const marks = await Promise.all(asked)
  return { ...cpuTimes(trees), marks }
}

function between(first: Mark | undefined, last: Mark | undefined) {
  if (first === undefined || last === undefined) throw new Error('a mark is missing')
  const seconds = (last.atMs - first.atMs) / 1_000
  const count = last.count - first.count
  return { count, seconds, perSecond: count / seconds }
}

function cpuBetween(first: CpuTimes, last: CpuTimes, tree: number): number {
  return (last.trees[tree] ?? 0) - (first.trees[tree] ?? 0)
}

/** Nothing to tell when nothing was delivered, or where the system does not say what a process used. */
function brokerCpu(first: CpuTimes, last: CpuTimes, count: number): { brokerCpuPerMillion?: number } {
  const seconds = cpuBetween(first, last, 0)
  return count === 0 || seconds === 0 ? {} : { brokerCpuPerMillion: (seconds / count) * 1e6 }
}

/** What is left of the machine's busy time after all that is ours is noise from elsewhere. */
function coresBetween(first: CpuTimes, last: CpuTimes, seconds: number): Cores {
  const cores = (tree: number) => cpuBetween(first, last, tree) / seconds
  const [broker, producer, consumer, bench] = [cores(0), cores(1), cores(2), cores(3)]
  const other = (last.machine - first.machine) / seconds - broker - producer - consumer - bench
  return { broker, producer, consumer, other: Math.max(0, other) }
}

function sumsOf(sent: Sent, received: Received): Sums {
  return {
    published: sent.published,
    expected: sent.deliveries,
    delivered: received.count,
    sumsAgree: sent.sum === received.sum,
    damaged: received.damaged,
    disordered: received.disordered,
  }
}

/** Why these sums do not agree; undefined when they do. */
export function wrongSum(sums: Sums): string | undefined {
  if (sums.delivered !== sums.expected) return `${sums.expected} deliveries expected, ${sums.delivered} came`
  if (sums.damaged > 0) return `${sums.damaged} damaged bodies`
  if (sums.disordered > 0) return `${sums.disordered} deliveries out of order`
  if (!sums.sumsAgree) return 'the sum over the bodies received is not that over the bodies sent'
  return (sums.left ?? 0) > 0 ? `${sums.left} messages are still in the queue, though each was acknowledged` : undefined
}

function nameOf(peer: Peer): PeerName {
  if (!isPeerName(peer.name)) throw new Error(`'${peer.name}' is not in the list of peers`)
  return peer.name
}
