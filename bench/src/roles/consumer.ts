/** The consumer process: reads and checks every body, and tells the producer how far it is. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { BodyReader, type Received } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { ConsumerRole, Mark, ThroughputJob } from './job.js'
import { trafficOf } from './layout.js'
import { ProgressReporter } from './progress.js'
import { serveRole } from './role.js'

/** Without a delivery for this long, what is missing counts as lost. */
const quietMs = 5_000

class Consumer implements ConsumerRole {
  #reader!: BodyReader

  async start(job: ThroughputJob): Promise<void> {
    const peer = await loadPeer(job.peer)
    const traffic = trafficOf(job.workload, peer)
    const reader = new BodyReader(job.workload.bodySize, traffic.lanes, traffic.gapless)
    this.#reader = reader
    const progress = await ProgressReporter.listen(job.progress, job.ahead, () => reader.count)
    const client = await peer.connect(job.target)
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
    let count = -1
    for (let quiet = 0; this.#reader.count < expected && quiet < quietMs; quiet += 10) {
      if (this.#reader.count !== count) quiet = 0
      count = this.#reader.count
      await sleep(10)
    }
    return this.#reader.received()
  }
}

serveRole<ConsumerRole>(new Consumer())
