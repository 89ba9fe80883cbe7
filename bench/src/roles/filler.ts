/** The process that fills a queue nobody reads: as fast as confirms come back, a window of them open. */
import { performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { addMark, BodyRing } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { Client } from '../peers/peer.js'
import { confirmWindow } from '../workloads.js'
import type { BacklogJob, FillerRole } from './job.js'
import { benchQueue } from './layout.js'
import { serveRole } from './role.js'

const burst = 512
const layout = benchQueue(true)

class Filler implements FillerRole {
  #job!: BacklogJob
  #client!: Client

  async declare(job: BacklogJob): Promise<void> {
    this.#job = job
    this.#client = await (await loadPeer(job.peer)).connect(job.target)
    await this.#client.declare(layout)
  }

  async fill() {
    const { count, bodySize } = this.#job
    const bodies = new BodyRing(bodySize, confirmWindow * 2)
    const sender = await this.#client.sender(layout, { confirm: 'window', window: confirmWindow, paced: false, ahead: count })
    const startedAt = performance.now()
    let sum = 0
    for (let sequence = 0; sequence < count; ) {
      if (sender.full) await sender.ready()
      for (const end = Math.min(count, sequence + burst); sequence < end && !sender.full; sequence++) {
        sum = addMark(sum, sequence)
        sender.send(layout.queue, bodies.body(sequence))
      }
      await turn()
    }
    await sender.flush()
    return { ms: performance.now() - startedAt, sent: { published: count, confirmed: count, deliveries: count, sum } }
  }
}

serveRole<FillerRole>(new Filler())
