/** The process that empties a queue after its broker has come back: it is loaded before, so that the first delivery waits for the broker alone. */
import { performance } from 'node:perf_hooks'
import { BodyReader } from '../body.js'
import { loadPeer } from '../peers/index.js'
import type { Client, Peer } from '../peers/peer.js'
import { arrived, leftAfter } from './arrival.js'
import type { BacklogJob, DrainerRole, Mark } from './job.js'
import { benchQueue } from './layout.js'
import { serveRole } from './role.js'

const firstMsMax = 120_000
const layout = benchQueue(true)

class Drainer implements DrainerRole {
  #job!: BacklogJob
  #peer!: Peer
  #client!: Client
  #reader!: BodyReader
  #last: Mark = { count: 0, atMs: 0 }

  async prepare(job: BacklogJob): Promise<void> {
    this.#job = job
    this.#peer = await loadPeer(job.peer)
    this.#reader = new BodyReader(job.bodySize, 1, true)
  }

  async begin(): Promise<Mark> {
    const { count } = this.#job
    const reader = this.#reader
    this.#client = await this.#peer.connect(this.#job.target)
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no delivery within ${firstMsMax} ms of the broker's start`)), firstMsMax)
      const take = (lane: number, body: Uint8Array) => {
        reader.read(lane, body)
        if (reader.count === 1) {
          clearTimeout(late)
          resolve(this.#mark())
        }
        if (reader.count === count) this.#last = this.#mark()
      }
      this.#client.receive(layout, true, take).catch(reject)
    })
  }

  async finish(expected: number) {
    await arrived(this.#reader, expected)
    return { last: this.#last, received: this.#reader.received() }
  }

  leave(): Promise<number> {
    return leftAfter(this.#client, this.#peer, this.#job.target, layout)
  }

  #mark(): Mark {
    return { count: this.#reader.count, atMs: performance.timeOrigin + performance.now() }
  }
}

serveRole<DrainerRole>(new Drainer())
