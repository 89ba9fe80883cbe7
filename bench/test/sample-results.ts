/** Results made up by hand, for what reads results. */
import type { Measurement, Results } from '../dist/results.js'

export function resultsOf(...measurements: Measurement[]): Results {
  const names = [...new Set(measurements.map((one) => one.peer))]
  return {
    format: 1,
    startedAt: '2026-01-02T03:04:05.000Z',
    machine: { cpu: 'Abacus', cores: 2, memoryGiB: 4, system: 'Slate', kernel: 'linux 1', node: 'v20', network: 'loopback' },
    quick: false,
    runs: 3,
    peers: names.map((name) => ({ name, title: name, version: '1.0', client: `${name}-client 2.0` })),
    absent: ['abaci'],
    measurements,
  }
}

export function throughput(peer: string, deliveredPerSecond: number, brokerCpuPerMillion: number, run = 1): Measurement {
  return { workload: 'transient-128', peer, run, deliveredPerSecond, brokerCpuPerMillion }
}
