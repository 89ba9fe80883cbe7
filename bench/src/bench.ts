/**
 * A whole bench: every workload against every installed peer, so many times. Peers take turns (A B C, A B C, …), so
 * that what else the machine does falls on all of them alike.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { commitOf, describeMachine } from './machine.js'
import type { Options } from './options.js'
import { loadPeer, type PeerName } from './peers/index.js'
import type { Peer } from './peers/peer.js'
import { type Measurement, type PeerDescription, type Results, resultsFormat } from './results.js'
import { measure, unsupported } from './run.js'
import { fullTiming, quickTiming, type Timing, type Workload } from './workloads.js'

const quietCores = 0.15
const triesMax = 5
const pauseMs = 10_000

/** Calls `changed` with the results so far after each measurement: a bench that is broken off leaves what it has. */
export async function runBench(options: Options, changed: (results: Results, last?: Measurement) => void): Promise<Results> {
  const timing = options.quick ? quickTiming : fullTiming
  const installed: { peer: Peer; version: string }[] = []
  const absent: string[] = []
  for (const name of options.peers) {
    const peer = await loadPeer(name)
    const version = peer.version()
    if (version === undefined) absent.push(name)
    else installed.push({ peer, version })
  }
  const measurements: Measurement[] = []
  const results: Results = {
    format: resultsFormat,
    startedAt: new Date().toISOString(),
    commit: commitOf(fileURLToPath(new URL('../..', import.meta.url))),
    machine: describeMachine(),
    quick: options.quick,
    runs: options.runs,
    peers: installed.map(({ peer, version }) => description(peer, version)),
    absent,
    measurements,
  }
  changed(results)
  for (let run = 1; run <= options.runs; run++) {
    for (const workload of options.workloads) {
      for (const { peer } of installed) {
        if (unsupported(peer, workload) !== undefined) continue
        const measurement = await measurePatiently(peer, workload, run, timing, options.patient ? triesMax : 1)
        measurements.push(measurement)
        changed(results, measurement)
      }
    }
  }
  return results
}

/** The first measurement in which the machine was ours, or else the quietest of them. */
async function measurePatiently(peer: Peer, workload: Workload, run: number, timing: Timing, tries: number): Promise<Measurement> {
  let quietest: Measurement | undefined
  for (let left = tries; left > 0; left--) {
    const measurement = await measure(peer.name as PeerName, workload, run, timing)
    if (quietest === undefined || noiseOf(measurement) < noiseOf(quietest)) quietest = measurement
    if (measurement.failure !== undefined || noiseOf(measurement) <= quietCores) break
    if (left > 1) await sleep(pauseMs)
  }
  return quietest as Measurement
}

function noiseOf(measurement: Measurement): number {
  return measurement.failure === undefined ? (measurement.cores?.other ?? 0) : -1
}

function description(peer: Peer, version: string): PeerDescription {
  const { name, title, client, confirm, durable } = peer
  return { name, title, version, client, confirm, durable }
}
