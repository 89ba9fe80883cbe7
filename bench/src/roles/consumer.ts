/** The consumer process: reads and checks every body, and tells the producer how far it is. */
import { performance } from 'node:perf_hooks'
import { BodyReader, type Received } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { Client, Layout, Peer } from '../peers/peer.js'
import { arrived, leftAfter } from './arrival.js'
import type { ConsumerRole, Mark, ThroughputJob } from './job.js'
import { trafficOf } from './layout.js'
import { ProgressReporter } from './progress.js'
import { serveRole } from './role.js'

class Consumer implements ConsumerRole {
  #job!: ThroughputJob
  #peer!: Peer
  #client!: Client
  #layout!: Layout
  #reader!: BodyReader

  async start(job: ThroughputJob): Promise<void> {
    const peer = await loadPeer(job.peer)
    const traffic = trafficOf(job.workload, peer)
    this.#job = job
    this.#peer = peer
    this.#layout = traffic.layout
    const reader = new BodyReader(job.workload.bodySize, traffic.lanes, traffic.gapless)
    this.#reader = reader
    const progress = await ProgressReporter.listen(job.progress, job.ahead, () => reader.count)
    const client = await peer.connect(job.target)
    this.#client = client
    await client.declare(traffic.layout)
    await client.receive(traffic.layout, job.workload.acks, (lane, body) => {
      reader.read(lane, body)
      if (reader.count >= progress.next) progress.report(reader.count)
    })
  }

  async mark(): Promise<Mark> {
    return { count: this.#reader.count, atMs: performance.timeOrigin + performance.now() }
  }

  async finish(expected: number): Promise<Received> {
    await arrived(this.#reader, expected)
    return this.#reader.received()
  }

  leave(): Promise<number> {
    return leftAfter(this.#client, this.#peer, this.#job.target, this.#layout)
  }
}

serveRole<ConsumerRole>(new Consumer())
